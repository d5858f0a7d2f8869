"""Signing in by a practice's own service: the whole way, over real sockets, with a provider that can be crooked."""

from __future__ import annotations

import datetime as dt
import re
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client as Browser
from django.urls import reverse
from joserfc import jwt
from joserfc.jwk import ECKey

from accounts.lifecycle import AccountEvent, ContactRole, FactorKind, MemberRole, SignInKind
from accounts.models import Contact, Membership, PinnedAccount, SignInService, User
from accounts.services import id_tokens
from accounts.services.factors import totp_enrol
from accounts.services.people import Person, membership_add
from accounts.services.sign_in_services import (
    Wanted,
    account_forget,
    service_change,
    service_set_up,
    service_switch,
)
from accounts.services.totp import code_of, new_secret, step_at
from portal.kernel import clock, tenancy
from portal.kernel.models import AuditBody, AuditEvent
from tests import provider as fake
from tests.accounts.conftest import make_browser
from tests.factories import TESTER, Firm, make_contact, make_firm
from tests.provider import Claims, Provider
from tests.signing_in import let_in

CONSOLE = "/console/"
REFERENCE = re.compile(rb"Reference <code>[0-9a-f]{8}</code>")


@pytest.fixture
def north(db: None) -> Firm:
    return make_firm("north")


@pytest.fixture
def idp(settings: Any) -> Iterator[Provider]:  # Any: pytest-django's private type
    settings.SIGN_IN_SERVICES_ON_LOOPBACK = True
    with fake.running() as provider:
        yield provider


@pytest.fixture
def ben(north: Firm) -> User:
    return join(north, "ben")


def join(firm: Firm, word: str, role: MemberRole = MemberRole.CONSULTANT) -> User:
    with tenancy.use(firm.practice_side):
        person = Person(email=f"{word}@{firm.practice.code}.example", name=word.title())
        membership_add(practice=firm.practice, person=person, role=role, actor=TESTER)
    return User.objects.get(email=person.email)


def set_up(firm: Firm, idp: Provider, *, required: bool = False, on: bool = True) -> SignInService:
    wanted = Wanted(
        issuer=idp.issuer,
        client_id=idp.client_id,
        client_secret=idp.client_secret,
        domains=[f"{firm.practice.code}.example"],
    )
    with tenancy.use(firm.practice_side):
        service = service_set_up(practice=firm.practice, wanted=wanted, actor=TESTER)
        service_switch(service=service, is_enabled=on, is_required=required, actor=TESTER)
        return SignInService.objects.get(pk=service.pk)


def door(firm: Firm) -> str:
    return reverse("service_door", args=[firm.practice.code])


def leave(browser: Browser, firm: Firm, **more: str) -> str:
    """Press the button; the provider's address that the page leads to."""
    browser.get(door(firm))
    page = browser.post(door(firm), more)
    assert page.status_code == 200
    assert 'http-equiv="refresh"' in page.content.decode()
    return str(page.context["address"])


def come_back(browser: Browser, location: str, **changed: str) -> Any:  # Any: Django's test response
    """Open the address that the provider sent the browser to, and press its button."""
    parts = urlsplit(location)
    page = browser.get(f"{parts.path}?{parts.query}")
    assert page.status_code == 200
    return browser.post(parts.path, {**page.context["told"], **changed})


def sign_in(
    browser: Browser, firm: Firm, idp: Provider, email: str = "", **more: str
) -> Any:  # Any: as above
    idp.email = email or idp.email
    return come_back(browser, fake.visit(leave(browser, firm, **more)))


def is_in(browser: Browser) -> bool:
    return "_auth_user_id" in browser.session


def told(firm: Firm, kind: AccountEvent) -> list[str]:
    with tenancy.use(firm.practice_side):
        events = AuditEvent.objects.filter(kind=kind.value).order_by("seq")
        return [AuditBody.objects.get(event=event).text for event in events]


def give_app(user: User) -> str:
    """An authenticator app, and its code of now."""
    secret, now = new_secret(), step_at(clock.now())
    totp_enrol(user=user, secret=secret, code=code_of(secret, now - 1))
    return code_of(secret, now)


# The way in


def test_a_member_comes_in_and_shows_their_own_factor(north: Firm, ben: User, idp: Provider) -> None:
    set_up(north, idp)
    code, browser = give_app(ben), make_browser()
    page = sign_in(browser, north, idp, ben.email)
    assert page.status_code == 302
    assert page["Location"] == CONSOLE
    assert browser.session["signed_in_by"] == SignInKind.SERVICE
    assert browser.get(CONSOLE).status_code == 302  # to the factor
    shown = browser.post(reverse("factor_show"), {"code": code, "next": CONSOLE})
    assert shown["Location"] == CONSOLE
    assert browser.get(CONSOLE).status_code == 200
    assert any('"by":"service"' in one for one in told(north, AccountEvent.SIGNED_IN))
    with tenancy.use(north.practice_side):
        assert PinnedAccount.objects.get(user=ben).subject == "account-1"
    assert len(told(north, AccountEvent.ACCOUNT_PINNED)) == 1
    assert browser.cookies["service"].value == ""


def test_the_second_time_nothing_is_pinned_anew(north: Firm, ben: User, idp: Provider) -> None:
    set_up(north, idp)
    assert sign_in(make_browser(), north, idp, ben.email).status_code == 302
    assert sign_in(make_browser(), north, idp, ben.email.upper()).status_code == 302
    assert len(told(north, AccountEvent.ACCOUNT_PINNED)) == 1


