"""From an engagement and a hub to what is asked: the frozen documents and the templates. Reads profiles, writes nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Final

from awsaccess.models import Grant, Hub, Rotation
from awsaccess.provision.access_stack import AccessGrantSpec, render_template
from engagements.models import Engagement, Offer
from engagements.profiles import LANGUAGES, AccessProfile, Kind, Line
from engagements.selectors import choice_of, profile_for, with_choice

Documents = dict[str, Any]  # Any: JSON, frozen in the offer
# 3: the lock wants sessions that name somebody (ADR 17). Documents of 1 and 2 do not say so, and their locks do not.
FORMAT: Final = 3
NAMES_REQUIRED: Final = "names_required"
HUB_PART: Final = (
    "partition",
    "hub_account_id",
    "hub_role_arn",
    "region",
    "bucket",
    "topic_arns",
    "queue_url",
    NAMES_REQUIRED,  # a change keeps the lock that the grant was made with
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked for: a profile by its code, which of its lines may be ticked, and until when.

    `kept`: optional lines that the client ticked before and keeps; they are asked for like the profile's own.
    """

    profile: str
    ends_at: dt.datetime
    optional: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()

    def profile_in(self, language: str = "en") -> AccessProfile:
        """The profile with these lines, in the words of a language. Raises KeyError for what is not offered any more."""
        profile = profile_for(self.profile, language)
        return (profile.with_optional(self.kept) if self.kept else profile).offering(self.optional)


def asked_in(engagement: Engagement) -> Asked:
    """What a draft asks for."""
    return Asked(profile=engagement.profile, ends_at=engagement.ends_at, optional=tuple(engagement.optional))


def documents_for(engagement: Engagement, hub: Hub) -> Documents:
    """All that an offer freezes beside its lines: enough to render the same template again.

    Raises KeyError for a profile or a line that is not offered any more.
    """
    return documents_of(engagement, asked_in(engagement), hub_part(hub))


def documents_of(engagement: Engagement, asked: Asked, hub: Documents) -> Documents:
    """The same for anything that is asked; `hub` is the part that an earlier offer froze of it, or `hub_part`."""
    profile = asked.profile_in()
    return {
        "format": FORMAT,
        "kind": profile.kind.value,
        "profile": profile.code,
        "profile_title": profile.title,
        "summary": profile.summary,
        "limits": profile.limits_as_data(),
        "warnings": list(profile.warnings),
        "managed_policy_arns": list(profile.managed_policies),
        "statements": list(profile.statements),
        "optional": [_optional(line) for line in profile.optional_lines],
        "kept": list(asked.kept),
        "words": {language: _words(asked.profile_in(language)) for language in LANGUAGES},
        "practice_name": engagement.practice.name,
        "client_name": engagement.client.name,
        "engagement_code": engagement.code,
        "title": engagement.title,
        "purpose": engagement.purpose,
        "contract_reference": engagement.contract_reference,
        "expires_at": asked.ends_at.astimezone(dt.UTC).isoformat(),
        "template_key": f"{engagement.code}/access.json",
        **{name: hub[name] for name in HUB_PART if name in hub},
        **_terms_of_entry(engagement),
    }


def hub_part(hub: Hub) -> Documents:
    """What an offer freezes of a practice's hub, and of the lock that lets in that hub alone."""
    return {
        "partition": hub.partition,
        "hub_account_id": hub.account_id,
        "hub_role_arn": hub.role_arn,
        "region": hub.region,
        "bucket": hub.template_bucket,
        "topic_arns": dict(hub.topic_arns),
        "queue_url": hub.queue_url,
        NAMES_REQUIRED: True,
    }


def _terms_of_entry(engagement: Engagement) -> Documents:
    """Only what holds, so that an offer without a doorbell stays word for word what it was."""
    held = {"doorbell": engagement.doorbell, "break_glass": engagement.break_glass}
    return {name: True for name, value in held.items() if value}


def spec_from(documents: Documents, *, external_id: str, callback_token: str = "") -> AccessGrantSpec:
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
        names_required=bool(documents.get(NAMES_REQUIRED, False)),
    )


def spec_of(offer: Offer, grant: Grant) -> AccessGrantSpec:
    """What the role of this grant must look like: as the client chose when they agreed, and with no choice before.

    Its lock is the one in force by now, which an exchange has made another than the offer's (ADR 13).
    """
    spec = spec_from(with_choice(offer.documents, choice_of(offer)), external_id=grant.external_id_in_force)
    return replace(spec, hub_role_arn=grant.moved_hub_role_arn or spec.hub_role_arn)


def spec_beside(offer: Offer, grant: Grant, rotation: Rotation) -> AccessGrantSpec:
    """The same while what opens it is exchanged: its lock takes the one in force and the other one."""
    return replace(
        spec_of(offer, grant),
        also_external_id=rotation.other_external_id,
        also_hub_role_arn=rotation.other_hub_role_arn,
    )


def variants_of(
    documents: Documents, *, external_id: str, callback_token: str = ""
) -> dict[tuple[str, ...], str]:
    """The template for each choice that the client can make, but for none. Raises BadGrant."""
    return {
        choice: render_template(
            spec_from(with_choice(documents, choice), external_id=external_id, callback_token=callback_token)
        )
        for choice in choices_among([line["key"] for line in documents["optional"]])
    }


def choices_among(keys: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Every choice of at least one, each in the order of the keys."""
    for count in range(1, len(keys) + 1):
        yield from combinations(keys, count)


def _optional(line: Line) -> Documents:
    more = {"statements": list(line.statements), "managed_policies": list(line.managed_policies)}
    return {**line.as_data(), **more}


def _words(profile: AccessProfile) -> Documents:
    """Everything of a profile that clients read, without what stands beside it in every language."""
    return {
        "summary": profile.summary,
        "warnings": list(profile.warnings),
        "limits": [limit.title for limit in profile.limits],
        "lines": _told(profile.lines),
        "optional": _told(profile.optional_lines),
    }


def _told(lines: Iterable[Line]) -> list[dict[str, str]]:
    return [{"title": line.title, "why": line.why} for line in lines]
