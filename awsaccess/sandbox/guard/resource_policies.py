"""Policies that hang on the resource itself: S3 buckets, SNS topics, SQS queues."""

from __future__ import annotations

import json

from moto.s3.models import s3_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends

from awsaccess.sandbox.guard.caller import Moto
from awsaccess.sandbox.guard.language import (
    ANYBODY,
    Context,
    Document,
    Principal,
    Question,
    Verdict,
    evaluate,
)


def _bucket(arn: str) -> Moto | None:
    name = arn.split(":::")[1].split("/", maxsplit=1)[0]
    partition, account = s3_backends.bucket_accounts.get(name, ("aws", None))
    return s3_backends[account][partition].buckets.get(name) if account else None


def _text_of(arn: str) -> str | bytes | None:
    """The policy of a resource as it was written, or None."""
    service, region, account = arn.split(":")[2:5]
    if service == "s3":
        bucket = _bucket(arn)
        return bucket.policy if bucket else None
    if service == "sns":
        topic = sns_backends[account][region].topics.get(arn) if account in sns_backends else None
        return topic.policy if topic else None
    if service == "sqs":
        queues = sqs_backends[account][region].queues if account in sqs_backends else {}
        queue = queues.get(arn.rsplit(":", 1)[1])
        return queue.policy if queue else None
    return None


def owner_of(arn: str) -> str | None:
    """The account that a resource with a policy of its own belongs to; None where that does not matter."""
    if not arn.startswith(("arn:aws:s3:::", "arn:aws:sns:", "arn:aws:sqs:")):
        return None
    if arn.startswith("arn:aws:s3:::"):
        bucket = _bucket(arn)
        return bucket.account_id if bucket else None
    return arn.split(":")[4]


def _document(text: str | bytes) -> Document:
    document: Document = json.loads(text)
    return document


def verdict(principal: Principal | None, action: str, arn: str, context: Context) -> Verdict | None:
    """What the resource's own policy says; principal None is an anonymous caller."""
    if owner_of(arn) is None:
        return None
    text = _text_of(arn)
    if not text:
        return None
    # sns and sqs write their actions as `SNS:Publish`: the comparison is without case anyway.
    question = Question(action=action, resource=arn, context=context, principal=principal or ANYBODY)
    return evaluate([_document(text)], question)