def test_who_was_going_somewhere_gets_there_if_it_is_the_console(
    north: Firm, ben: User, idp: Provider
) -> None:
    set_up(north, idp)
    for wanted, found in (
        ("/console/awsaccess/grant/", "/console/awsaccess/grant/"),
        ("https://evil.example/console/", CONSOLE),
        ("//evil.example/console/", CONSOLE),
        ("/account/factors/", CONSOLE),
        ("/console/" + "x" * 600, CONSOLE),
    ):
        page = sign_in(make_browser(), north, idp, ben.email, next=wanted)
        assert page["Location"] == found, wanted


def test_what_goes_with_the_browser_holds_no_secret_and_pkce(north: Firm, ben: User, idp: Provider) -> None:
    set_up(north, idp)
    address = leave(make_browser(), north)
    asked = parse_qs(urlsplit(address).query)
    assert asked["redirect_uri"] == ["http://testserver/account/service/north/back/"]
    assert asked["code_challenge_method"] == ["S256"]
    assert len(asked["state"][0]) > 100
    assert idp.client_secret not in address
    assert idp.seen == ["/.well-known/openid-configuration"]


@pytest.mark.parametrize("alg", ["RS256", "PS256", "ES256"])
def test_each_accepted_way_of_signing(north: Firm, ben: User, idp: Provider, alg: str) -> None:
    set_up(north, idp)
    key = fake.ec_key() if alg == "ES256" else fake.rsa_key()
    idp.keys = [key.as_dict(private=False)]
    idp.change_discovery = lambda said: {**said, "id_token_signing_alg_values_supported": [alg]}
    idp.make_token = lambda claims: fake.signed(claims, key=key, alg=alg)
    assert sign_in(make_browser(), north, idp, ben.email).status_code == 302


def test_a_provider_that_wants_the_secret_in_the_form(north: Firm, ben: User, idp: Provider) -> None:
    set_up(north, idp)
    methods = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    idp.change_discovery = lambda said: {**said, **methods}
    idp.names_itself = False
    assert sign_in(make_browser(), north, idp, ben.email).status_code == 302


def test_keys_that_are_not_named_are_all_tried(north: Firm, ben: User, idp: Provider) -> None:
    set_up(north, idp)
    bare = fake.rsa_key().as_dict(private=False)
    other = fake.rsa_key("other").as_dict(private=False)
    idp.keys = [{k: v for k, v in one.items() if k != "kid"} for one in (other, bare)]
    key = fake.rsa_key()
    idp.make_token = lambda claims: jwt.encode({"alg": "RS256"}, claims, key, algorithms=["RS256"])
    assert sign_in(make_browser(), north, idp, ben.email).status_code == 302


# Evil tokens: each is signed by the provider's own key unless it says otherwise

Bend = Callable[[Claims], Claims]


def without(name: str) -> Bend:
    return lambda claims: {key: value for key, value in claims.items() if key != name}


def with_(**changed: Any) -> Bend:  # Any: JSON
    return lambda claims: {**claims, **changed}


def later(**seconds: int) -> Bend:
    return lambda claims: {**claims, **{name: int(time.time()) + by for name, by in seconds.items()}}


EVIL_CLAIMS: dict[str, tuple[Bend, str]] = {
    "no issuer": (without("iss"), "iss:"),
    "another issuer": (with_(iss="https://evil.example"), "iss:"),
    "issuer with a slash": (lambda claims: {**claims, "iss": claims["iss"] + "/"}, "iss:"),
    "issuers in a list": (lambda claims: {**claims, "iss": [claims["iss"]]}, "iss:"),
    "no audience": (without("aud"), "aud:"),
    "another audience": (with_(aud="somebody"), "aud:"),
    "several audiences": (with_(aud=["latchkey", "somebody"], azp="latchkey"), "aud:"),
    "audience beginning alike": (with_(aud="latchkey2"), "aud:"),
    "audience as object": (with_(aud={"latchkey": 1}), "aud:"),
    "another authorized party": (with_(azp="somebody"), "azp:"),
    "authorized party null": (with_(azp=None), "azp:"),
    "no end": (without("exp"), "exp:"),
    "over": (later(exp=-120), "exp:"),
    "end as text": (with_(exp="9999999999"), "exp:"),
    "end as truth": (with_(exp=True), "exp:"),
    "end that is no number": (with_(exp=float("nan")), "exp:"),
    "end at infinity": (with_(exp=float("inf")), "exp:"),
    "end beyond all floats": (with_(exp=10**400), "exp:"),
    "no beginning": (without("iat"), "iat:"),
    "from the future": (later(iat=600, exp=900), "iat:"),
    "from yesterday": (later(iat=-86400), "iat:"),
    "not yet": (later(nbf=600), "nbf:"),
    "no nonce": (without("nonce"), "nonce:"),
    "another nonce": (with_(nonce="x" * 32), "nonce:"),
    "nonce as number": (with_(nonce=7), "nonce:"),
    "no subject": (without("sub"), "sub:"),
    "empty subject": (with_(sub=""), "sub:"),
    "long subject": (with_(sub="x" * 256), "sub:"),
    "subject as number": (with_(sub=17), "sub:"),
    "subject with a line break": (with_(sub="a\nb"), "sub:"),
    "no address": (without("email"), "email:"),
    "addresses in a list": (with_(email=["ben@north.example"]), "email:"),
    "no address at all": (with_(email="ben"), "email:"),
    "two addresses": (with_(email="ben@north.example,eve@evil.example"), "email:"),
    "address with two signs": (with_(email="eve@evil.example@north.example"), "email:"),
    "address with a space": (with_(email="ben@north.example "), "email:"),
    "a letter that folds into another": (
        with_(email="\u212aen@north.example"),
        "email:",
    ),  # the sign of Kelvin
    "not verified": (with_(email_verified=False), "email_verified:"),
    "nothing said of verified": (without("email_verified"), "email_verified:"),
    "verified as text": (with_(email_verified="true"), "email_verified:"),
    "verified as number": (with_(email_verified=1), "email_verified:"),
    "owner of the domain, of another provider": (
        lambda claims: {**without("email_verified")(claims), "xms_edov": True},
        "email_verified:",
    ),
    "name instead of address": (
        lambda claims: {**without("email")(claims), "preferred_username": "ben@north.example"},
        "email:",
    ),
    "another domain": (with_(email="ben@evil.example"), "email:"),
    "a domain below": (with_(email="ben@sub.north.example"), "email:"),
    "a domain that ends alike": (with_(email="ben@evilnorth.example"), "email:"),
    "somebody who is no member": (with_(email="nobody@north.example"), "nobody"),
    "a client's person": (with_(email="approver@north.example"), "nobody"),
}


