"""Step-up: a fresh proof for one act on one object, from one session, five minutes long, once."""

from __future__ import annotations

import re
import secrets as randomness
from collections.abc import Callable
from uuid import UUID, uuid4

import psycopg
import pytest
from django.contrib import admin
from django.core.cache import cache
from django.db import DatabaseError, transaction
from django.test import Client as Browser
from django.urls import URLPattern, URLResolver, get_resolver

from accounts.lifecycle import AccountEvent, MemberRole, Proof
from accounts.models import Membership, StepUp
from accounts.services.factors import totp_enrol
from accounts.services.step_up import (
    LIFE,
    step_up_is_ready,
    step_up_make,
    step_up_refusal_record,
    step_up_spend,
)
from engagements.lifecycle import EngagementStatus
from portal.kernel import tenancy
from portal.kernel.errors import PortalError
from portal.kernel.models import AuditEvent
from portal.kernel.step_up import Act, StepUpRequired
from tests.accounts.conftest import make_browser
from tests.accounts.test_factors import SECRET, now_code, together, wrong_code
from tests.conftest import SqlAs
from tests.factories import Firm
from tests.mailbox import Mailbox
from tests.pages.stage import Stage, paused
from tests.signing_in import let_in, prove

Deliver = Callable[[], int]
SESSION = "a-session-key"
ROUNDS = 25


def act_on(object_id: UUID | None = None, name: str = "engagements.engagement.open") -> Act:
    return Act(name=name, object_id=object_id or uuid4())


def own(firm: Firm) -> tenancy.Scope:
    return tenancy.practice_scope(firm.practice.pk, user_id=firm.owner.pk)


def make(firm: Firm, act: Act, *, session_key: str = SESSION) -> StepUp:
    with tenancy.use(own(firm)):
        return step_up_make(user=firm.owner, session_key=session_key, act=act, method=Proof.TOTP)


def spend(firm: Firm, act: Act, *, session_key: str = SESSION) -> StepUp:
    with tenancy.use(own(firm)):
        return step_up_spend(user=firm.owner, session_key=session_key, act=act)


def events(firm: Firm, kind: AccountEvent) -> int:
    with tenancy.use(firm.practice_side):
        return AuditEvent.objects.filter(kind=kind).count()


def test_a_proof_is_used_once(firm: Firm) -> None:
    act = act_on()
    made = make(firm, act)
    assert str(made) == "engagements.engagement.open by totp"
    assert spend(firm, act).pk == made.pk
    with pytest.raises(StepUpRequired):
        spend(firm, act)
    assert events(firm, AccountEvent.STEP_UP_MADE) == 1


def test_a_proof_is_for_one_act_one_object_one_session_and_one_person(firm: Firm) -> None:
    act = act_on()
    make(firm, act)
    for other in (act_on(act.object_id, "engagements.engagement.resume"), act_on()):
        with pytest.raises(StepUpRequired):
            spend(firm, other)
    with pytest.raises(StepUpRequired):
        spend(firm, act, session_key="another-session-key")
    scope = tenancy.practice_scope(firm.practice.pk, user_id=firm.approver.pk)
    with tenancy.use(scope), pytest.raises(StepUpRequired):
        step_up_spend(user=firm.approver, session_key=SESSION, act=act)
    with tenancy.use(scope), pytest.raises(StepUpRequired):
        step_up_spend(user=firm.owner, session_key=SESSION, act=act)  # the wall, whatever the code says
    assert spend(firm, act).action == act.name


@pytest.mark.parametrize("age", ["4 minutes 55 seconds", "5 minutes"])
def test_five_minutes_by_the_databases_clock(firm: Firm, sql_as: SqlAs, age: str) -> None:
    is_good = age != "5 minutes"
    act = act_on()
    made = make(firm, act)
    assert LIFE.total_seconds() == 300
    superuser = sql_as("superuser")
    superuser.execute("alter table accounts_stepup disable trigger frozen")
    superuser.execute(
        "update accounts_stepup set made_at = now() - %s::interval where id = %s", [age, made.pk]
    )
    superuser.execute("alter table accounts_stepup enable always trigger frozen")
    with tenancy.use(own(firm)):
        assert step_up_is_ready(user=firm.owner, session_key=SESSION, act=act) is is_good
    if is_good:
        assert spend(firm, act).action == act.name
    else:
        with pytest.raises(StepUpRequired):
            spend(firm, act)


def test_a_used_proof_cannot_be_made_fresh_nor_taken_away(firm: Firm, sql_as: SqlAs) -> None:
    act = act_on()
    make(firm, act)
    spend(firm, act)
    with tenancy.use(own(firm)):
        for change in ({"used_at": None}, {"object_id": uuid4()}, {"action": "x"}):
            with pytest.raises(DatabaseError), transaction.atomic():
                StepUp.objects.update(**change)
        with pytest.raises(DatabaseError), transaction.atomic():
            StepUp.objects.all()._raw_delete("default")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        sql_as("portal_worker").execute("delete from accounts_stepup")


