"""The record of a consent: one JSON text that keeps to its schema, the same bytes for the same facts, for good."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from pathlib import Path
from typing import Any, Final

import jsonschema  # type: ignore[import-untyped]  # it has no types
import pytest
from django.db import DatabaseError, transaction

from accounts.models import Practice
from engagements import consent_record
from engagements.lifecycle import EngagementEvent
from engagements.models import Consent, Offer
from engagements.profiles import profile_named
from engagements.services.closing import engagement_end
from engagements.services.evidence import record_now
from portal.kernel import tenancy
from portal.kernel.errors import NotVisible
from portal.kernel.models import AuditBody
from tests.factories import (
    EVIDENCE,
    PAPER,
    Firm,
    acting,
    give_consent,
    make_engagement_agreed,
    make_engagement_invited,
)
from tests.pages import stage
from tests.pages.reading import read
from tests.pages.stage import LONDON
from tests.pages.test_choosing import asked

DOCS: Final = Path(__file__).resolve().parents[2] / "docs"
SCHEMA: Final = DOCS / "consent-record.schema.json"
FIRST_SCHEMA: Final = DOCS / "consent-record-1.schema.json"
# The fields of ISO/IEC TS 27560:2023, by section.
OF_THE_STANDARD: Final = {
    "record_header": {"schema_version", "record_id", "pii_principal_id"},
    "processing": {"privacy_notice", "language", "purposes"},
    "purpose": {
        *(
            "purpose",
            "purpose_type",
            "lawful_basis",
            "pii_information",
            "pii_controllers",
            "collection_method",
        ),
        *("processing_method", "storage_locations", "retention_period", "processing_locations", "service"),
        *("geographic_restrictions", "jurisdiction", "recipient_third_parties", "withdrawal_method"),
        *("privacy_rights", "codes_of_conduct", "impact_assessment", "authority_party"),
    },
    "party": {
        *(
            "party_id",
            "party_address",
            "party_email",
            "party_phone",
            "party_name",
            "party_role",
            "party_contact",
        ),
        "party_type",
    },
    "event": {"event_time", "validity_duration", "entity_id", "event_type", "event_state"},
}


def valid(text: str, schema: Path = SCHEMA) -> dict[str, Any]:  # Any: JSON
    """The record, which keeps to the schema and is spelled in the one way."""
    found: dict[str, Any] = json.loads(text)
    jsonschema.Draft202012Validator(json.loads(schema.read_text())).validate(found)
    assert consent_record.text_of(found) == text
    return found


def consent_of(firm: Firm) -> Consent:
    with tenancy.use(firm.client_side):
        return Consent.objects.select_related("offer", "engagement").get()


def test_a_record_says_who_agreed_to_what_until_when_and_how_to_take_it_back(north: Firm) -> None:
    engagement = make_engagement_invited(north)
    given = give_consent(north, engagement)
    consent = consent_of(north)
    record = valid(consent.record)
    person = f"person:{north.approver.pk}"
    assert record["record_header"]["record_id"] == str(given.pk)
    assert record["record_header"]["pii_principal_id"] == person
    assert record["processing"]["privacy_notice"]["text"] == PAPER
    assert record["processing"]["privacy_notice"]["sha256"] == hashlib.sha256(PAPER.encode()).hexdigest()
    roles = {party["party_role"]: party for party in record["party_identification"]}
    assert roles["requester"]["party_name"] == "north Ltd"
    assert roles["client"]["party_name"] == "Client of north"
    assert (roles["signer"]["party_id"], roles["signer"]["party_email"]) == (person, north.approver.email)
    (purpose,) = record["processing"]["purposes"]
    assert purpose["service"]["aws_account_id"] == "441709265583"
    assert purpose["service"]["offer_sha256"] == consent.offer.offer_sha256
    assert purpose["withdrawal_method"]["url"] == f"http://testserver/e/{engagement.code}/end/"
    displayed, accepted = record["events"]
    assert displayed["event_time"] < accepted["event_time"]
    assert displayed["event_time"] == consent_record.utc(
        consent.given_at.fromisoformat(consent.evidence["displayed_at"])
    )
    assert accepted["event_time"] == consent_record.utc(consent.given_at)
    assert accepted["time_zone"] == "Europe/London"
    assert accepted["validity"]["until"] == consent_record.utc(engagement.ends_at)
    assert accepted["authentication"] == "link:mail"
    assert accepted["evidence"]["ip"] == "192.0.2.7"
    assert accepted["evidence"]["user_agent"] == EVIDENCE.user_agent
    assert accepted["approval"] == {"number": 1, "needed": 1}
    assert (
        dt.datetime.fromisoformat(accepted["event_time_local"]).utcoffset()
        == consent.given_at.astimezone(LONDON).utcoffset()
    )
    lasting = int((engagement.ends_at - consent.given_at).total_seconds())
    assert accepted["validity_duration"] == accepted["validity"]["duration"] == f"PT{lasting}S"
    assert (
        displayed["validity_duration"] == "PT43200S"
    )  # a page that was shown is good for as long as a sign-in


def test_a_record_has_every_field_of_the_standard(north: Firm) -> None:
    give_consent(north, make_engagement_invited(north))
    record = valid(consent_of(north).record)
    (purpose,) = record["processing"]["purposes"]
    assert OF_THE_STANDARD["record_header"] == record["record_header"].keys()
    assert OF_THE_STANDARD["processing"] == record["processing"].keys()
    assert OF_THE_STANDARD["purpose"] <= purpose.keys()
    assert all(OF_THE_STANDARD["party"] <= party.keys() for party in record["party_identification"])
    assert all(OF_THE_STANDARD["event"] <= event.keys() for event in record["events"])
    assert all(one["pii_type"] for one in purpose["pii_information"])
    # Whoever is named can be turned to: the client through who agreed for it.
    contacts = {party["party_role"]: party["party_contact"] for party in record["party_identification"]}
    assert contacts["client"] == contacts["signer"] == north.approver.email
    assert contacts["requester"] in {north.practice.support_email, north.practice.support_phone}
    assert purpose["recipient_third_parties"] == [f"client:{north.client.pk}"]


@pytest.mark.usefixtures("db")
def test_a_record_names_the_role_and_the_very_version_of_its_template() -> None:
    scene = stage.invited()
    with tenancy.use(scene.scope):
        Offer.objects.filter(engagement=scene.engagement).update(template_version_id="v7")
    browser = scene.browser()
    page = read(browser.get(scene.path()))
    browser.post(scene.path("agree/"), {"shown": page.fields["shown"], "agree": "on"})
    (consent,) = scene.consents()
    (purpose,) = valid(consent.record)["processing"]["purposes"]
    template = json.loads(consent.offer.template)["Resources"].values()
    (role,) = [one["Properties"]["RoleName"] for one in template if one["Type"] == "AWS::IAM::Role"]
    assert (purpose["service"]["role_name"], purpose["service"]["template_version_id"]) == (role, "v7")


@pytest.mark.usefixtures("db")
def test_a_template_on_its_way_or_unreadable_is_told_as_not_known(north: Firm) -> None:
    give_consent(north, make_engagement_invited(north))  # its template is no JSON, and not published
    (purpose,) = valid(consent_of(north).record)["processing"]["purposes"]
    assert (purpose["service"]["role_name"], purpose["service"]["template_version_id"]) == (None, None)


@pytest.mark.usefixtures("db")
def test_a_record_tells_what_was_agreed_in_the_language_of_the_page() -> None:
    scene = asked("advice", language="de")
    browser = scene.browser()
    page = read(browser.get(scene.path()))
    answer = {"shown": page.fields["shown"], "agree": "on", "optional": ["advice"]}
    assert browser.post(scene.path("agree/"), answer).status_code == 302
    (consent,) = scene.consents()
    record = valid(consent.record)
    service = record["processing"]["purposes"][0]["service"]
    german = profile_named("cost_review", "de").with_optional(["advice"])
    assert record["processing"]["language"] == "de"
    assert sorted(service["abilities"]) == sorted(line.title for line in german.lines)
    assert service["limits"] == [limit.title for limit in german.limits]


@pytest.mark.usefixtures("db")
def test_a_record_of_a_real_page_holds_permissions_limits_and_the_sentence_that_was_ticked() -> None:
    scene = stage.invited()
    browser = scene.browser()
    page = read(browser.get(scene.path()))
    browser.post(scene.path("agree/"), {"shown": page.fields["shown"], "agree": "on"})
    answer = browser.get(scene.path("consent.json"))
    record = valid(answer.content.decode())
    (consent,) = scene.consents()
    assert answer.content.decode() == consent.record
    assert answer.headers["Content-Type"] == "application/json"
    assert (
        answer.headers["Content-Disposition"]
        == f'attachment; filename="consent-{scene.engagement.code}.json"'
    )
    (purpose,) = record["processing"]["purposes"]
    service = purpose["service"]
    assert (service["kind"], service["region"]) == ("look", "eu-west-1")
    assert service["permissions"]["statements"] == consent.offer.documents["statements"]
    canonical = json.dumps(service["permissions"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert service["permissions_sha256"] == hashlib.sha256(canonical.encode()).hexdigest()
    assert service["abilities"] == [line["title"] for line in consent.offer.lines]
    assert service["agreed_sha256"] == consent.agreed_sha256
    assert service["template_sha256"] == hashlib.sha256(consent.offer.template.encode()).hexdigest()
    engagement = scene.engagement
    assert (purpose["purpose"], purpose["purpose_description"]) == (engagement.title, engagement.purpose)
    assert purpose["contract_reference"] == engagement.contract_reference != ""
    assert service["limits"] == [limit["title"] for limit in consent.offer.documents["limits"]]
    displayed, accepted = record["events"]
    assert displayed["ticket"] == page.fields["shown"]
    words = "I’ve read this page, and I’m allowed to agree to it for Brightwater Dental."
    assert words in page.text
    assert accepted["authority_statement"] == words
    assert record["processing"]["language"] == "en"


def test_the_audit_record_seals_the_record(north: Firm) -> None:
    consent = give_consent(north, make_engagement_invited(north))
    with tenancy.use(north.practice_side):
        body = AuditBody.objects.get(event__kind=EngagementEvent.CONSENT_GIVEN)
    details = json.loads(body.text)["details"]
    assert details["record_sha256"] == hashlib.sha256(consent.record.encode()).hexdigest()


def test_a_later_change_of_names_leaves_the_record_alone(north: Firm) -> None:
    give_consent(north, make_engagement_invited(north))
    before = consent_of(north).record
    with tenancy.use(north.practice_side):
        Practice.objects.filter(pk=north.practice.pk).update(legal_name="Somebody Else Ltd")
    with tenancy.use(north.client_side):
        assert record_now(consent_of(north)) == before == record_now(consent_of(north))


def test_a_withdrawal_is_one_more_event_and_changes_none_before_it(north: Firm) -> None:
    engagement = make_engagement_agreed(north)
    kept = json.loads(consent_of(north).record)
    with tenancy.use(north.client_side):
        engagement_end(engagement=engagement, actor=acting(north.approver))
    consent = consent_of(north)
    record = valid(record_now(consent))
    *before, last = record["events"]
    assert before == kept["events"]
    assert (last["event_type"], last["entity_id"]) == ("withdrawn", f"person:{north.approver.pk}")
    assert consent.withdrawn_at is not None
    assert last["event_time"] == consent_record.utc(consent.withdrawn_at)
    assert last["validity_duration"] == "PT0S"
    assert record_now(consent) == record_now(consent)


def test_a_record_of_the_first_version_stays_one_when_it_is_taken_back() -> None:
    """It keeps to its own schema for good; what is added to it does so too."""
    person = "person:00000000-0000-4000-8000-000000000001"
    at = dt.datetime(2026, 12, 1, 9, tzinfo=dt.UTC)
    first: dict[str, Any] = {"record_header": {"schema_version": "latchkey-consent-record/1"}, "events": []}
    (event,) = consent_record.withdrawn(first, at=at, by=person)["events"]
    shape = json.loads(FIRST_SCHEMA.read_text())
    only = {"$defs": shape["$defs"], "$ref": "#/$defs/withdrawn"}
    jsonschema.Draft202012Validator(only).validate(event)


def test_a_record_cannot_be_rewritten(north: Firm) -> None:
    give_consent(north, make_engagement_invited(north))
    with (
        tenancy.use(north.practice_side),
        pytest.raises(DatabaseError, match="frozen"),
        transaction.atomic(),
    ):
        Consent.objects.update(record="{}")


def test_a_consent_from_before_records_were_kept_has_none(north: Firm) -> None:
    give_consent(north, make_engagement_invited(north))
    with pytest.raises(NotVisible):
        record_now(Consent(record=""))