@pytest.mark.parametrize("name", EVIL_CLAIMS)
def test_an_evil_claim_lets_nobody_in_and_is_told(north: Firm, ben: User, idp: Provider, name: str) -> None:
    set_up(north, idp)
    idp.change_claims, reason = EVIL_CLAIMS[name]
    browser = make_browser()
    page = sign_in(browser, north, idp, ben.email)
    _assert_refused(page, browser, north, reason)


def _assert_refused(page: Any, browser: Browser, firm: Firm, reason: str) -> None:  # Any: Django's response
    assert page.status_code == 403
    assert not is_in(browser)
    (said,) = told(firm, AccountEvent.SERVICE_REFUSED)
    assert f'"reason":"{reason}' in said
    assert reason not in page.content.decode()  # whoever sent it learns nothing
    assert reverse("account_login") in page.content.decode()
    with tenancy.use(firm.practice_side):
        assert not PinnedAccount.objects.exists()


def unsigned(claims: Claims) -> str:
    return f"{fake.plain_part({'alg': 'none'})}.{fake.plain_part(claims)}."


def by_shared_secret(claims: Claims) -> str:
    """Made with the public key as if it were a password: who mixes the kinds of keys up takes it."""
    import hmac
    import json

    head = fake.plain_part({"alg": "HS256", "kid": fake.KID})
    body = f"{head}.{fake.plain_part(claims)}"
    public = json.dumps(fake.rsa_key().as_dict(private=False)).encode()
    return f"{body}.{fake.plain_part(hmac.digest(public, body.encode(), 'sha256'))}"


def with_own_key(claims: Claims) -> str:
    key = fake.rsa_key("other")
    return fake.signed(claims, key=key, jwk=key.as_dict(private=False))


def changed_after(claims: Claims) -> str:
    head, _body, signature = fake.signed(claims).split(".")
    return f"{head}.{fake.plain_part({**claims, 'sub': 'somebody-else'})}.{signature}"


EVIL_TOKENS: dict[str, tuple[Callable[[Claims], object], str]] = {
    "nothing": (lambda _claims: None, "no signed token"),
    "a number": (lambda _claims: 7, "no signed token"),
    "empty": (lambda _claims: "", "no signed token"),
    "no token": (lambda _claims: "a.b.c", "no signed token"),
    "claims alone": (lambda claims: claims, "no signed token"),
    "five parts": (lambda claims: fake.signed(claims) + ".x.y", "no signed token"),
    "too long": (lambda claims: fake.signed({**claims, "x": "y" * 20_000}), "no signed token"),
    "not signed": (unsigned, "alg:"),
    "not signed, in capitals": (
        lambda claims: unsigned(claims).replace(
            fake.plain_part({"alg": "none"}), fake.plain_part({"alg": "NONE"})
        ),
        "alg:",
    ),
    "algorithms in a list": (
        lambda claims: f"{fake.plain_part({'alg': ['RS256']})}.{fake.plain_part(claims)}.eA",
        "alg:",
    ),
    "header is a list": (
        lambda claims: f"{fake.plain_part(['RS256'])}.{fake.plain_part(claims)}.eA",
        "no signed",
    ),
    "public key as password": (by_shared_secret, "alg:"),
    "weaker algorithm": (lambda claims: fake.signed(claims, alg="RS384"), "alg:"),
    "strange key under its name": (
        lambda claims: fake.signed(claims, key=fake.rsa_key("other"), kid=fake.KID),
        "signature:",
    ),
    "brings its key along": (with_own_key, "signature:"),
    "key that is not listed": (lambda claims: fake.signed(claims, key=fake.rsa_key("other")), "signature:"),
    "name of the key in a list": (lambda claims: _head(claims, kid=["key-1"]), "signature:"),
    "claims changed after signing": (changed_after, "signature:"),
    "signature cut off": (lambda claims: fake.signed(claims).rpartition(".")[0] + ".", "signature:"),
    "another curve's algorithm": (lambda claims: _head(claims, alg="ES256"), "signature:"),
    "asks for what is not understood": (lambda claims: _head(claims, crit=["exp"], exp=1), "header:"),
    "unencoded": (lambda claims: _head(claims, b64=False), "header:"),
    "an access token": (lambda claims: _head(claims, typ="at+jwt"), "typ:"),
    "kind in a list": (lambda claims: _head(claims, typ=["JWT"]), "typ:"),
}


