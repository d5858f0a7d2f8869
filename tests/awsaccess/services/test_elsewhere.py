"""Another AWS account: the same access in an offer that names it, nothing on and nothing asked there before its consent."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final
from uuid import uuid4

import pytest

from accounts.lifecycle import ContactRole
from accounts.models import Contact
from awsaccess.lifecycle import GrantStatus, Verdict
from awsaccess.models import Grant, Hub
from awsaccess.probes import Result
from awsaccess.selectors import quick_create_url
from awsaccess.services.checks import CHECK, conclude, grant_watch, read
from awsaccess.services.elsewhere import account_offer
from awsaccess.services.leaving import closing_begin, closing_probe
from awsaccess.services.sending import NotReady, offer_publish
from awsaccess.services.visits import VisitRefused
from engagements.lifecycle import ChangeStatus, EngagementStatus, WishStatus
from engagements.models import AccountWish, Consent, Engagement, Offer, ScopeChange
from engagements.offer_words import words_of
from engagements.selectors import (
    choice_of,
    consent_latest,
    offer_current,
    template_agreed,
)
from engagements.services.change_answers import change_decline, change_take_back
from engagements.services.closing import engagement_end
from engagements.services.consents import BadAccount, consent_give
from engagements.services.drafts import offer_hash
from engagements.services.evidence import record_now
from portal.kernel import clock, due, tenancy
from portal.kernel.errors import InvalidMove, NotVisible, Stale
from tests.awsaccess.services.cast import Case, check, enter, make_practice, watch, watched
from tests.awsaccess.services.choosing import agree as agree_with
from tests.awsaccess.services.choosing import sent as sent_with
from tests.awsaccess.services.packs import pack_of, unpack, verify
from tests.awsaccess.services.worlds import InMemory
from tests.engagements.records import refused
from tests.engagements.test_races import ROUNDS, at_once
from tests.engagements.test_wishes import OTHER, THIRD, take_back, wish
from tests.factories import ACCOUNT_ID, EVIDENCE, TESTER, Firm, acting, make_contact, paper_shown
from tests.plugins.sandbox_process import NORTHGATE

NOT_ON: Final = "engagements.not_switched_on"


@pytest.fixture
def case(north: Firm, memory: InMemory) -> Case:
    """Agreed to, looked for where it was agreed, and wished for elsewhere."""
    case = watched(north)
    wish(north, case.engagement)
    return case


def confirm(case: Case, found: AccountWish | None = None) -> Offer:
    """The practice says yes to the open wish, or to one that was read before."""
    with tenancy.use(case.firm.practice_side):
        read_wish = found or AccountWish.objects.get(engagement=case.engagement, status=WishStatus.ASKED)
        return account_offer(engagement=case.engagement, wish_id=read_wish.pk, actor=acting(case.firm.owner))


def agree(case: Case, offer: Offer, *, account_id: str = OTHER, contact: Contact | None = None) -> Consent:
    person = contact or case.firm.contact
    with tenancy.use(case.firm.client_side):
        return consent_give(
            engagement=case.engagement,
            offer=offer,
            contact=person,
            account_id=account_id,
            shown=paper_shown(),
            evidence=EVIDENCE,
            signed_in_at=clock.now(),
            actor=acting(person.user),
        )


def moved(case: Case) -> Offer:
    """Confirmed, agreed to, and looked for there."""
    offer = confirm(case)
    agree(case, offer)
    watch(case)
    return offer


def change_of(case: Case) -> ScopeChange:
    with tenancy.use(case.firm.practice_side):
        return ScopeChange.objects.select_related("offer", "before").get(engagement=case.engagement)


def accounts_asked(memory: InMemory) -> set[str]:
    """Every account whose role AWS was asked for."""
    return {call.request.role_arn.split(":")[4] for call in memory.fake.calls if call.request}


def _account_in(consent: Consent) -> str:
    record = json.loads(record_now(consent))
    (found,) = set(_values(record, "aws_account_id"))
    return found


def _values(part: object, name: str) -> Iterator[str]:
    """Wherever the record says it."""
    if isinstance(part, dict):
        yield from (str(value) for key, value in part.items() if key == name)
    for each in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from _values(each, name)


def deploy_there(case: Case, memory: InMemory) -> None:
    """The client's stack stands in the other account."""
    with case.seen():
        memory.deploy_grant(case.grant(), OTHER)


