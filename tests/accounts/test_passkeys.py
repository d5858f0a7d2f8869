"""Passkeys: for this site alone, with its owner present, each challenge once."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client as Browser

from accounts import selectors
from accounts.lifecycle import AccountEvent, FactorKind
from accounts.models import Contact, User
from accounts.services.factors import factor_remove, totp_enrol
from accounts.services.passkeys import (
    Challenge,
    PasskeyRefused,
    assertion_begin,
    passkey_enrol,
    passkey_owner,
    passkey_prove,
    registration_begin,
)
from portal.kernel import tenancy
from portal.kernel.errors import InvalidMove, NotVisible
from portal.kernel.models import AuditEvent
from tests.accounts.conftest import make_browser
from tests.accounts.device import Device
from tests.accounts.test_factors import SECRET, now_code, together
from tests.accounts.test_sign_in import ask, code_in, give, is_in
from tests.accounts.test_step_up import ADD, members, person
from tests.conftest import SqlAs
from tests.factories import Firm
from tests.mailbox import Mailbox
from tests.signing_in import let_in

Deliver = Callable[[], int]
SHOW, NEW = "/account/factor/", "/account/factors/passkey/"


def options_in(page: Any, kind: str) -> str:  # Any: Django's test response
    """What the page's button asks the browser with."""
    found = re.search(rf'data-passkey="{kind}" data-options="([^"]+)"', page.content.decode())
    assert found
    return html.unescape(found.group(1))


def enrol(user: User, device: Device, name: str = "phone") -> list[str]:
    asked = registration_begin(user)
    return passkey_enrol(user=user, state=asked.state, answer=device.make(asked.options), name=name)


def signed(user: User, device: Device) -> tuple[Challenge, str]:
    asked = assertion_begin(user)
    return asked, device.sign(asked.options)


@pytest.fixture
def device(firm: Firm) -> Device:
    """The owner's."""
    made = Device()
    assert len(enrol(firm.owner, made)) == 10
    return made


def test_a_passkey_proves_who_it_is_and_each_challenge_works_once(firm: Firm, device: Device) -> None:
    asked, answer = signed(firm.owner, device)
    assert passkey_prove(user=firm.owner, state=asked.state, answer=answer) is FactorKind.PASSKEY
    with pytest.raises(PasskeyRefused):
        passkey_prove(user=firm.owner, state=asked.state, answer=answer)
    asked, answer = signed(firm.owner, device)
    got = together(4, lambda _number: passkey_prove(user=firm.owner, state=asked.state, answer=answer))
    assert (got.count(FactorKind.PASSKEY), got.count(PasskeyRefused)) == (1, 3)


def test_the_options_ask_for_this_site_and_for_its_owner(firm: Firm, device: Device) -> None:
    asked = json.loads(registration_begin(firm.owner).options)
    assert asked["rp"]["id"] == "testserver"
    assert asked["authenticatorSelection"]["userVerification"] == "required"
    assert asked["authenticatorSelection"]["residentKey"] == "required"
    assert len(asked["excludeCredentials"]) == 1
    assert json.loads(assertion_begin(None).options).get("allowCredentials") in (None, [])


CROOKED: dict[str, Callable[[Device], object]] = {
    "another origin": lambda one: setattr(one, "origin", "https://testserver.evil.example"),
    "another scheme": lambda one: setattr(one, "origin", "https://testserver"),
    "a subdomain": lambda one: setattr(one, "origin", "http://x.testserver"),
    "another site": lambda one: setattr(one, "rp_id", "evil.example"),
    "nobody there": lambda one: setattr(one, "is_held_by_owner", False),
}


@pytest.mark.parametrize("how", sorted(CROOKED))
def test_a_crooked_answer_is_refused(firm: Firm, device: Device, how: str) -> None:
    CROOKED[how](device)
    asked, answer = signed(firm.owner, device)
    with pytest.raises(PasskeyRefused):
        passkey_prove(user=firm.owner, state=asked.state, answer=answer)
    asked = registration_begin(firm.approver)
    with pytest.raises(PasskeyRefused):
        passkey_enrol(user=firm.approver, state=asked.state, answer=device.make(asked.options), name="x")