def _head(claims: Claims, **header: Any) -> str:  # Any: JSON
    """With a header of one's own, under the provider's own signature wherever the library lets itself be made to."""
    _old, body, signature = fake.signed(claims).split(".")
    return f"{fake.plain_part({'alg': 'RS256', 'kid': fake.KID, **header})}.{body}.{signature}"


@pytest.mark.parametrize("name", EVIL_TOKENS)
def test_an_evil_token_lets_nobody_in_and_is_told(north: Firm, ben: User, idp: Provider, name: str) -> None:
    set_up(north, idp)
    idp.make_token, reason = EVIL_TOKENS[name]
    browser = make_browser()
    page = sign_in(browser, north, idp, ben.email)
    _assert_refused(page, browser, north, reason)


EVIL_KEYS: dict[str, Callable[[], list[Any]]] = {  # Any: JSON
    "none": list,
    "a word": lambda: ["key"],
    "for sealing": lambda: [{**fake.rsa_key().as_dict(private=False), "use": "enc"}],
    "for wrapping": lambda: [{**fake.rsa_key().as_dict(private=False), "key_ops": ["wrapKey"]}],
    "operations are a word": lambda: [{**fake.rsa_key().as_dict(private=False), "key_ops": "verify"}],
    "a password": lambda: [{"kty": "oct", "k": "c2VjcmV0", "kid": fake.KID}],
    "kind in a list": lambda: [{**fake.rsa_key().as_dict(private=False), "kty": ["RSA"]}],
    "too small": lambda: [{"kty": "RSA", "n": fake.plain_part(b"\xff" * 128), "e": "AQAB", "kid": fake.KID}],
    "another curve": lambda: [ECKey.generate_key("P-384").as_dict(private=False)],
    "half a key": lambda: [{"kty": "RSA", "n": "AQAB"}],
    "no numbers": lambda: [{"kty": "RSA", "n": 5, "e": 7}],
    "exponent of one": lambda: [{**fake.rsa_key().as_dict(private=False), "e": "AQ"}],
}


@pytest.mark.parametrize("name", EVIL_KEYS)
def test_keys_that_prove_nothing(north: Firm, ben: User, idp: Provider, name: str) -> None:
    set_up(north, idp)
    idp.keys = EVIL_KEYS[name]()
    browser = make_browser()
    page = sign_in(browser, north, idp, ben.email)
    _assert_refused(page, browser, north, "Its keys can’t be used")


def test_a_key_for_another_algorithm_is_not_taken(north: Firm, ben: User, idp: Provider) -> None:
    set_up(north, idp)
    idp.keys = [{**fake.rsa_key().as_dict(private=False), "alg": "PS256"}]
    browser = make_browser()
    _assert_refused(sign_in(browser, north, idp, ben.email), browser, north, "signature:")


# Answers that are not for this browser, this try, this practice


def test_an_answer_works_once(north: Firm, ben: User, idp: Provider) -> None:
    set_up(north, idp)
    browser = make_browser()
    idp.email = ben.email
    location = fake.visit(leave(browser, north))
    held = browser.cookies["service"].value
    assert come_back(browser, location).status_code == 302
    browser.logout()
    browser.cookies["service"] = held
    assert come_back(browser, location).status_code == 403
    assert not is_in(browser)
    (said,) = told(north, AccountEvent.SERVICE_REFUSED)
    assert "used before" in said


def test_a_double_click_leaves_both_tries_good(north: Firm, ben: User, idp: Provider) -> None:
    set_up(north, idp)
    idp.email = ben.email
    browser = make_browser()
    browser.get(door(north))
    addresses = [str(browser.post(door(north)).context["address"]) for _ in range(2)]
    assert addresses[0] != addresses[1]
    assert come_back(browser, fake.visit(addresses[0])).status_code == 302


def test_the_button_pressed_twice_on_the_way_back_lets_in_once(north: Firm, ben: User, idp: Provider) -> None:
    set_up(north, idp)
    idp.email = ben.email
    browser = make_browser()
    location = fake.visit(leave(browser, north))
    parts = urlsplit(location)
    page = browser.get(f"{parts.path}?{parts.query}")
    first = browser.post(parts.path, page.context["told"])
    again = browser.post(parts.path, page.context["told"])
    assert (first.status_code, again.status_code) == (302, 403)
    assert is_in(browser)  # what the first let in stays in
    assert idp.seen.count("/token") == 1


def test_the_page_on_the_way_back_does_nothing_by_itself(north: Firm, ben: User, idp: Provider) -> None:
    set_up(north, idp)
    idp.email = ben.email
    browser = make_browser()
    parts = urlsplit(fake.visit(leave(browser, north)))
    pages = [browser.get(f"{parts.path}?{parts.query}") for _ in range(3)]
    assert all("no-store" in page["Cache-Control"] for page in pages)
    assert not is_in(browser)
    assert "/token" not in idp.seen