def test_of_many_who_spend_one_proof_one_does(firm: Firm) -> None:
    for _ in range(ROUNDS):
        act = act_on()
        make(firm, act)
        got = together(4, lambda _number, act=act: spend(firm, act))  # type: ignore[misc]  # a loop's own
        assert got.count(StepUpRequired) == 3
        assert sum(isinstance(one, StepUp) for one in got) == 1


def test_a_wrong_proof_where_no_practice_is_open_is_told_to_each_they_belong_to(firm: Firm) -> None:
    with tenancy.use(tenancy.user_scope(firm.owner.pk)):
        step_up_refusal_record(user=firm.owner, act=act_on())
    assert events(firm, AccountEvent.STEP_UP_REFUSED) == 1


@pytest.fixture
def owner(firm: Firm, browser: Browser) -> Browser:
    """In the console, with an app whose code of this half minute is unused."""
    totp_enrol(user=firm.owner, secret=SECRET, code=now_code(ahead=-1))
    return let_in(browser, firm.owner)


ADD = "/console/accounts/membership/add/"


def person(word: str, **more: str) -> dict[str, str]:
    return {
        "name": word.title(),
        "email": f"{word}@{randomness.token_hex(3)}.example",
        "role": "consultant",
        **more,
    }


def members(firm: Firm) -> int:
    with tenancy.use(firm.practice_side):
        return Membership.objects.count()


def test_adding_a_person_takes_a_fresh_code(firm: Firm, owner: Browser) -> None:
    page = owner.get(ADD).content.decode()
    assert 'name="step_up_code"' in page
    assert owner.post(ADD, person("ines")).status_code == 422
    wrong = owner.post(ADD, person("ines", step_up_code=wrong_code()))
    assert wrong.status_code == 422
    assert "doesn’t match" in wrong.content.decode()
    assert members(firm) == 1
    assert owner.post(ADD, person("ines", step_up_code=now_code())).status_code == 302
    assert members(firm) == 2
    again = owner.post(ADD, person("tom", step_up_code=now_code()))
    assert (again.status_code, members(firm)) == (422, 2)
    assert owner.post(ADD, person("tom")).status_code == 422
    assert events(firm, AccountEvent.STEP_UP_REFUSED) == 2


def test_a_fault_elsewhere_in_the_form_costs_no_second_code(firm: Firm, owner: Browser) -> None:
    faulty = owner.post(ADD, {**person("ines", step_up_code=now_code()), "email": "nonsense"})
    assert faulty.status_code == 422
    assert 'name="step_up_code"' not in faulty.content.decode()
    assert owner.post(ADD, person("ines")).status_code == 302
    assert owner.post(ADD, person("tom")).status_code == 422
    assert members(firm) == 2


def test_a_stolen_cookie_proves_nothing_and_neither_does_an_old_sign_in(firm: Firm, owner: Browser) -> None:
    thief = make_browser()
    thief.cookies["sessionid"] = owner.cookies["sessionid"].value
    assert thief.get("/console/").status_code == 200  # what a stolen cookie can do: read
    assert thief.post(ADD, person("mallory")).status_code == 422
    assert thief.post(ADD, person("mallory", step_up_code="123456")).status_code == 422
    assert thief.post(ADD, person("mallory", step_up_mail="yes")).status_code == 422
    assert members(firm) == 1


def test_a_recovery_code_lets_in_but_proves_no_act(firm: Firm, browser: Browser) -> None:
    codes = totp_enrol(user=firm.owner, secret=SECRET, code=now_code(ahead=-1))
    let_in(browser, firm.owner)
    assert browser.post(ADD, person("ines", step_up_code=codes[0])).status_code == 422
    assert members(firm) == 1


def test_without_an_app_the_page_says_what_to_do(firm: Firm, browser: Browser) -> None:
    let_in(browser, firm.owner)
    assert "Set up an authenticator app or a passkey first" in browser.get(ADD).content.decode()


def test_guessing_is_locked_and_a_flushed_cache_does_not_help(firm: Firm, owner: Browser) -> None:
    for _ in range(5):
        owner.post(ADD, person("ines", step_up_code=wrong_code()))
    cache.clear()
    locked = owner.post(ADD, person("ines", step_up_code=now_code()))
    assert "Wait a quarter of an hour" in locked.content.decode()
    assert members(firm) == 1


def test_the_same_code_in_four_tabs_acts_once(firm: Firm, owner: Browser) -> None:
    cookie, code = owner.cookies["sessionid"].value, now_code()

    def press(number: int) -> int:
        tab = make_browser()
        tab.cookies["sessionid"] = cookie
        return int(tab.post(ADD, person(f"p{number}", step_up_code=code)).status_code)

    got = together(4, press)
    assert sorted(map(str, got)) == ["302", "422", "422", "422"]
    assert members(firm) == 2


# The client's side


@pytest.fixture
def scene(real_db: None) -> Stage:
    return paused()


@pytest.fixture
def sam(scene: Stage, browser: Browser) -> Browser:
    return let_in(browser, scene.sam)


