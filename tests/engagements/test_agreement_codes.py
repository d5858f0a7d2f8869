"""The code at “Agree”: mailed to the person, bound to them and the offer, ten minutes, five tries, once."""

from __future__ import annotations

import datetime as dt
import json
import re

import pytest

from accounts.lifecycle import ContactRole
from accounts.models import Contact
from accounts.services.letters import letter_promise
from engagements.lifecycle import EngagementEvent, EngagementStatus
from engagements.models import AgreementCode, Consent, Engagement
from engagements.selectors import offer_current
from engagements.services import agreement_codes
from engagements.services.agreement_codes import (
    FRESH,
    LIFE,
    MAILS,
    TRIES,
    CodeNeeded,
    agreement_code_is_out,
    agreement_code_mail,
    agreement_code_match,
)
from portal.kernel import clock, tenancy
from portal.kernel.errors import RateLimited
from portal.kernel.mail import Letter
from tests.engagements.records import as_stored, kinds, refused
from tests.factories import Firm, acting, freeze_offer, give_consent, make_contact, make_engagement_invited

Codes = list[str]


@pytest.fixture
def engagement(north: Firm) -> Engagement:
    """Sent, with a code asked for."""
    return make_engagement_invited(north, code_at_agreement=True)


def mail(firm: Firm, engagement: Engagement, contact: Contact | None = None) -> None:
    person = contact or firm.contact
    with tenancy.use(firm.client_side):
        agreement_code_mail(
            engagement=engagement, offer=offer_current(engagement), contact=person, actor=acting(person.user)
        )


@pytest.fixture
def codes(monkeypatch: pytest.MonkeyPatch) -> Codes:
    """What stands in the letters on their way to the sealed ones. That they arrive is for `test_mails`."""
    found: Codes = []

    def promise(letter: Letter) -> None:
        found.extend(re.findall(r"^  (\d{6})$", letter.text, re.MULTILINE))
        letter_promise(letter)

    monkeypatch.setattr(agreement_codes, "letter_promise", promise)
    return found


def other_than(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06d}"


def is_out(firm: Firm, engagement: Engagement) -> bool:
    with tenancy.use(firm.client_side):
        return agreement_code_is_out(offer=offer_current(engagement), contact=firm.contact)


def test_the_mailed_code_agrees_once_and_stands_in_the_evidence(
    north: Firm, engagement: Engagement, codes: Codes
) -> None:
    mail(north, engagement)
    (code,) = codes
    consent = give_consent(north, engagement, code=f" {code[:3]} {code[3:]} ")
    assert as_stored(north, engagement).status == EngagementStatus.AGREED
    evidence = json.loads(consent.record)["events"][1]["evidence"]
    assert evidence["code_mailed_at"] < evidence["code_typed_at"]
    assert code not in consent.record
    assert not is_out(north, engagement)
    told = kinds(north, engagement)
    assert told.count(EngagementEvent.CODE_MAILED) == 1


def test_the_code_itself_is_kept_nowhere(north: Firm, engagement: Engagement, codes: Codes) -> None:
    mail(north, engagement)
    (code,) = codes
    with tenancy.use(north.client_side):
        row = AgreementCode.objects.get()
    assert all(code not in str(getattr(row, field.attname)) for field in row._meta.concrete_fields)
    assert row.expires_at - row.made_at == LIFE == dt.timedelta(minutes=10)
    assert str(row) == f"code for {row.offer_id}"


def test_without_a_code_nobody_agrees(north: Firm, engagement: Engagement) -> None:
    with refused(north, CodeNeeded):
        give_consent(north, engagement)
    with refused(north, CodeNeeded):
        give_consent(north, engagement, code="123456")


