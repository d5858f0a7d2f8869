"""Second factors: set up before the console opens, shown at each sign-in, each code good for one use."""

from __future__ import annotations

import datetime as dt
import re
import threading
from collections.abc import Callable
from contextlib import closing

import pytest
from allauth.mfa.models import Authenticator
from django.core.cache import cache
from django.db import DatabaseError, connection
from django.test import Client as Browser

from accounts import selectors
from accounts.adapters import FactorAdapter
from accounts.lifecycle import AccountEvent, FactorKind
from accounts.models import Attempts, Contact
from accounts.services import totp
from accounts.services.attempts import FACTOR_TRIES, Limit, attempt_count
from accounts.services.factors import WrongCode, factor_prove, recovery_codes_renew, totp_enrol
from accounts.services.invitations import invitation_make
from portal.kernel import clock, secrets, tenancy
from portal.kernel.errors import InvalidMove, PortalError, RateLimited
from portal.kernel.models import AuditEvent
from tests.accounts.conftest import make_browser
from tests.accounts.test_sign_in import ask, code_in, give, is_in
from tests.conftest import SqlAs
from tests.factories import Firm, acting
from tests.mailbox import Mailbox
from tests.signing_in import let_in

Deliver = Callable[[], int]
SHOW, ENROL = "/account/factor/", "/account/factors/app/"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
# What RFC 6238 gives in its appendix for this seed, cut to six digits.
RFC_SEED, RFC_CODES = (
    "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
    {59: "287082", 1111111109: "081804", 2000000000: "279037"},
)


def now_code(*, ahead: int = 0, secret: str = SECRET) -> str:
    return totp.code_of(secret, totp.step_at(clock.now()) + ahead)


def wrong_code() -> str:
    near = {now_code(ahead=ahead) for ahead in range(-3, 4)}
    return next(code for code in ("000000", "111111", "222222", "333333") if code not in near)


def events(firm: Firm, kind: AccountEvent) -> int:
    with tenancy.use(firm.practice_side):
        return AuditEvent.objects.filter(kind=kind).count()


@pytest.fixture
def codes(firm: Firm) -> list[str]:
    """The owner has an app, set up half a minute ago; these are the recovery codes."""
    return totp_enrol(user=firm.owner, secret=SECRET, code=now_code(ahead=-1))


@pytest.mark.parametrize(("second", "code"), RFC_CODES.items())
def test_codes_are_those_of_the_standard(second: int, code: str) -> None:
    moment = dt.datetime.fromtimestamp(second, tz=dt.UTC)
    assert totp.code_of(RFC_SEED, totp.step_at(moment)) == code
    assert totp.matching_step(RFC_SEED, f" {code[:3]} {code[3:]}\n", moment) == second // 30
    assert totp.matching_step(RFC_SEED, code, moment + dt.timedelta(seconds=61)) is None
    assert totp.matching_step(RFC_SEED, "²²²²²²", moment) is None


@pytest.mark.parametrize(
    "path", ["/console/", "/console/engagements/engagement/", "/console/menu/", "/console/no/such/"]
)
def test_without_a_factor_no_page_of_a_practice_opens(firm: Firm, browser: Browser, path: str) -> None:
    let_in(browser, firm.owner, factor=None)
    for answer in (browser.get(path), browser.head(path), browser.get(path, follow=False)):
        assert (answer.status_code, answer["Location"]) == (302, f"{SHOW}?next={path.replace('/', '%2F')}")
    assert browser.post(path)["Location"] == SHOW
    live = browser.get(path, headers={"HX-Request": "true"})
    assert (live.status_code, live.content) == (401, b"")
    quoted = path.replace("/", "%2F")
    assert browser.get(f"{SHOW}?next={path}")["Location"] == f"{ENROL}?next={quoted}"