def test_another_browser_finishes_nothing(north: Firm, ben: User, idp: Provider) -> None:
    """Whoever is sent somebody else's answer would otherwise work in their name."""
    set_up(north, idp)
    idp.email = ben.email
    location = fake.visit(leave(make_browser(), north))
    for victim in (make_browser(), make_browser()):
        assert come_back(victim, location).status_code == 403
        assert not is_in(victim)
    other = make_browser()
    leave(other, north)
    assert come_back(other, location).status_code == 403
    assert all("not begun in this browser" in one for one in told(north, AccountEvent.SERVICE_REFUSED))


@pytest.mark.parametrize("state", ["", "x", "ä", "A" * 2000, "====", "AAAA" * 20])
def test_a_state_that_is_not_ours(north: Firm, ben: User, idp: Provider, state: str) -> None:
    set_up(north, idp)
    idp.email = ben.email
    browser = make_browser()
    location = fake.visit(leave(browser, north))
    assert come_back(browser, location, state=state).status_code == 403
    assert not is_in(browser)


def test_a_state_that_was_bent_by_one_letter(north: Firm, ben: User, idp: Provider) -> None:
    set_up(north, idp)
    idp.email = ben.email
    browser = make_browser()
    location = fake.visit(leave(browser, north))
    state = parse_qs(urlsplit(location).query)["state"][0]
    bent = state[:50] + ("A" if state[50] != "A" else "B") + state[51:]
    assert come_back(browser, location, state=bent).status_code == 403


def test_after_ten_minutes_it_is_too_late(north: Firm, ben: User, idp: Provider) -> None:
    set_up(north, idp)
    idp.email = ben.email
    browser = make_browser()
    location = fake.visit(leave(browser, north))
    with clock.frozen(clock.now() + dt.timedelta(minutes=10, seconds=1)):
        assert come_back(browser, location).status_code == 403
    assert "ten minutes" in told(north, AccountEvent.SERVICE_REFUSED)[0]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"iss": "https://evil.example"}, "iss:"),
        ({"iss": ""}, "iss:"),
        ({"code": ""}, "code:"),
        ({"code": "x" * 4097}, "code:"),
        ({"code": "made-up"}, "code: the service says invalid_grant"),
        ({"error": "access_denied"}, "the service let nobody in"),
    ],
)
def test_answers_that_are_no_answers(
    north: Firm, ben: User, idp: Provider, changed: dict[str, str], reason: str
) -> None:
    set_up(north, idp)
    idp.email = ben.email
    browser = make_browser()
    page = come_back(browser, fake.visit(leave(browser, north)), **changed)
    assert page.status_code == 403
    assert not is_in(browser)
    assert reason in told(north, AccountEvent.SERVICE_REFUSED)[0]


def test_a_sender_is_judged_even_where_none_is_promised(north: Firm, ben: User, idp: Provider) -> None:
    set_up(north, idp)
    idp.email, idp.names_itself = ben.email, False
    browser = make_browser()
    location = fake.visit(leave(browser, north))
    assert come_back(browser, location, iss="https://evil.example").status_code == 403


def test_settings_that_change_on_the_way_end_the_try(north: Firm, ben: User, idp: Provider) -> None:
    service = set_up(north, idp)
    idp.email = ben.email
    browser = make_browser()
    location = fake.visit(leave(browser, north))
    with tenancy.use(north.practice_side):
        service_switch(service=service, is_enabled=True, is_required=True, actor=TESTER)
    assert come_back(browser, location).status_code == 403
    assert "other settings" in told(north, AccountEvent.SERVICE_REFUSED)[0]


def test_the_same_refusal_is_told_once_a_minute(north: Firm, ben: User, idp: Provider) -> None:
    set_up(north, idp)
    browser = make_browser()
    for _ in range(5):
        browser.post(reverse("service_back", args=["north"]), {"state": "x", "code": "y"})
    assert len(told(north, AccountEvent.SERVICE_REFUSED)) == 1


# Whose account it is


def test_another_account_with_the_same_address_is_refused(north: Firm, ben: User, idp: Provider) -> None:
    service = set_up(north, idp)
    assert sign_in(make_browser(), north, idp, ben.email).status_code == 302
    idp.subject = "account-2"
    browser = make_browser()
    assert sign_in(browser, north, idp).status_code == 403
    assert not is_in(browser)
    assert "another account than before" in told(north, AccountEvent.SERVICE_REFUSED)[0]
    with tenancy.use(north.practice_side):
        account_forget(service=service, user=ben, actor=TESTER)
    assert len(told(north, AccountEvent.ACCOUNT_FORGOTTEN)) == 1
    assert sign_in(make_browser(), north, idp).status_code == 302


def test_an_account_that_got_a_colleagues_address_is_refused(north: Firm, ben: User, idp: Provider) -> None:
    set_up(north, idp)
    ida = join(north, "ida")
    assert sign_in(make_browser(), north, idp, ben.email).status_code == 302
    browser = make_browser()
    assert sign_in(browser, north, idp, ida.email).status_code == 403
    assert "account of another person" in told(north, AccountEvent.SERVICE_REFUSED)[0]
    idp.subject = "account-ida"
    assert sign_in(make_browser(), north, idp, ida.email).status_code == 302
    idp.subject = "account-1"
    assert sign_in(make_browser(), north, idp, ida.email).status_code == 403