def test_anothers_key_and_a_forged_signature_are_refused(firm: Firm, device: Device) -> None:
    stranger = Device()
    stranger.credential_id, stranger.user_handle = device.credential_id, device.user_handle
    for user, one in [(firm.owner, stranger), (firm.approver, device)]:
        asked, answer = signed(user, one)
        with pytest.raises(PasskeyRefused):
            passkey_prove(user=user, state=asked.state, answer=answer)


def test_a_copied_key_is_noticed(firm: Firm, device: Device) -> None:
    for count, is_fine in [(5, True), (6, True), (6, False), (3, False), (7, True)]:
        device.count = count
        asked, answer = signed(firm.owner, device)
        if is_fine:
            passkey_prove(user=firm.owner, state=asked.state, answer=answer)
        else:
            with pytest.raises(PasskeyRefused):
                passkey_prove(user=firm.owner, state=asked.state, answer=answer)


@pytest.mark.parametrize(
    "answer", ["", "x", "[]", "{}", '{"response": 1}', '{"id": "x", "response": {}}', "null"]
)
def test_rubbish_is_refused(firm: Firm, device: Device, answer: str) -> None:
    with pytest.raises(PasskeyRefused):
        passkey_prove(user=firm.owner, state=assertion_begin(firm.owner).state, answer=answer)
    with pytest.raises(PasskeyRefused):
        passkey_enrol(user=firm.owner, state=registration_begin(firm.owner).state, answer=answer, name="x")
    with pytest.raises(PasskeyRefused):
        passkey_owner(answer)


def test_a_challenge_is_good_for_five_minutes(firm: Firm, device: Device) -> None:
    from portal.kernel import clock

    asked, answer = signed(firm.owner, device)
    import datetime as dt

    with clock.frozen(clock.now() + dt.timedelta(minutes=5)), pytest.raises(PasskeyRefused):
        passkey_prove(user=firm.owner, state=asked.state, answer=answer)
    with pytest.raises(PasskeyRefused):
        passkey_prove(user=firm.owner, state={}, answer=answer)


def test_an_answer_without_a_key_sets_nothing_up(firm: Firm) -> None:
    with pytest.raises(PasskeyRefused):
        enrol(firm.owner, Device(sends_key=False))
    assert not selectors.factors_of(firm.owner.pk).strong


def test_the_same_key_is_set_up_once(firm: Firm, device: Device) -> None:
    with pytest.raises(InvalidMove):
        enrol(firm.owner, device)
    assert enrol(firm.owner, Device(), "laptop") == []  # recovery codes were there already
    assert [one.name for one in selectors.factors_of(firm.owner.pk).strong] == ["phone", "laptop"]


# Pages


def sign_in(browser: Browser, device: Device, **more: str) -> Any:  # Any: Django's test response
    options = browser.post("/account/passkey/options/").content.decode()
    return browser.post("/account/passkey/", {"passkey": device.sign(options), **more})


def test_a_passkey_alone_signs_in_and_opens_the_console(firm: Firm, browser: Browser, device: Device) -> None:
    assert sign_in(browser, device, next="/console/")["Location"] == "/console/"
    assert browser.session["signed_in_by"] == "passkey"
    assert browser.get("/console/").status_code == 200
    assert sign_in(browser, device)["Location"] == "/"


def test_a_contact_signs_in_by_passkey_too(firm: Firm, browser: Browser) -> None:
    device = Device()
    enrol(firm.approver, device)
    assert sign_in(browser, device)["Location"] == "/"
    assert browser.get("/e/").status_code == 200


def test_who_may_not_come_in_does_not(firm: Firm, browser: Browser, device: Device) -> None:
    User.objects.filter(pk=firm.owner.pk).update(is_active=False)
    page = browser.get(sign_in(browser, device)["Location"]).content.decode()
    assert "That passkey didn’t work" in page
    assert not is_in(browser)


def test_an_answer_is_for_the_browser_and_the_purpose_that_asked(
    firm: Firm, browser: Browser, device: Device
) -> None:
    options = browser.post("/account/passkey/options/").content.decode()
    answer = device.sign(options)
    thief = make_browser()
    thief.post("/account/passkey/options/")
    thief.post("/account/passkey/", {"passkey": answer})
    assert not is_in(thief)
    let_in(browser, firm.owner)
    assert browser.post(ADD, person("mallory", step_up_passkey=answer)).status_code == 422
    assert members(firm) == 1