def test_an_app_is_set_up_and_the_console_opens(firm: Firm, browser: Browser) -> None:
    let_in(browser, firm.owner, factor=None)
    page = browser.get(f"{ENROL}?next=/console/").content.decode()
    assert "<svg" in page
    assert "style=" not in page
    found = re.search(r'id="totp-key">([A-Z2-7 ]+)<', page)
    assert found
    secret = found.group(1).replace(" ", "")
    assert browser.get(ENROL).content.decode().count(found.group(1)) == 1  # a second look shows the same key
    refused = browser.post(ENROL, {"code": "000000", "next": "/console/"})
    assert refused.status_code == 422
    assert "doesn’t match" in refused.content.decode()
    before = browser.cookies["sessionid"].value
    done = browser.post(ENROL, {"code": now_code(secret=secret), "next": "/console/"})
    assert len(re.findall(r'<li class="mono">[a-z2-9-]{14}</li>', done.content.decode())) == 10
    assert done["Cache-Control"].startswith("no-store") or "no-store" in done["Cache-Control"]
    assert browser.cookies["sessionid"].value != before
    assert browser.get("/console/").status_code == 200
    assert browser.get(ENROL)["Location"] == "/account/factors/"
    assert "10 codes are left" in browser.get("/account/factors/").content.decode()
    assert events(firm, AccountEvent.FACTOR_ADDED) == 1


def test_the_mailed_code_is_not_enough_for_who_has_a_factor(
    firm: Firm, browser: Browser, mailbox: Mailbox, deliver: Deliver, codes: list[str]
) -> None:
    ask(browser, firm.owner.email, next="/console/")
    deliver()
    answer = give(browser, code_in(mailbox), next="/console/")
    assert answer["Location"] == SHOW
    assert not is_in(browser)
    page = browser.get(SHOW).content.decode()
    assert "<h1>Show that it’s you</h1>" in page
    assert browser.post(SHOW, {"code": wrong_code()}).status_code == 422
    assert not is_in(browser)
    done = browser.post(SHOW, {"code": now_code()})
    assert done["Location"] == "/console/"
    assert browser.get("/console/").status_code == 200
    with tenancy.use(firm.practice_side):
        assert AuditEvent.objects.filter(kind=AccountEvent.SIGNED_IN).count() == 1


def test_without_a_mailed_code_the_factor_page_leads_to_the_address(real_db: None, browser: Browser) -> None:
    assert browser.get(SHOW)["Location"] == "/account/login/"
    assert browser.post(SHOW, {"code": "123456"})["Location"] == "/account/login/"


def test_contacts_need_no_factor(firm: Firm, browser: Browser, mailbox: Mailbox, deliver: Deliver) -> None:
    ask(browser, firm.approver.email)
    deliver()
    assert (
        give(browser, code_in(mailbox))["Location"] == "/account/factors/offer/"
    )  # offered, never asked for
    assert browser.get("/e/").status_code == 200


def test_a_link_opens_no_console(firm: Firm, browser: Browser, codes: list[str]) -> None:
    """Somebody of a practice who is also a contact, and comes by an invitation."""
    with tenancy.use(firm.practice_side):
        contact = Contact.objects.create(
            practice=firm.practice, client=firm.client, user=firm.owner, role="viewer"
        )
        made = invitation_make(
            contact=contact, landing_path="/welcome/", invited_by=firm.owner, actor=acting(firm.owner)
        )
    token = next(secrets.tokens("invitation", made.pk.bytes))
    browser.post(f"/i/{token}/")
    assert is_in(browser)
    assert browser.get("/console/")["Location"].startswith(SHOW)
    assert browser.get(ENROL)["Location"] == SHOW  # who has a factor sets up no other without it
    assert browser.post(SHOW, {"code": wrong_code(), "next": "/console/"}).status_code == 422
    assert browser.post(SHOW, {"code": now_code(), "next": "/console/"})["Location"] == "/console/"
    assert browser.get("/console/").status_code == 200
    assert browser.get(f"{SHOW}?next=//evil.example/")["Location"] == "/"


def test_signing_in_anew_forgets_the_factor(firm: Firm, browser: Browser) -> None:
    let_in(browser, firm.owner)
    browser.post("/account/logout/")
    browser.force_login(firm.owner)
    assert browser.get("/console/").status_code == 302