# ---------------------------------------------------------------- the offer


def test_the_offer_is_the_same_access_word_for_word_with_the_other_account_in_it(case: Case) -> None:
    with case.seen():
        before = offer_current(case.fresh())
    offer = confirm(case)
    own = {"account_id", "change"}
    assert offer.other_account == OTHER
    assert {name: value for name, value in offer.documents.items() if name not in own} == before.documents
    assert offer.documents["change"] == {
        "before_sha256": before.offer_sha256,
        "instead_of": ACCOUNT_ID,
        "opens_more": False,
        "takes_away": False,
    }
    assert (offer.lines, offer.template) == (before.lines, before.template)
    assert offer.offer_sha256 == offer_hash(offer.lines, offer.documents, offer.template_sha256)
    assert offer.offer_sha256 != before.offer_sha256
    without = {**offer.documents, "account_id": ACCOUNT_ID}
    assert offer_hash(offer.lines, without, offer.template_sha256) != offer.offer_sha256
    change = change_of(case)
    assert (change.status, change.before.pk, change.offer.pk) == (ChangeStatus.ASKED, before.pk, offer.pk)
    assert case.promised("engagements.account_asked") == 1
    assert case.promised("engagements.change_asked") == 0
    assert ("engagement:account-wish:moved", "confirmed", offer.offer_sha256) in [
        (kind, told.get("to"), told.get("offer_sha256")) for kind, told in case.told()
    ]


def test_lines_that_were_ticked_are_part_of_it_and_nothing_is_left_to_choose(
    north: Firm, memory: InMemory
) -> None:
    case = sent_with(north, "advice", "history")
    agree_with(case, "history")
    watch(case)
    wish(north, case.engagement)
    with case.seen():
        before = offer_current(case.fresh())
        chosen = template_agreed(before).text
    offer = confirm(case)
    assert offer.template == chosen
    assert (offer.documents["optional"], offer.documents["kept"]) == ([], ["history"])
    assert "choices" not in offer.documents
    assert [line["key"] for line in offer.lines] == [*(line["key"] for line in before.lines), "history"]
    for language in ("en", "de"):
        told, earlier = words_of(offer, language), words_of(before, language)
        assert list(told.lines) == [*earlier.lines, earlier.optional[1]]
        assert list(told.optional) == []
    agree(case, offer)
    watch(case)
    with case.seen():
        held = offer_current(case.fresh())
        assert (held.pk, choice_of(held)) == (offer.pk, ())


def test_a_practice_cannot_confirm_its_own_account(case: Case) -> None:
    take_back(case.firm, case.engagement)
    found = wish(case.firm, case.engagement, account_id=THIRD)
    with case.seen():
        Hub.objects.update(account_id=THIRD)
    with refused(case.firm, NotReady):
        confirm(case, found)


def test_only_a_wish_that_was_read_and_waits_is_confirmed_and_once(case: Case) -> None:
    with case.seen():
        first = AccountWish.objects.get()
    take_back(case.firm, case.engagement)
    with refused(case.firm, InvalidMove):
        confirm(case, first)
    second = wish(case.firm, case.engagement, account_id=THIRD)
    with refused(case.firm, InvalidMove):
        confirm(case, first)
    assert confirm(case, second).other_account == THIRD
    with refused(case.firm, InvalidMove):
        confirm(case, second)
    with refused(case.firm, InvalidMove):
        wish(case.firm, case.engagement)


def test_a_role_that_was_found_where_it_was_agreed_comes_first(case: Case) -> None:
    with case.seen():
        Grant.objects.update(status=GrantStatus.CHECKING)
    with refused(case.firm, InvalidMove):
        confirm(case)


def test_it_is_not_confirmed_where_nothing_was_asked_or_nothing_is_in_scope(
    case: Case, harbour: Firm
) -> None:
    with case.seen():
        Grant.objects.all().delete()
    with refused(case.firm, NotVisible):
        confirm(case)
    with tenancy.use(harbour.practice_side), pytest.raises(NotVisible):
        account_offer(engagement=case.engagement, wish_id=uuid4(), actor=TESTER)


# ---------------------------------------------------------------- before the consent


