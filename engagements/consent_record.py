"""A consent as one JSON text, structured after ISO/IEC TS 27560:2023: header, processing, parties, events.

The specification is written for personal data. Here the thing agreed to is an access to an AWS account: `service` says
which, and `pii_information` says what is kept about the person who agreed. What the portal cannot know of a practice
(where it stores, how long, under which law) is null, never guessed. Pure: no queries, no clock. The same facts give
the same bytes; their shape is docs/consent-record.schema.json. Records of the first version stay what they are.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

SCHEMA_VERSION: Final = "latchkey-consent-record/2"
FIRST_VERSION: Final = "latchkey-consent-record/1"
SHOWN_FOR: Final = dt.timedelta(
    hours=12
)  # how long a page that was shown can be agreed to: as long as a sign-in
# What is kept of the signer, and whether it may be left out.
KEPT_OF_THE_SIGNER: Final = {
    "name": False,
    "job title": True,
    "e-mail address": False,
    "telephone number": True,
    "IP address": False,
    "browser": False,
    "languages": False,
    "time zone": False,
    "way and time of the sign-in": False,
}
Json = dict[str, Any]  # Any: JSON nests as it likes


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """Somebody in the record. `role` is requester, client or signer; what is not known stays empty."""

    party_id: str
    role: str
    kind: str
    name: str
    title: str = ""
    address: str = ""
    email: str = ""
    phone: str = ""
    contact: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What was agreed to: the offer as it was frozen, with the lines that were ticked, and the bytes that were shown.

    `lines` and `limits` in the language of the page. `role_name` and `template_version_id` are empty where not known.
    """

    engagement: str
    title: str
    purpose: str
    contract_reference: str
    account_id: str
    offer_number: int
    offer_sha256: str
    template_sha256: str
    template_version_id: str
    agreed_sha256: str
    role_name: str
    lines: tuple[str, ...]
    limits: tuple[str, ...]
    documents: Mapping[str, Any]  # Any: JSON
    shown_html: str
    shown_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """One person's yes. Moments are aware; `evidence` is kept as it is, beside what is read from it."""

    record_id: str
    practice: Party
    client: Party
    signer: Party
    asked: Asked
    displayed_at: dt.datetime
    given_at: dt.datetime
    ends_at: dt.datetime
    evidence: Mapping[str, str]
    number: int
    needed: int
    withdrawal_url: str


def record_of(agreement: Agreement) -> Json:
    """The record as it stands at the moment of agreement."""
    return {
        "record_header": {
            "schema_version": SCHEMA_VERSION,
            "record_id": agreement.record_id,
            "pii_principal_id": agreement.signer.party_id,
        },
        "processing": _processing(agreement),
        "party_identification": [
            _party(one) for one in (agreement.practice, agreement.client, agreement.signer)
        ],
        "events": [_displayed(agreement), _accepted(agreement)],
    }


def withdrawn(record: Json, *, at: dt.datetime, by: str) -> Json:
    """The record with what ended it. `by` is a party's id, or another person's; the events before stay as they are."""
    event = {
        "event_type": "withdrawn",
        "event_state": "withdrawn",
        "event_time": utc(at),
        "entity_id": by,
    }
    if record["record_header"]["schema_version"] != FIRST_VERSION:
        event["validity_duration"] = _lasting(dt.timedelta())
    return {**record, "events": [*record["events"], event]}