def test_a_code_works_once_and_none_before_it_any_more(firm: Firm, codes: list[str]) -> None:
    assert factor_prove(user=firm.owner, code=now_code(ahead=1)) is FactorKind.TOTP
    for used in (now_code(ahead=1), now_code(), now_code(ahead=-1)):
        with pytest.raises(WrongCode):
            factor_prove(user=firm.owner, code=used)
    cache.clear()
    with pytest.raises(WrongCode):
        factor_prove(user=firm.owner, code=now_code(ahead=1))
    assert events(firm, AccountEvent.FACTOR_USED) == 1


def test_recovery_codes_work_once_and_only_to_get_in(firm: Firm, codes: list[str]) -> None:
    with pytest.raises(WrongCode):
        factor_prove(user=firm.owner, code=codes[0])
    assert factor_prove(user=firm.owner, code=codes[0].upper().replace("-", " "), with_recovery=True)
    with pytest.raises(WrongCode):
        factor_prove(user=firm.owner, code=codes[0], with_recovery=True)
    assert selectors.factors_of(firm.owner.pk).recovery_left == 9
    fresh = recovery_codes_renew(user=firm.owner)
    with pytest.raises(WrongCode):
        factor_prove(user=firm.owner, code=codes[1], with_recovery=True)
    assert factor_prove(user=firm.owner, code=fresh[0], with_recovery=True) is FactorKind.RECOVERY


def test_there_is_one_app_for_each_person(firm: Firm, codes: list[str]) -> None:
    with pytest.raises(InvalidMove):
        totp_enrol(user=firm.owner, secret=SECRET, code=now_code())


def test_neither_seed_nor_recovery_code_can_be_read_or_moved(
    firm: Firm, codes: list[str], sql_as: SqlAs
) -> None:
    superuser = sql_as("superuser")
    stored = str(superuser.execute("select data::text from mfa_authenticator").fetchall())
    assert SECRET not in stored
    assert not [code for code in codes if code in stored or code.replace("-", "") in stored]
    with tenancy.use(tenancy.user_scope(firm.owner.pk)):
        data = Authenticator.objects.get(type=FactorKind.TOTP).data
        marks = Authenticator.objects.get(type=FactorKind.RECOVERY).data
    with pytest.raises(secrets.Unreadable):
        totp.opened(data, user_id=firm.approver.pk)
    with tenancy.use(tenancy.user_scope(firm.approver.pk)):
        Authenticator.objects.create(user=firm.approver, type=FactorKind.RECOVERY, data=marks)
    with pytest.raises(WrongCode):
        factor_prove(user=firm.approver, code=codes[0], with_recovery=True)


def test_factors_are_seen_by_their_owner_alone(firm: Firm, codes: list[str]) -> None:
    for scope in (
        tenancy.NOBODY,
        firm.practice_side,
        tenancy.practice_scope(firm.practice.pk, user_id=firm.approver.pk),
        tenancy.user_scope(firm.approver.pk),
        tenancy.platform_scope(),
    ):
        with tenancy.use(scope):
            assert Authenticator.objects.count() == 0
            assert Authenticator.objects.update(data={}) == 0
    with tenancy.use(tenancy.user_scope(firm.approver.pk)), pytest.raises(DatabaseError, match="row-level"):
        Authenticator.objects.create(user=firm.owner, type=FactorKind.RECOVERY, data={})


def test_five_wrong_codes_and_the_right_one_is_refused_too(firm: Firm, codes: list[str]) -> None:
    for _ in range(5):
        with pytest.raises(WrongCode):
            factor_prove(user=firm.owner, code=wrong_code())
    cache.clear()  # SECURITY W6: a flushed cache forgets nothing
    with pytest.raises(RateLimited):
        factor_prove(user=firm.owner, code=now_code())
    with pytest.raises(RateLimited):
        totp_enrol(user=firm.owner, secret=SECRET, code=now_code())
    assert events(firm, AccountEvent.FACTOR_LOCKED) == 2
    factor_of_another = totp_enrol(user=firm.approver, secret=SECRET, code=now_code())
    assert len(factor_of_another) == 10