def test_who_left_does_not_come_in(north: Firm, ben: User, idp: Provider) -> None:
    set_up(north, idp)
    with tenancy.use(north.practice_side):
        Membership.objects.filter(user=ben).update(ended_at=clock.now())
    browser = make_browser()
    assert sign_in(browser, north, idp, ben.email).status_code == 403
    assert not is_in(browser)


def test_who_was_switched_off_does_not_come_in(north: Firm, ben: User, idp: Provider) -> None:
    set_up(north, idp)
    User.objects.filter(pk=ben.pk).update(is_active=False)
    browser = make_browser()
    assert sign_in(browser, north, idp, ben.email).status_code == 403
    assert not is_in(browser)


# One practice's service is nobody in another's


@pytest.fixture
def rogue(db: None, north: Firm, idp: Provider) -> Firm:
    """A practice whose owner runs the provider, and who has made north's owner a member: that takes an address only."""
    firm = make_firm("rogue")
    with tenancy.use(firm.practice_side):
        person = Person(email=north.owner.email, name="Maya")
        membership_add(practice=firm.practice, person=person, role=MemberRole.OWNER, actor=TESTER)
    service = set_up(firm, idp)
    with tenancy.use(firm.practice_side):
        SignInService.objects.filter(pk=service.pk).update(domains=["north.example", "rogue.example"])
    return firm


def test_a_rogue_practice_gets_nowhere_with_somebody_elses_name(
    north: Firm, rogue: Firm, idp: Provider
) -> None:
    """Its provider vouches for north's owner: without that person's own factor the session opens nothing at all."""
    browser = make_browser()
    assert sign_in(browser, rogue, idp, north.owner.email).status_code == 302
    assert browser.session["only_practice"] == str(rogue.practice.pk)
    shown = browser.get(reverse("factor_show"))
    assert shown.status_code == 403  # no factor yet, and none can be set up from here
    assert browser.get(CONSOLE).status_code == 302
    for name in (
        "factors",
        "factor_totp",
        "factor_passkey",
        "factor_recovery_codes",
        "sessions",
        "welcome",
        "client_home",
    ):
        assert browser.get(reverse(name)).status_code == 403, name
        assert browser.post(reverse(name)).status_code in {403, 405}, name
    assert browser.post(reverse("passkey_options")).status_code == 403


def test_even_with_the_factor_the_session_stays_in_its_practice(
    north: Firm, rogue: Firm, idp: Provider
) -> None:
    code = give_app(north.owner)
    seat = make_contact(north, "extra", ContactRole.VIEWER).client  # a client whom she sits at as well
    with tenancy.use(north.practice_side):
        Contact.objects.create(
            practice=north.practice, client=seat, user=north.owner, role=ContactRole.VIEWER
        )
        place = Membership.objects.get(user=north.owner)
    browser = make_browser()
    sign_in(browser, rogue, idp, north.owner.email)
    browser.post(reverse("factor_show"), {"code": code})
    page = browser.get(CONSOLE)
    assert page.status_code == 200
    assert "Rogue console" in page.content.decode()
    assert "North" not in page.content.decode()
    assert browser.post(reverse("choose"), {"seat": str(place.pk)}).status_code == 404
    chooser = browser.get(reverse("choose")).content.decode()
    assert "Rogue" in chooser
    assert "North" not in chooser
    session = browser.session
    session["seat"] = str(place.pk)  # even if it stood there
    session.save()
    assert "Rogue console" in browser.get(CONSOLE).content.decode()
    assert browser.get(reverse("client_home")).status_code == 403
    assert browser.get(reverse("factors")).status_code == 403
    assert browser.get(reverse("home"))["Location"] == CONSOLE


def test_a_service_opens_only_its_own_practice(north: Firm, ben: User, rogue: Firm, idp: Provider) -> None:
    """Ben is no member of the rogue practice, and its provider's word is nothing to north."""
    assert sign_in(make_browser(), rogue, idp, ben.email).status_code == 403
    assert make_browser().post(door(north)).status_code == 404
    other = make_browser()
    idp.email = north.owner.email
    location = fake.visit(leave(other, rogue))
    assert come_back(other, location.replace("/rogue/", "/north/")).status_code == 404
    assert not is_in(other)


def test_an_answer_for_one_practice_is_none_for_another(north: Firm, ben: User, rogue: Firm) -> None:
    with fake.running() as own:
        set_up(north, own)
        own.email = ben.email
        browser = make_browser()
        location = fake.visit(leave(browser, north))
        page = come_back(browser, location.replace("/north/", "/rogue/"))
        assert page.status_code == 403
        assert not is_in(browser)


def test_wrong_codes_of_such_a_session_lock_nobody_out_elsewhere(
    north: Firm, rogue: Firm, idp: Provider
) -> None:
    code = give_app(north.owner)
    browser = make_browser()
    sign_in(browser, rogue, idp, north.owner.email)
    for _ in range(6):
        browser.post(reverse("factor_show"), {"code": "000000"})
    assert len(told(rogue, AccountEvent.FACTOR_LOCKED)) == 1
    assert told(north, AccountEvent.FACTOR_LOCKED) == []
    own = make_browser()
    let_in(own, north.owner, factor=None)
    assert own.post(reverse("factor_show"), {"code": code}).status_code == 302


