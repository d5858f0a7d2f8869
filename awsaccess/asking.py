"""From an engagement and a hub to what is asked: the frozen documents and the template. Reads nothing, writes nothing."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict
from typing import Any, Final

from awsaccess.models import Grant, Hub
from awsaccess.provision.access_stack import AccessGrantSpec
from engagements.models import Engagement, Offer
from engagements.profiles import Kind, profile_named

Documents = dict[str, Any]  # Any: JSON, frozen in the offer
FORMAT: Final = 1


def documents_for(engagement: Engagement, hub: Hub) -> Documents:
    """All that an offer freezes beside its lines: enough to render the same template again."""
    profile = profile_named(engagement.profile)
    return {
        "format": FORMAT,
        "kind": profile.kind.value,
        "profile": profile.code,
        "profile_title": profile.title,
        "summary": profile.summary,
        "limits": [asdict(limit) for limit in profile.limits],
        "managed_policy_arns": list(profile.managed_policies),
        "statements": list(profile.statements),
        "practice_name": engagement.practice.name,
        "client_name": engagement.client.name,
        "engagement_code": engagement.code,
        "title": engagement.title,
        "purpose": engagement.purpose,
        "contract_reference": engagement.contract_reference,
        "expires_at": engagement.ends_at.astimezone(dt.UTC).isoformat(),
        "partition": hub.partition,
        "hub_account_id": hub.account_id,
        "hub_role_arn": hub.role_arn,
        "region": hub.region,
        "bucket": hub.template_bucket,
        "template_key": f"{engagement.code}/access.json",
        "topic_arns": dict(hub.topic_arns),
        "queue_url": hub.queue_url,
    }


def spec_from(
    documents: Documents, *, external_id: str, callback_token: str = "", also_external_id: str = ""
) -> AccessGrantSpec:
    """The stack's specification as it was frozen. Raises BadGrant when rendered, not here.

    `callback_token` is for rendering alone: what the role must look like does not depend on it.
    """
    return AccessGrantSpec(
        practice_name=documents["practice_name"],
        client_name=documents["client_name"],
        engagement_code=documents["engagement_code"],
        hub_account_id=documents["hub_account_id"],
        hub_role_arn=documents["hub_role_arn"],
        external_id=external_id,
        expires_at=dt.datetime.fromisoformat(documents["expires_at"]),
        managed_policy_arns=tuple(documents["managed_policy_arns"]),
        statements=tuple(documents["statements"]),
        look_only=documents["kind"] == Kind.LOOK,
        partition=documents["partition"],
        callback_topics=tuple(sorted(documents.get("topic_arns", {}).items())) if callback_token else (),
        callback_token=callback_token,
        also_external_id=also_external_id,
    )


def spec_of(offer: Offer, grant: Grant, *, also_external_id: str = "") -> AccessGrantSpec:
    """What the role of this grant must look like: what was agreed, under the external ID that is in force."""
    return spec_from(
        offer.documents, external_id=grant.external_id_in_force, also_external_id=also_external_id
    )
