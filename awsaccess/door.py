"""The process's one door to AWS, with the addresses of the settings."""

from __future__ import annotations

from functools import cache

from django.conf import settings

from awsaccess.aws.answering import AnswerDoor
from awsaccess.aws.gateway import AwsGateway, HubIdentity, make_gateway
from awsaccess.models import Hub
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