def test_only_that_practice_hears_of_the_sign_in(north: Firm, rogue: Firm, idp: Provider) -> None:
    sign_in(make_browser(), rogue, idp, north.owner.email)
    assert len(told(rogue, AccountEvent.SIGNED_IN)) == 1
    assert told(north, AccountEvent.SIGNED_IN) == []


def test_a_later_sign_in_of_ones_own_is_free_again(north: Firm, ben: User, idp: Provider) -> None:
    """The mark of the one practice goes with the session that had it."""
    set_up(north, idp)
    browser = make_browser()
    sign_in(browser, north, idp, ben.email)
    browser.post(reverse("account_logout"))
    let_in(browser, ben)
    assert "only_practice" not in browser.session
    assert browser.get(reverse("factors")).status_code == 200


def test_coming_in_by_a_service_takes_the_shown_factor_away(north: Firm, ben: User, idp: Provider) -> None:
    set_up(north, idp)
    browser = make_browser()
    let_in(browser, ben)
    assert sign_in(browser, north, idp, ben.email).status_code == 302
    assert "factor" not in browser.session
    assert browser.get(CONSOLE).status_code == 302


# Required, and switched off


def test_where_it_is_required_other_ways_do_not_open_the_console(
    north: Firm, ben: User, idp: Provider
) -> None:
    set_up(north, idp, required=True)
    browser = make_browser()
    let_in(browser, ben)
    page = browser.get(CONSOLE)
    assert page.status_code == 403
    assert door(north) in page.content.decode()
    assert browser.post("/console/accounts/client/add/", {"name": "X"}).status_code == 403
    sign_in(browser, north, idp, ben.email)
    session = browser.session
    session["factor"] = FactorKind.TOTP.value
    session.save()
    assert browser.get(CONSOLE).status_code == 200


def test_owners_always_come_in_by_code_and_factor(north: Firm, idp: Provider) -> None:
    set_up(north, idp, required=True)
    browser = make_browser()
    let_in(browser, north.owner)
    assert browser.get(CONSOLE).status_code == 200


def test_it_is_required_only_there(north: Firm, ben: User, idp: Provider) -> None:
    """A member's seats elsewhere are no business of the practice that asks for its own sign-in."""
    set_up(north, idp, required=True)
    south = make_firm("south")
    with tenancy.use(south.practice_side):
        person = Person(email=ben.email, name="Ben")
        other = membership_add(
            practice=south.practice, person=person, role=MemberRole.CONSULTANT, actor=TESTER
        )
    browser = make_browser()
    let_in(browser, User.objects.get(pk=ben.pk))
    assert browser.post(reverse("choose"), {"seat": str(other.pk)})["Location"] == CONSOLE
    assert "South console" in browser.get(CONSOLE).content.decode()


def test_switched_off_it_lets_nobody_in_and_ends_what_it_opened(
    north: Firm, ben: User, idp: Provider
) -> None:
    service = set_up(north, idp)
    browser = make_browser()
    sign_in(browser, north, idp, ben.email)
    session = browser.session
    session["factor"] = FactorKind.TOTP.value
    session.save()
    assert browser.get(CONSOLE).status_code == 200
    with tenancy.use(north.practice_side):
        service_switch(service=service, is_enabled=False, is_required=True, actor=TESTER)
    assert browser.get(CONSOLE).status_code == 403
    assert make_browser().post(door(north)).status_code == 404
    with tenancy.use(north.practice_side):
        assert not SignInService.objects.get(pk=service.pk).is_required


# Who asks learns nothing


def test_the_door_looks_the_same_whether_there_is_a_practice_or_not(north: Firm, idp: Provider) -> None:
    set_up(north, idp)
    south = make_firm("south")  # a practice without a service
    pages = [make_browser().get(reverse("service_door", args=[code])) for code in ("north", "south", "never")]
    bodies = {
        page.content.decode().replace(code, "CODE").split("csrfmiddlewaretoken")[0]
        for page, code in zip(pages, ("north", "south", "never"), strict=True)
    }
    assert len(bodies) == 1
    closed = [make_browser().post(reverse("service_door", args=[code])) for code in ("south", "never")]
    assert {page.status_code for page in closed} == {404}
    assert len({REFERENCE.sub(b"", page.content) for page in closed}) == 1
    assert told(south, AccountEvent.SERVICE_REFUSED) == []


def test_the_practice_is_picked_by_its_short_name(north: Firm) -> None:
    page = make_browser().post(reverse("service_pick"), {"practice": " North "})
    assert page["Location"] == door(north)
    assert make_browser().post(reverse("service_pick"), {"practice": "no/thing"}).status_code == 422
    assert door(north) not in make_browser().get(reverse("account_login")).content.decode()
    assert reverse("service_pick") in make_browser().get(reverse("account_login")).content.decode()


def test_nobody_makes_the_portal_knock_without_end(north: Firm, idp: Provider) -> None:
    set_up(north, idp)
    browser = make_browser()
    pages = [browser.post(door(north)) for _ in range(31)]
    assert {page.status_code for page in pages[:30]} == {200}
    assert pages[30].status_code == 302
    assert len(idp.seen) == 30


# When the provider is not well

