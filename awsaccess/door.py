"""The process's one door to AWS, with the addresses of the settings."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register

from awsaccess.aws.answering import AnswerDoor
from awsaccess.aws.arns import BadAddress, loopback_origin
from awsaccess.aws.gateway import AwsGateway, HubIdentity, make_gateway
from awsaccess.models import Grant, Hub
from engagements.models import Offer


@cache
def gateway() -> AwsGateway:
    """Made at the first call, because boto3 takes a second to load; kept, because it holds the hub sessions."""
    return make_gateway(
        endpoint_url=settings.AWS_ENDPOINT_URL, federation_base_url=settings.FEDERATION_BASE_URL
    )


@cache
def answer_door() -> AnswerDoor:
    """The way out to the addresses at which CloudFormation waits for an answer."""
    return AnswerDoor(settings.CFN_RESPONSE_ENDPOINT_URL)


def hub_of(offer: Offer) -> HubIdentity:
    """The hub that an offer was frozen with: its role trusts that one and its link names that bucket, for good."""
    documents = offer.documents
    return HubIdentity(
        practice_code=offer.practice.code,
        account_id=documents["hub_account_id"],
        role_arn=documents["hub_role_arn"],
        region=documents["region"],
        template_bucket=documents["bucket"],
        partition=documents["partition"],
    )


def hub_for(offer: Offer, grant: Grant) -> HubIdentity:
    """The hub that a grant is entered from by now: the offer's, with the role that the access has moved to (ADR 13)."""
    identity = hub_of(offer)
    return replace(identity, role_arn=grant.moved_hub_role_arn) if grant.moved_hub_role_arn else identity


def hub_identity(hub: Hub) -> HubIdentity:
    """A practice's hub as it is set up now, for looking at it; what was offered keeps its own."""
    return HubIdentity(
        practice_code=hub.practice.code,
        account_id=hub.account_id,
        role_arn=hub.role_arn,
        region=hub.region,
        template_bucket=hub.template_bucket,
        partition=hub.partition,
    )


@register(Tags.security)
def check_stand_in(**_kwargs: Any) -> list[CheckMessage]:  # Any: Django's signature
    """Answers to CloudFormation may go to a stand-in only where AWS itself is one, on this machine."""
    if not settings.CFN_RESPONSE_ENDPOINT_URL:
        return []
    try:
        AnswerDoor(settings.CFN_RESPONSE_ENDPOINT_URL)
        loopback_origin(settings.AWS_ENDPOINT_URL)
    except BadAddress as error:
        hint = "It is for demo and tests: leave CFN_RESPONSE_ENDPOINT_URL empty."
        return [Error(f"CFN_RESPONSE_ENDPOINT_URL is refused: {error}.", hint=hint, id="awsaccess.E001")]
    return []