def test_nothing_is_on_and_nothing_is_asked_there_before_the_consent(case: Case, memory: InMemory) -> None:
    """The strange account has a role of ours that would pass: it is left alone all the same."""
    elsewhere = case.grant()
    elsewhere.account_id = OTHER
    with case.seen():
        memory.deploy_grant(elsewhere, OTHER)
    check(case)
    confirm(case)
    check(case)
    watch(case)
    check(case)
    assert accounts_asked(memory) == {ACCOUNT_ID}
    after = case.fresh()
    assert (after.account_id, after.status) == (ACCOUNT_ID, EngagementStatus.AGREED)
    assert (case.grant().account_id, case.grant().status) == (ACCOUNT_ID, GrantStatus.EXPECTED)
    with pytest.raises(VisitRefused):
        enter(case)


def test_a_consent_to_it_is_to_that_account_and_to_no_other(case: Case) -> None:
    offer = confirm(case)
    for account_id, error in (
        (ACCOUNT_ID, Stale),
        (THIRD, Stale),
        ("12", BadAccount),
        (NORTHGATE, BadAccount),
    ):
        with refused(case.firm, error):
            agree(case, offer, account_id=account_id)


def test_the_old_offer_is_not_agreed_to_again(case: Case) -> None:
    with case.seen():
        before = offer_current(case.fresh())
    confirm(case)
    with refused(case.firm, Stale):
        agree(case, before, account_id=ACCOUNT_ID)


def test_said_no_or_taken_back_it_stays_where_it_was_agreed(case: Case, memory: InMemory) -> None:
    confirm(case)
    with tenancy.use(case.firm.client_side):
        change_decline(
            engagement=case.engagement,
            contact=case.firm.contact,
            reason="we found the right one",
            actor=acting(case.firm.approver),
        )
    assert change_of(case).status == ChangeStatus.DECLINED
    wish(case.firm, case.engagement)
    second = confirm(case)
    with tenancy.use(case.firm.practice_side):
        change_take_back(engagement=case.engagement, actor=acting(case.firm.owner))
    with refused(case.firm, InvalidMove):
        agree(case, second)
    memory.deploy(case)
    check(case)
    assert case.fresh().status == EngagementStatus.ACTIVE
    assert accounts_asked(memory) == {ACCOUNT_ID}


def test_access_that_comes_on_where_it_was_agreed_ends_the_question(case: Case, memory: InMemory) -> None:
    offer = confirm(case)
    memory.deploy(case)
    check(case)
    assert case.fresh().status == EngagementStatus.ACTIVE
    assert change_of(case).status == ChangeStatus.TAKEN_BACK
    with refused(case.firm, InvalidMove):
        agree(case, offer)
    with case.seen():
        assert offer_current(case.fresh()).number == 1


# ---------------------------------------------------------------- with the consent


def test_with_the_consent_it_is_looked_for_there_and_nowhere_else(case: Case, memory: InMemory) -> None:
    check(case)
    offer = confirm(case)
    consent = agree(case, offer)
    after = case.fresh()
    assert (after.account_id, after.account_name) == (OTHER, "")
    assert after.status == EngagementStatus.AGREED
    assert consent.account_id == OTHER
    assert _account_in(consent) == OTHER
    change = change_of(case)
    assert change.status == ChangeStatus.IN_FORCE
    with case.seen():
        assert consent_latest(after) == consent
        first = Consent.objects.get(offer=change.before)
    assert (first.account_id, first.withdrawn_at) == (ACCOUNT_ID, None)
    asked_before = len(memory.fake.calls)
    assert check(case) is None, "between the consent and the worker neither account is asked"
    assert len(memory.fake.calls) == asked_before
    watch(case)
    grant = case.grant()
    assert (grant.account_id, grant.status, grant.last_verdict) == (OTHER, GrantStatus.EXPECTED, "")
    assert "aws:grant:account-turned" in case.kinds()
    deploy_there(case, memory)
    check(case)
    assert case.fresh().status == EngagementStatus.ACTIVE
    assert {call.request.role_arn for call in memory.fake.calls[asked_before:] if call.request} == {
        grant.role_arn
    }
    enter(case)
    (visited,) = memory.visits_asked()
    assert visited.role_arn == grant.role_arn