DOWN: dict[str, Callable[[Provider], None]] = {
    "nobody there": lambda idp: idp.server.socket.close(),
    "an error": lambda idp: idp.bodies.update({"/.well-known/openid-configuration": (500, b"{}")}),
    "a page": lambda idp: idp.bodies.update({"/.well-known/openid-configuration": (200, b"<html>")}),
    "a list": lambda idp: idp.bodies.update({"/.well-known/openid-configuration": (200, b"[]")}),
    "too much": lambda idp: idp.bodies.update(
        {"/.well-known/openid-configuration": (200, b'{"x":"' + b"y" * 300_000 + b'"}')}
    ),
    "deep": lambda idp: idp.bodies.update(
        {"/.well-known/openid-configuration": (200, b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}")}
    ),
    "sends elsewhere": lambda idp: (
        idp.headers.update({"Location": f"{idp.issuer}/jwks"}),
        idp.bodies.update({"/.well-known/openid-configuration": (302, b"{}")}),
    )[0],
    "calls itself otherwise": lambda idp: setattr(
        idp, "change_discovery", lambda said: {**said, "issuer": "https://evil.example"}
    ),
    "no token address": lambda idp: setattr(
        idp, "change_discovery", lambda said: {**said, "token_endpoint": None}
    ),
    "token address inside": lambda idp: setattr(
        idp, "change_discovery", lambda said: {**said, "token_endpoint": "https://10.0.0.1/token"}
    ),
    "sign-in address is a script": lambda idp: setattr(
        idp, "change_discovery", lambda said: {**said, "authorization_endpoint": "javascript:alert(1)"}
    ),
    "signs with passwords": lambda idp: setattr(
        idp,
        "change_discovery",
        lambda said: {**said, "id_token_signing_alg_values_supported": ["HS256", "none"]},
    ),
    "no code flow": lambda idp: setattr(
        idp, "change_discovery", lambda said: {**said, "response_types_supported": ["id_token"]}
    ),
    "no client secrets": lambda idp: setattr(
        idp,
        "change_discovery",
        lambda said: {**said, "token_endpoint_auth_methods_supported": ["private_key_jwt"]},
    ),
}


@pytest.mark.parametrize("name", DOWN)
def test_a_provider_that_is_not_well_offers_the_code_instead(north: Firm, idp: Provider, name: str) -> None:
    set_up(north, idp)
    DOWN[name](idp)
    browser = make_browser()
    page = browser.post(door(north))
    assert page.status_code == 503
    said = page.content.decode()
    assert said.count('class="btn"') == 1  # one next step
    assert f'href="{reverse("account_login")}"' in said
    assert len(told(north, AccountEvent.SERVICE_REFUSED)) == 1


@pytest.mark.parametrize("path", ["/token", "/jwks", "/.well-known/openid-configuration"])
def test_a_provider_that_falls_over_on_the_way(north: Firm, ben: User, idp: Provider, path: str) -> None:
    set_up(north, idp)
    idp.email = ben.email
    browser = make_browser()
    location = fake.visit(leave(browser, north))
    idp.bodies[path] = (503, b"{}")
    page = come_back(browser, location)
    assert page.status_code == 503
    assert not is_in(browser)


def test_a_token_address_that_answers_with_a_page(north: Firm, ben: User, idp: Provider) -> None:
    set_up(north, idp)
    idp.bodies["/token"] = (200, b"<html>")
    browser = make_browser()
    assert sign_in(browser, north, idp, ben.email).status_code == 503
    assert not is_in(browser)


def test_a_wrong_client_secret_is_told_to_the_owner(north: Firm, ben: User, idp: Provider) -> None:
    set_up(north, idp)
    idp.client_secret = "renewed"
    browser = make_browser()
    assert sign_in(browser, north, idp, ben.email).status_code == 403
    assert "invalid_client" in told(north, AccountEvent.SERVICE_REFUSED)[0]


def test_a_secret_that_no_key_opens(north: Firm, idp: Provider) -> None:
    service = set_up(north, idp)
    with tenancy.use(north.practice_side):
        SignInService.objects.filter(pk=service.pk).update(client_secret=b"\x02broken")
    assert make_browser().post(door(north)).status_code == 503
    assert "opens no more" in told(north, AccountEvent.SERVICE_REFUSED)[0]


def test_settings_changed_between_reading_and_letting_in(north: Firm, ben: User, idp: Provider) -> None:
    """The provider is slow, and meanwhile the owner changes the settings: what it says then counts no more."""
    service = set_up(north, idp)

    def meanwhile(claims: Claims) -> Claims:
        changing.append(True)
        return claims

    changing: list[bool] = []
    idp.change_claims, idp.email = meanwhile, ben.email
    browser = make_browser()
    location = fake.visit(leave(browser, north))
    judged = id_tokens.token_judge

    def judge_late(*args: Any, **named: Any) -> Any:  # Any: the function's own
        vouched = judged(*args, **named)
        with tenancy.use(tenancy.NOBODY), tenancy.use(north.practice_side):
            wanted = Wanted(issuer=service.issuer, client_id=service.oauth_client, domains=["other.example"])
            service_change(service=service, wanted=wanted, actor=TESTER)
        return vouched

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(id_tokens, "token_judge", judge_late)
        assert come_back(browser, location).status_code == 403
    assert changing
    assert not is_in(browser)
    assert "other settings" in told(north, AccountEvent.SERVICE_REFUSED)[0]