def test_the_sign_in_page_costs_no_session_until_the_button_is_pressed(
    real_db: None, browser: Browser
) -> None:
    page = browser.get("/account/login/").content.decode()
    assert 'data-options-url="/account/passkey/options/"' in page
    assert "sessionid" not in browser.cookies
    assert browser.get("/account/passkey/options/").status_code == 405
    assert browser.get("/account/passkey/").status_code == 405
    answer = browser.post("/account/passkey/options/")
    assert (answer["Content-Type"], answer["Cache-Control"]) == ("application/json", "no-store")
    strict = make_browser(check_forms=True)
    assert strict.post("/account/passkey/options/").status_code == 403


def test_a_passkey_is_shown_after_the_mailed_code(
    firm: Firm, browser: Browser, mailbox: Mailbox, deliver: Deliver, device: Device
) -> None:
    ask(browser, firm.owner.email)
    deliver()
    assert give(browser, code_in(mailbox))["Location"] == SHOW
    options = options_in(browser.get(SHOW), "get")
    assert browser.post(SHOW, {"passkey": "{}"}).status_code == 422
    assert not is_in(browser)
    assert browser.post(SHOW, {"passkey": device.sign(options)}).status_code == 422  # that challenge is gone
    options = options_in(browser.get(SHOW), "get")
    assert browser.post(SHOW, {"passkey": device.sign(options)}).status_code == 302
    assert browser.get("/console/").status_code == 200


def test_a_passkey_proves_an_act_once(firm: Firm, browser: Browser, device: Device) -> None:
    let_in(browser, firm.owner, factor=FactorKind.PASSKEY)
    answer = device.sign(options_in(browser.get(ADD), "get"))
    other = "/console/awsaccess/hub/add/"
    assert browser.post(other, {"step_up_passkey": answer}).status_code == 422
    assert browser.post(ADD, person("ines", step_up_passkey=answer)).status_code == 302
    assert browser.post(ADD, person("tom", step_up_passkey=answer)).status_code == 422
    assert members(firm) == 2


def test_a_first_passkey_is_set_up_on_the_page(firm: Firm, browser: Browser) -> None:
    let_in(browser, firm.owner, factor=None)
    device = Device()
    options = options_in(browser.get(NEW), "create")
    assert browser.post(NEW, {"name": "phone"}).status_code == 422
    options = options_in(browser.get(NEW), "create")
    done = browser.post(NEW, {"name": "phone", "passkey": device.make(options), "next": "/console/"})
    assert "Keep your recovery codes" in done.content.decode()
    assert browser.get("/console/").status_code == 200
    assert "phone" in browser.get("/account/factors/").content.decode()
    with tenancy.use(firm.practice_side):
        assert AuditEvent.objects.filter(kind=AccountEvent.FACTOR_ADDED).count() == 1


def test_a_second_one_is_proved_with_the_first(firm: Firm, browser: Browser, device: Device) -> None:
    let_in(browser, firm.owner, factor=FactorKind.PASSKEY)
    second = Device()
    page = browser.get(NEW)
    refused = browser.post(NEW, {"name": "laptop", "passkey": "{}"})
    assert refused.status_code == 422
    proof = device.sign(options_in(browser.get(NEW), "get"))
    page = browser.post(NEW, {"name": "laptop", "step_up_passkey": proof})
    assert page.status_code == 200
    done = browser.post(NEW, {"name": "laptop", "passkey": second.make(options_in(page, "create"))})
    assert done.status_code == 302
    assert len(selectors.factors_of(firm.owner.pk).strong) == 2


def test_who_lost_the_phone_gets_in_and_sets_up_another(firm: Firm, browser: Browser) -> None:
    codes = totp_enrol(user=firm.owner, secret=SECRET, code=now_code(ahead=-1))
    browser.force_login(firm.owner)
    assert browser.post(SHOW, {"code": codes[0]}).status_code == 302
    assert browser.post(ADD, person("ines", step_up_code=codes[1])).status_code == 422
    second = Device()
    page = browser.get(NEW)
    assert "or a recovery code" in page.content.decode()
    asked = {"name": "laptop", "passkey": second.make(options_in(page, "create"))}
    assert browser.post(NEW, {**asked, "step_up_code": codes[1]}).status_code == 302
    lost = next(one for one in selectors.factors_of(firm.owner.pk).strong if one.kind is FactorKind.TOTP)
    proof = second.sign(options_in(browser.get(f"/account/factors/{lost.pk}/remove/"), "get"))
    gone = browser.post(f"/account/factors/{lost.pk}/remove/", {"step_up_passkey": proof})
    assert gone.status_code == 302
    assert [one.kind for one in selectors.factors_of(firm.owner.pk).strong] == [FactorKind.PASSKEY]