def test_the_way_into_aws_is_the_template_of_the_new_offer(case: Case) -> None:
    offer = moved(case)
    with tenancy.use(case.firm.practice_side):
        assert quick_create_url(case.fresh()) is None, "not published yet"
        offer_publish(offer_id=offer.pk)
        assert quick_create_url(case.fresh()) is not None
        grant_watch(engagement_id=case.engagement.pk)  # twice changes nothing
    assert case.kinds().count("aws:grant:account-turned") == 1


def test_the_search_begins_anew(case: Case) -> None:
    offer = confirm(case)
    later = clock.now().replace(microsecond=0) + (case.fresh().ends_at - clock.now()) / 2
    with clock.frozen(later):
        agree(case, offer)
        watch(case)
    assert case.fresh().agreed_at == later
    with case.seen():
        assert due.next_look(CHECK, case.grant().pk) == later


def test_both_sides_hear_again_when_nothing_was_found_there_either(case: Case) -> None:
    agreed_at, week = case.fresh().agreed_at, dt.timedelta(days=7, hours=1)
    assert agreed_at is not None
    with clock.frozen(agreed_at + week):
        check(case)
        moved(case)
    assert case.promised(NOT_ON) == 1
    with clock.frozen(agreed_at + 2 * week):
        check(case)
        check(case)  # somebody asks once more
    assert case.promised(NOT_ON) == 2


def test_where_two_have_to_agree_nothing_moves_before_the_second(north: Firm, memory: InMemory) -> None:
    lee = make_contact(north, "lee", ContactRole.APPROVER)
    case = sent_with(north, needed=2)
    agree_with(case)
    agree_with(case, contact=lee)
    watch(case)
    wish(north, case.engagement)
    offer = confirm(case)
    first = agree(case, offer)
    assert (first.account_id, case.fresh().account_id) == (OTHER, ACCOUNT_ID)
    assert _account_in(first) == OTHER
    assert change_of(case).status == ChangeStatus.ASKED
    check(case)
    assert accounts_asked(memory) == {ACCOUNT_ID}
    agree(case, offer, contact=lee)
    watch(case)
    assert case.grant().account_id == case.fresh().account_id == OTHER
    deploy_there(case, memory)
    check(case)
    assert case.fresh().status == EngagementStatus.ACTIVE


def test_one_no_of_two_takes_the_other_yes_back(north: Firm, memory: InMemory) -> None:
    lee = make_contact(north, "lee", ContactRole.APPROVER)
    case = sent_with(north, needed=2)
    agree_with(case)
    agree_with(case, contact=lee)
    wish(north, case.engagement)
    offer = confirm(case)
    agree(case, offer)
    with tenancy.use(north.client_side):
        change_decline(engagement=case.engagement, contact=lee, reason="", actor=acting(lee.user))
    with case.seen():
        standing = Consent.objects.filter(engagement=case.engagement, withdrawn_at=None)
        assert {row.account_id for row in standing} == {ACCOUNT_ID}


# ---------------------------------------------------------------- answers that are late


def test_an_answer_about_the_first_account_that_comes_late_counts_for_nothing(
    case: Case, memory: InMemory
) -> None:
    """The role stands in the first account; while AWS is asked there, the client agrees to the other one."""
    offer = confirm(case)
    memory.deploy(case)
    memory.door.before("assume", lambda: agree(case, offer))
    check(case)
    assert case.fresh().status == EngagementStatus.AGREED
    watch(case)
    assert (case.grant().account_id, case.grant().status) == (OTHER, GrantStatus.EXPECTED)
    check(case)
    assert case.fresh().status == EngagementStatus.AGREED


def test_what_was_found_in_the_first_account_is_forgotten(case: Case) -> None:
    offer = confirm(case)
    with case.seen():
        Grant.objects.update(
            status=GrantStatus.CHECKING, role_id="AROAOLD", checks={"found": "ok"}, denials=2
        )
    agree(case, offer)
    watch(case)
    grant = case.grant()
    assert (grant.status, grant.role_id, grant.checks, grant.denials) == (GrantStatus.EXPECTED, "", {}, 0)
    moves = [told for kind, told in case.told() if kind == "aws:grant:moved"]
    assert (moves[-1]["from"], moves[-1]["to"]) == ("checking", "expected")


def test_a_look_that_began_before_the_worker_turned_it_is_dropped(case: Case, memory: InMemory) -> None:
    with tenancy.use(case.firm.practice_side):
        seen = read(case.grant().pk)
    assert seen is not None
    moved(case)
    with tenancy.use(case.firm.practice_side):
        assert conclude(seen, Result(verdict=Verdict.OK, reason="", findings={})) is not None
    assert case.grant().status == GrantStatus.EXPECTED


