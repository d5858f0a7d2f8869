"""The process's one door to AWS, with the addresses of the settings."""

from __future__ import annotations

from functools import cache

from django.conf import settings

from awsaccess.aws.gateway import AwsGateway, HubIdentity, make_gateway
from awsaccess.models import Hub


@cache
def gateway() -> AwsGateway:
    """Made at the first call, because boto3 takes a second to load; kept, because it holds the hub sessions."""
    return make_gateway(
        endpoint_url=settings.AWS_ENDPOINT_URL, federation_base_url=settings.FEDERATION_BASE_URL
    )


def hub_identity(hub: Hub) -> HubIdentity:
    """What the door needs to know of a practice's hub."""
    return HubIdentity(
        practice_code=hub.practice.code,
        account_id=hub.account_id,
        role_arn=hub.role_arn,
        region=hub.region,
        template_bucket=hub.template_bucket,
        partition=hub.partition,
    )