def test_who_came_by_a_link_sets_nothing_up(firm: Firm, browser: Browser) -> None:
    let_in(browser, firm.approver)
    session = browser.session
    session["signed_in_by"] = "invitation"
    session.save()
    for path in (NEW, "/account/factors/app/"):
        page = browser.get(path)
        assert page.status_code == 403
        assert "You came by a link" in page.content.decode()


def test_taking_a_factor_away_takes_a_proof_and_leaves_a_consultant_one(
    firm: Firm, browser: Browser, device: Device
) -> None:
    let_in(browser, firm.owner)
    (key,) = selectors.factors_of(firm.owner.pk).strong
    with pytest.raises(InvalidMove):
        factor_remove(user=firm.owner, factor_id=key.pk)
    totp_enrol(user=firm.owner, secret=SECRET, code=now_code(ahead=-1))
    path = f"/account/factors/{key.pk}/remove/"
    assert "Take it away" in browser.get(path).content.decode()
    assert browser.post(path).status_code == 422
    assert browser.post(path, {"step_up_code": now_code()})["Location"] == "/account/factors/"
    assert [one.kind for one in selectors.factors_of(firm.owner.pk).strong] == [FactorKind.TOTP]
    with tenancy.use(firm.practice_side):
        assert AuditEvent.objects.filter(kind=AccountEvent.FACTOR_REMOVED).count() == 1
    assert browser.get(path).status_code == 404
    with pytest.raises(NotVisible):
        factor_remove(user=firm.approver, factor_id=key.pk)


def test_two_removals_at_once_leave_one(firm: Firm, device: Device) -> None:
    enrol(firm.owner, Device(), "laptop")
    keys = [one.pk for one in selectors.factors_of(firm.owner.pk).strong]
    together(2, lambda number: factor_remove(user=firm.owner, factor_id=keys[number]))
    assert len(selectors.factors_of(firm.owner.pk).strong) == 1


def test_a_contact_may_be_without_and_then_has_no_recovery_codes_either(firm: Firm) -> None:
    enrol(firm.approver, Device())
    (key,) = selectors.factors_of(firm.approver.pk).strong
    factor_remove(user=firm.approver, factor_id=key.pk)
    with tenancy.use(tenancy.user_scope(firm.approver.pk)):
        assert Authenticator.objects.count() == 0


def test_recovery_codes_are_renewed_after_a_proof(firm: Firm, browser: Browser, device: Device) -> None:
    let_in(browser, firm.owner)
    path = "/account/factors/recovery-codes/"
    assert browser.post(path).status_code == 422
    proof = device.sign(options_in(browser.get(path), "get"))
    done = browser.post(path, {"step_up_passkey": proof})
    assert len(re.findall(r'<li class="mono">', done.content.decode())) == 10
    assert done["Cache-Control"] == "no-store"
    with tenancy.use(firm.practice_side):
        assert AuditEvent.objects.filter(kind=AccountEvent.RECOVERY_CODES_MADE).count() == 1
    other = make_browser()
    let_in(other, firm.approver)
    assert other.get(path)["Location"] == "/account/factors/"


def test_pages_run_no_inline_script(firm: Firm, browser: Browser, device: Device) -> None:
    let_in(browser, firm.owner)
    for path in ("/account/factors/", ADD, f"{NEW}", "/account/factors/recovery-codes/"):
        page = browser.get(path)
        assert "unsafe" not in page["Content-Security-Policy"]
        body = page.content.decode()
        assert not re.search(r"<script(?![^>]* src=)", body.replace('<script type="application/json"', ""))
        assert " style=" not in body
        assert " onclick=" not in body


def test_a_moved_row_opens_nothing(firm: Firm, device: Device, sql_as: SqlAs) -> None:
    """A passkey copied to somebody else's row still belongs to its owner's handle."""
    with tenancy.use(tenancy.user_scope(firm.owner.pk)):
        data = Authenticator.objects.get(type=FactorKind.PASSKEY).data
    assert set(data) == {"name", "public", "sign_count"}
    with tenancy.use(firm.practice_side):
        assert Contact.objects.count() == 1