def text_of(record: Json) -> str:
    """The one spelling of a record: keys in order, no spaces, characters as they are."""
    return json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(text: str) -> str:
    """SHA-256 of a record's bytes, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def utc(moment: dt.datetime) -> str:
    """To the microsecond, as the database told it."""
    return moment.astimezone(dt.UTC).isoformat(timespec="microseconds")


def _lasting(time: dt.timedelta) -> str:
    """As ISO 8601 has it, in whole seconds."""
    return f"PT{int(time.total_seconds())}S"


def _processing(agreement: Agreement) -> Json:
    asked = agreement.asked
    return {
        "privacy_notice": {
            "media_type": "text/html; charset=utf-8",
            "text": asked.shown_html,
            "sha256": asked.shown_sha256,
        },
        "language": agreement.evidence.get("language", ""),
        "purposes": [
            {
                "purpose": asked.title,
                "purpose_description": asked.purpose,
                "purpose_type": "cross-account access",
                "contract_reference": asked.contract_reference,
                "lawful_basis": "consent",
                "service": _service(asked),
                "pii_information": [
                    {"pii_type": kind, "pii_optional": optional}
                    for kind, optional in KEPT_OF_THE_SIGNER.items()
                ],
                "pii_controllers": [agreement.practice.party_id],
                "recipient_third_parties": [agreement.client.party_id],
                "collection_method": "web form, by a person who was signed in",
                "processing_method": "kept as evidence of the agreement; no profiling, no automated decision",
                "storage_locations": None,
                "retention_period": None,
                "processing_locations": None,
                "geographic_restrictions": None,
                "jurisdiction": None,
                "privacy_rights": [
                    "to have this record at any time",
                    "to take the agreement back at any time",
                ],
                "codes_of_conduct": None,
                "impact_assessment": None,
                "authority_party": None,
                "withdrawal_method": {
                    "url": agreement.withdrawal_url,
                    "words": "At any time, by one button, without a reason and without asking anybody.",
                },
            }
        ],
    }


def _service(asked: Asked) -> Json:
    documents = asked.documents
    permissions = {
        "managed_policy_arns": documents.get("managed_policy_arns", []),
        "statements": documents.get("statements", []),
    }
    return {
        "engagement": asked.engagement,
        "aws_account_id": asked.account_id,
        "role_name": asked.role_name or None,
        "partition": documents.get("partition"),
        "region": documents.get("region"),
        "kind": documents.get("kind"),
        "abilities": list(asked.lines),
        "limits": list(asked.limits),
        "permissions": permissions,
        "permissions_sha256": digest(text_of(permissions)),
        "offer_number": asked.offer_number,
        "offer_sha256": asked.offer_sha256,
        "template_sha256": asked.template_sha256,
        "template_version_id": asked.template_version_id or None,
        "agreed_sha256": asked.agreed_sha256,
    }


def _party(party: Party) -> Json:
    return {
        "party_id": party.party_id,
        "party_role": party.role,
        "party_type": party.kind,
        "party_name": party.name,
        "party_title": party.title,
        "party_address": party.address,
        "party_email": party.email,
        "party_phone": party.phone,
        "party_contact": party.contact,
    }


def _displayed(agreement: Agreement) -> Json:
    """Known from the signed ticket that the page carried, and so written down only when somebody agreed."""
    return {
        "event_type": "displayed",
        "event_state": "requested",
        "event_time": utc(agreement.displayed_at),
        "validity_duration": _lasting(SHOWN_FOR),
        "entity_id": agreement.signer.party_id,
        "shown_sha256": agreement.asked.shown_sha256,
        "ticket": agreement.evidence.get("ticket", ""),
    }


def _accepted(agreement: Agreement) -> Json:
    evidence, given_at = agreement.evidence, agreement.given_at
    lasting = _lasting(agreement.ends_at - given_at)
    zone = evidence.get("timezone") or "UTC"
    return {
        "event_type": "accepted",
        "event_state": "given",
        "event_time": utc(given_at),
        "validity_duration": lasting,
        "event_time_local": given_at.astimezone(ZoneInfo(zone)).isoformat(timespec="seconds"),
        "time_zone": zone,
        "entity_id": agreement.signer.party_id,
        "validity": {"from": utc(given_at), "until": utc(agreement.ends_at), "duration": lasting},
        "authority_statement": evidence.get("authority", ""),
        "authentication": evidence.get("sign_in", ""),
        "approval": {"number": agreement.number, "needed": agreement.needed},
        "evidence": {name: value for name, value in evidence.items() if name != "ticket"},
    }