def test_the_lock_opens_by_itself_and_the_right_code_forgives(
    firm: Firm, codes: list[str], sql_as: SqlAs
) -> None:
    for _ in range(4):
        with pytest.raises(WrongCode):
            factor_prove(user=firm.owner, code=wrong_code())
    assert factor_prove(user=firm.owner, code=now_code())
    for _ in range(5):
        with pytest.raises(WrongCode):
            factor_prove(user=firm.owner, code=wrong_code())
    sql_as("superuser").execute("update accounts_attempts set since = since - interval '15 minutes'")
    assert factor_prove(user=firm.owner, code=now_code(ahead=1))


def test_counters_tell_nobody_what_they_count(firm: Firm, sql_as: SqlAs) -> None:
    attempt_count(FACTOR_TRIES, str(firm.owner.pk))
    ((key,),) = sql_as("superuser").execute("select key from accounts_attempts").fetchall()
    assert re.fullmatch(r"[0-9a-f]{64}", key)
    for scope in (tenancy.NOBODY, firm.practice_side, tenancy.bearer_scope("0" * 64)):
        with tenancy.use(scope):
            assert Attempts.objects.count() == 0
    with tenancy.use(tenancy.bearer_scope(key)):
        assert Attempts.objects.get().tries == 1
        assert str(Attempts.objects.get()).startswith("1 since")


def together(count: int, act: Callable[[int], object]) -> list[object]:
    """What each of several threads got, all set off at once; an error counts as its class."""
    barrier, got = threading.Barrier(count), list[object]()

    def run(number: int) -> None:
        with closing(connection):
            barrier.wait()
            try:
                got.append(act(number))
            except PortalError as error:
                got.append(type(error))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return got


@pytest.mark.parametrize("kind", [FactorKind.TOTP, FactorKind.RECOVERY])
def test_of_four_who_type_the_same_code_one_is_let_in(firm: Firm, codes: list[str], kind: FactorKind) -> None:
    code = now_code(ahead=1) if kind is FactorKind.TOTP else codes[3]
    got = together(4, lambda _number: factor_prove(user=firm.owner, code=code, with_recovery=True))
    assert (got.count(kind), len(got)) == (1, 4)


def test_twenty_tries_at_once_are_twenty(real_db: None) -> None:
    limit = Limit(name="test", tries=5, within=dt.timedelta(minutes=1))
    got = together(20, lambda _number: attempt_count(limit, "somebody"))
    assert got.count(None) == 5
    assert got.count(RateLimited) == 15


def test_where_no_try_is_let_through_none_is_later(real_db: None) -> None:
    none = Limit(name="test", tries=0, within=dt.timedelta(0))
    for _ in range(2):
        with pytest.raises(RateLimited):
            attempt_count(none, "somebody")


def test_two_who_set_up_at_once_make_one(firm: Firm) -> None:
    got = together(3, lambda _number: len(totp_enrol(user=firm.owner, secret=SECRET, code=now_code())))
    assert sorted(map(str, got)) == sorted(["10", str(InvalidMove), str(InvalidMove)])


def test_allauth_keeps_no_secret_of_its_own() -> None:
    for act in (FactorAdapter().encrypt, FactorAdapter().decrypt):
        with pytest.raises(NotImplementedError):
            act("x")


def test_who_has_no_app_proves_nothing(firm: Firm) -> None:
    with pytest.raises(WrongCode):
        factor_prove(user=firm.owner, code="123456", with_recovery=True)


def test_pages_of_factors_are_for_who_is_signed_in(real_db: None, browser: Browser) -> None:
    for path in ("/account/factors/", ENROL):
        assert browser.get(path)["Location"].startswith("/account/login/")
    assert make_browser().post(ENROL, {"code": "1"})["Location"] == "/account/login/"