def mailed_code(mailbox: Mailbox) -> str:
    texts = [mailbox.text(number) for number in range(len(mailbox.letters))]
    return re.findall(r"^  (\d{6})$", "\n".join(texts), re.MULTILINE)[-1]  # type: ignore[no-any-return]  # findall of one group


def test_a_client_switches_back_on_with_a_mailed_code(
    scene: Stage, sam: Browser, mailbox: Mailbox, deliver: Deliver
) -> None:
    path = scene.path("resume/")
    page = sam.get(path).content.decode()
    assert "We’ll email you a code first" in page
    assert 'name="step_up_code"' not in page
    mailed = sam.post(path)
    assert mailed.status_code == 200
    assert 'name="step_up_code"' in mailed.content.decode()
    deliver()
    code = mailed_code(mailbox)
    wrong = "000000" if code != "000000" else "111111"
    assert sam.post(path, {"step_up_code": wrong}).status_code == 403
    assert make_browser().post(path, {"step_up_code": code}).status_code == 302  # to the sign-in
    assert scene.fresh().status == EngagementStatus.PAUSED
    assert sam.post(path, {"step_up_code": code})["Location"] == scene.path()
    assert scene.fresh().status == EngagementStatus.ACTIVE


def test_a_mailed_code_is_for_one_act_and_one_use(
    scene: Stage, sam: Browser, mailbox: Mailbox, deliver: Deliver
) -> None:
    path = scene.path("resume/")
    sam.post(path, {"step_up_mail": "yes"})
    deliver()
    code, cookie = mailed_code(mailbox), sam.cookies["sessionid"].value

    def press(_number: int) -> int:
        tab = make_browser()
        tab.cookies["sessionid"] = cookie
        return int(tab.post(path, {"step_up_code": code}).status_code)

    together(3, press)
    with tenancy.use(tenancy.user_scope(scene.sam.pk)):
        assert StepUp.objects.count() == 1
        assert StepUp.objects.get().method == Proof.MAILED_CODE


def test_codes_are_mailed_three_times_and_no_more(scene: Stage, sam: Browser) -> None:
    path = scene.path("resume/")
    for _ in range(3):
        assert sam.post(path, {"step_up_mail": "yes"}).status_code == 200
    assert sam.post(path, {"step_up_mail": "yes"}).status_code == 403


def test_a_client_with_an_app_is_mailed_no_code(scene: Stage, sam: Browser) -> None:
    totp_enrol(user=scene.sam, secret=SECRET, code=now_code(ahead=-1))
    path = scene.path("resume/")
    assert "email you a code" not in sam.get(path).content.decode()
    sam.post(path, {"step_up_mail": "yes"})
    assert sam.post(path, {"step_up_code": now_code()}).status_code == 302
    assert scene.fresh().status == EngagementStatus.ACTIVE


def test_pausing_and_ending_never_ask(scene: Stage, sam: Browser) -> None:
    prove(sam, Act(name="engagements.engagement.resume", object_id=scene.engagement.pk))
    assert sam.post(scene.path("resume/")).status_code == 302
    assert sam.post(scene.path("pause/"), {"reason": ""}).status_code == 302
    assert scene.fresh().status == EngagementStatus.PAUSED
    assert sam.post(scene.path("end/")).status_code == 302
    assert scene.fresh().status == EngagementStatus.CLOSING


# The walk: what opens or widens access asks, what closes it does not

ASKS = {
    "accounts_client_add-contact",
    "accounts_membership_add",
    "awsaccess_hub_add",
    "awsaccess_hub_edit",
    "accounts_contact_role",
    "accounts_membership_role",
    "engagements_engagement_lead",
    "engagements_engagement_assign",
    "engagements_engagement_emergency",
    "engagements_engagement_keys",
    "engagements_engagement_open",
    "engagements_engagement_resume",
}
NEVER_ASKS = {"engagements_engagement_pause", "engagements_engagement_end", "engagements_engagement_cancel"}


def console_addresses() -> dict[str, bool]:
    found: dict[str, bool] = {}

    def walk(patterns: list[URLPattern | URLResolver]) -> None:
        for one in patterns:
            if isinstance(one, URLResolver):
                walk(one.url_patterns)
            elif one.name:
                asks = hasattr(one.callback, "step_up_action")
                found[one.name] = found.get(one.name, False) or asks

    walk([one for one in get_resolver().url_patterns if getattr(one, "app_name", "") == "admin"])
    return found


def test_what_widens_access_asks_and_what_closes_it_never_does() -> None:
    asking = {name for name, asks in console_addresses().items() if asks}
    assert asking >= ASKS
    assert not asking & NEVER_ASKS
    assert {name for name in console_addresses() if name.endswith("_add")} - asking == {
        "accounts_client_add",
        "engagements_engagement_add",
        "engagements_engagementtemplate_add",
        "engagements_practiceprofile_add",
    }
    assert all(hasattr(one, "act_of") for one in admin.site._registry.values())


def test_roles_are_as_the_tests_think() -> None:
    assert MemberRole.CONSULTANT.value == "consultant"
    assert issubclass(StepUpRequired, PortalError)