# ---------------------------------------------------------------- leaving, and the pack


def test_an_end_that_overtakes_the_worker_is_proved_in_the_account_that_was_agreed_to(
    case: Case, memory: InMemory
) -> None:
    agree(case, confirm(case))
    asked_before = len(memory.fake.calls)
    with tenancy.use(case.firm.practice_side):
        engagement_end(engagement=case.engagement, actor=acting(case.firm.owner))
        closing_begin(engagement_id=case.engagement.pk)
        closing_probe(grant_id=case.grant().pk)
    assert case.grant().account_id == OTHER
    roles = {call.request.role_arn for call in memory.fake.calls[asked_before:] if call.request}
    assert roles == {case.grant().role_arn}


@pytest.mark.parametrize("stage", ["agreed", "asked"])
def test_the_pack_of_an_engagement_that_moved_passes_its_own_verifier(
    real_db: None, memory: InMemory, deliver: Callable[[], int], tmp_path: Path, stage: str
) -> None:
    """Also while it waits for the client."""
    firm = make_practice("northgate")
    case = watched(firm)
    wish(firm, case.engagement)
    take_back(firm, case.engagement)
    wish(firm, case.engagement)
    offer = confirm(case)
    is_whole = stage == "agreed"
    if is_whole:
        agree(case, offer)
        watch(case)
        deploy_there(case, memory)
        check(case)
        enter(case)
        assert case.fresh().status == EngagementStatus.ACTIVE
    while deliver():
        pass
    folder = unpack(pack_of(case), tmp_path / "pack")
    run = verify(folder)
    assert (run.returncode, run.stderr) == (0, ""), run.stdout
    assert "Nothing is wrong" in run.stdout
    decided = [one["what"] for one in json.loads((folder / "decisions.json").read_text())["decisions"]]
    assert decided.count("client:account:wished") == 2
    assert decided.count("engagement:account-wish:moved") == 2
    (change,) = json.loads((folder / "engagement.json").read_text())["changes"]
    assert change["status"] == ("in_force" if is_whole else "asked")
    told = json.loads((folder / "offers" / "offer-2.json").read_text())["documents"]
    assert (told["account_id"], told["change"]["instead_of"]) == (OTHER, ACCOUNT_ID)


# ---------------------------------------------------------------- two at once


def test_confirming_while_the_client_takes_it_back_ends_in_one_of_the_two(
    real_db: None, memory: InMemory
) -> None:
    firm = make_practice("northgate")
    for _ in range(ROUNDS):
        case = watched(firm)
        found = wish(firm, case.engagement)

        def takes_back(one: Firm, seen: Engagement) -> None:
            take_back(one, seen)

        def confirms(_one: Firm, _seen: Engagement, case: Case = case, found: AccountWish = found) -> None:
            confirm(case, found)

        results = at_once(firm, case.engagement, takes_back, confirms)
        assert sorted(results) == ["InvalidMove", "done"]
        with case.seen():
            (row,) = AccountWish.objects.filter(engagement=case.engagement)
            changes = ScopeChange.objects.filter(engagement=case.engagement).count()
        assert (row.status, changes) in {(WishStatus.TAKEN_BACK, 0), (WishStatus.CONFIRMED, 1)}


def test_agreeing_while_the_access_comes_on_ends_in_one_account_alone(
    real_db: None, memory: InMemory
) -> None:
    firm = make_practice("northgate")
    for _ in range(ROUNDS):
        case = watched(firm)
        wish(firm, case.engagement)
        offer = confirm(case)
        memory.deploy(case)

        def agrees(_one: Firm, _seen: Engagement, case: Case = case, offer: Offer = offer) -> None:
            agree(case, offer)

        def comes_on(_one: Firm, _seen: Engagement, case: Case = case) -> None:
            check(case)

        yes, _ = at_once(firm, case.engagement, agrees, comes_on)
        after = case.fresh()
        if yes == "done":
            assert (after.account_id, after.status) == (OTHER, EngagementStatus.AGREED)
        else:
            assert (after.account_id, after.status) == (ACCOUNT_ID, EngagementStatus.ACTIVE)