@pytest.mark.parametrize(
    "signed_in",
    [None, FRESH + dt.timedelta(seconds=1), dt.timedelta(days=-1)],
    ids=["unknown", "old", "future"],
)
def test_whoever_did_not_sign_in_just_now_types_a_code(
    north: Firm, codes: Codes, signed_in: dt.timedelta | None
) -> None:
    """A cookie that somebody took is not enough to agree, even where the engagement asks for no code (ADR 16)."""
    engagement = make_engagement_invited(north)
    with refused(north, CodeNeeded):
        give_consent(north, engagement, signed_in=signed_in)
    mail(north, engagement)
    consent = give_consent(north, engagement, signed_in=signed_in, code=codes[0])
    assert "code_typed_at" in consent.evidence


def test_who_signed_in_just_now_has_proved_who_they_are(north: Firm) -> None:
    consent = give_consent(north, make_engagement_invited(north), signed_in=FRESH - dt.timedelta(seconds=30))
    assert "code_typed_at" not in consent.evidence


def test_five_wrong_codes_and_the_right_one_is_refused_too(
    north: Firm, engagement: Engagement, codes: Codes
) -> None:
    mail(north, engagement)
    (code,) = codes
    for _ in range(TRIES):
        assert is_out(north, engagement)
        with pytest.raises(CodeNeeded):
            give_consent(north, engagement, code=other_than(code))
    assert not is_out(north, engagement)
    with refused(north, CodeNeeded):
        give_consent(north, engagement, code=code)
    assert kinds(north, engagement).count("client:consent:refused") == TRIES + 1


def test_four_wrong_codes_leave_one_try(north: Firm, engagement: Engagement, codes: Codes) -> None:
    mail(north, engagement)
    (code,) = codes
    for _ in range(TRIES - 1):
        with pytest.raises(CodeNeeded):
            give_consent(north, engagement, code=other_than(code))
    give_consent(north, engagement, code=code)


def test_after_ten_minutes_it_is_too_old(north: Firm, engagement: Engagement, codes: Codes) -> None:
    mail(north, engagement)
    (code,) = codes
    with clock.frozen(clock.now() + LIFE):
        assert not is_out(north, engagement)
        with refused(north, CodeNeeded):
            give_consent(north, engagement, code=code)


def test_it_runs_out_between_the_typing_and_the_agreement(
    north: Firm, engagement: Engagement, codes: Codes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Matched in time, and used by another tab, or too old, a moment later."""
    mail(north, engagement)
    (code,) = codes
    with tenancy.use(north.client_side):
        row = agreement_code_match(offer=offer_current(engagement), contact=north.contact, typed=code)
        AgreementCode.objects.update(used_at=clock.now())
    monkeypatch.setattr("engagements.services.consents.agreement_code_match", lambda **_: row)
    with refused(north, CodeNeeded):
        give_consent(north, engagement, code=code)


def test_only_the_newest_code_works(north: Firm, engagement: Engagement, codes: Codes) -> None:
    mail(north, engagement)
    mail(north, engagement)
    first, second = codes
    if first != second:
        with refused(north, CodeNeeded):
            give_consent(north, engagement, code=first)
    give_consent(north, engagement, code=second)


def test_it_is_bound_to_the_person(north: Firm, engagement: Engagement, codes: Codes) -> None:
    lee = make_contact(north, "lee", ContactRole.APPROVER)
    mail(north, engagement)
    (code,) = codes
    with refused(north, CodeNeeded):
        give_consent(north, engagement, contact=lee, code=code)


def test_it_is_bound_to_the_offer(north: Firm, engagement: Engagement, codes: Codes) -> None:
    mail(north, engagement)
    (code,) = codes
    freeze_offer(north, engagement, template="Resources: {more: true}\n")
    with refused(north, CodeNeeded):
        give_consent(north, engagement, code=code)


def test_mails_are_few(north: Firm, engagement: Engagement) -> None:
    for _ in range(MAILS.tries):
        mail(north, engagement)
    with refused(north, RateLimited):
        mail(north, engagement)


def test_where_none_is_asked_for_none_is_taken(north: Firm) -> None:
    engagement = make_engagement_invited(north)
    give_consent(north, engagement)
    with tenancy.use(north.client_side):
        assert "code_typed_at" not in Consent.objects.get().evidence
