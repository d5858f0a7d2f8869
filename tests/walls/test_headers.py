"""What every answer says to browsers and caches, under the settings of a real installation."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import Any, Final

import pytest
from django.http import HttpResponseBase
from django.test import Client as Browser

from tests.walls.actors import Walker, World
from tests.walls.addresses import addresses, payload

HOST: Final = "portal.example.com"
PRODUCTION: Final = {
    "SITE_URL": f"https://{HOST}",
    "SECRET_KEY": "k" * 60,
    "DEMO_MODE": "",
    "ALLOWED_HOSTS": HOST,
}
TOLD: Final = (
    "SECURE_",
    "SESSION_COOKIE_",
    "CSRF_",
    "X_FRAME",
    "CONTENT_SECURITY",
    "ALLOWED_HOSTS",
    "USE_TLS",
)
POLICY: Final = {
    "default-src": {"'none'"},
    "script-src": {"'self'"},
    "style-src": {"'self'"},
    "img-src": {"'self'"},
    "font-src": {"'self'"},
    "connect-src": {"'self'"},
    "form-action": {"'self'"},
    "base-uri": {"'none'"},
    "frame-ancestors": {"'none'"},
}
OPEN: Final = "admin:engagements_engagement_open"
# Nothing that runs or is styled in the page itself, and nothing that names a script by an address of its own kind.
INLINE: Final = re.compile(
    r"<style|<script(?![^>]*\ssrc=\"/static/)|\sstyle\s*=|\son[a-z]+\s*=\s*[\"']|javascript:|hx-on",
    re.IGNORECASE,
)
EXPORTS: Final = {
    "text/html",
    "text/plain",
    "text/css",
    "text/csv",
    "text/x-shellscript",
    "application/json",
    "application/pdf",
    "application/zip",
}
# Named after the bytes: the same for everybody, for ever.
FOR_EVERYBODY: Final = frozenset({"brand_sheet"})


def _production() -> dict[str, Any]:  # Any: settings of every kind
    """The settings as a process on a real host reads them."""
    code = (
        "import json, portal.settings as s; "
        f"print(json.dumps({{k: v for k, v in vars(s).items() if k.startswith({TOLD!r})}}))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **PRODUCTION},
        check=True,
        capture_output=True,
        text=True,
    )
    told: dict[str, Any] = json.loads(found.stdout)
    return told


@pytest.fixture(scope="module")
def production() -> dict[str, Any]:  # Any: as above
    """Read once."""
    return _production()


@pytest.fixture
def safe(
    world: World, production: dict[str, Any], settings: Any
) -> World:  # Any: pytest-django's private type
    """The world behind TLS."""
    for name, value in production.items():
        setattr(settings, name, value)
    return world


def _get(browser: Browser, path: str, **more: Any) -> HttpResponseBase:  # Any: the test client's own
    return browser.get(path, secure=True, SERVER_NAME=HOST, **more)


def policy_of(answer: HttpResponseBase) -> dict[str, set[str]]:
    """The directives of the one policy that an answer carries."""
    parts = [part.split() for part in answer["Content-Security-Policy"].split(";")]
    assert len({name for name, *_ in parts}) == len(parts)
    return {name: set(values) for name, *values in parts}


def _check_headers(answer: HttpResponseBase, where: str) -> None:
    assert "Content-Security-Policy-Report-Only" not in answer
    assert answer["X-Content-Type-Options"] == "nosniff", where
    assert answer["X-Frame-Options"] == "DENY", where
    assert answer["Cross-Origin-Opener-Policy"] == "same-origin", where
    assert answer["Cross-Origin-Resource-Policy"] == "same-origin", where
    assert answer["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains; preload", where
    assert answer["Referrer-Policy"] == (
        "strict-origin" if " i/" in where or " to/" in where else "same-origin"
    ), where
    assert answer["X-Robots-Tag"] == "noindex", where
    for feature in ("camera", "microphone", "geolocation", "payment", "usb", "display-capture"):
        assert f"{feature}=()" in answer["Permissions-Policy"], where
    assert "*" not in answer["Permissions-Policy"]
    assert not [name for name in answer.headers if name.startswith("Access-Control-")], where
    assert "Server" not in answer
    assert "X-Powered-By" not in answer


def _check_cookies(answer: HttpResponseBase, where: str) -> None:
    for name, cookie in answer.cookies.items():
        assert name.startswith("__Host-"), (where, name)
        assert cookie["secure"], (where, name)
        if cookie["max-age"] != 0:  # one that is taken away needs no more than its place
            assert cookie["httponly"], (where, name)
            assert cookie["samesite"] == "Lax", (where, name)
        assert cookie["path"] == "/", (where, name)
        assert not cookie["domain"], (where, name)


@pytest.mark.parametrize("actor", ["anonymous", "a_owner", "x_approver"])
def test_every_answer_carries_every_header(safe: World, actor: str) -> None:
    """Pages, redirects and refusals alike, and what answers a form."""
    walker = Walker(world=safe, actor=actor)
    for one in addresses():
        for method in ("GET", "POST"):
            browser = walker.ready()
            room = safe.rooms["X"]
            where = f"{method} {one.route}"
            told = {"secure": True, "SERVER_NAME": HOST}
            if method == "POST":
                answer = browser.post(one.at(room), payload(one.name, safe, actor, room), **told)  # type: ignore[arg-type]
                walker.posted(one.name)
            else:
                answer = browser.get(one.at(room), **told)  # type: ignore[arg-type]
            _check_headers(answer, where)
            _check_cookies(answer, where)
            policy = policy_of(answer)
            if one.name == OPEN and method == "POST" and answer.status_code == 200:
                hosts = policy.pop("form-action") - {"'self'"}
                assert hosts
                assert all(
                    re.fullmatch(r"https://[a-z0-9.*-]+\.aws\.amazon\.com|https://\*\.aws\.amazon\.com", host)
                    for host in hosts
                )
                policy["form-action"] = {"'self'"}
            assert policy == POLICY, where
            if one.name in FOR_EVERYBODY and answer.status_code == 200:
                assert answer["Cache-Control"] == "max-age=31536000, public, immutable", where
            elif actor != "anonymous" or " i/" in where or " to/" in where:
                assert answer["Cache-Control"] == "no-store", where
            kind = answer.get("Content-Type", "text/html").partition(";")[0]
            # An export in another form, such as CSV, needs its own tests (formulas) before it joins this list.
            assert kind in EXPORTS, where
            if kind == "text/html":
                assert not INLINE.search(answer.content.decode()), (
                    where,
                    INLINE.search(answer.content.decode()),
                )


def test_signing_in_and_out_carries_them_too(safe: World) -> None:
    browser = Browser()
    first = _get(browser, "/account/login/")
    assert first.cookies
    _check_cookies(first, "sign-in")
    assert "no-store" in first["Cache-Control"]
    answer = browser.post("/account/login/", {"email": "a@b.example"}, secure=True, SERVER_NAME=HOST)
    _check_cookies(answer, "address")
    assert "__Host-sessionid" in answer.cookies
    code = _get(browser, "/account/login/code/")
    assert code.status_code == 200
    assert "no-store" in code["Cache-Control"]
    invited = browser.post(f"/i/{safe.rooms['X'].token}/", secure=True, SERVER_NAME=HOST)
    assert "__Host-sessionid" in invited.cookies
    assert invited["Cache-Control"] == "no-store"
    _check_cookies(invited, "invited")


def test_refusals_of_the_outermost_layers_carry_them(safe: World) -> None:
    strict = safe.browser("x_approver", strict=True)
    refused = {
        "csrf": strict.post("/choose/", secure=True, SERVER_NAME=HOST),
        "no such page": _get(Browser(), "/nowhere/"),
        "too large": Browser().post(
            "/", "x" * 300_000, content_type="text/plain", secure=True, SERVER_NAME=HOST
        ),
        "host": Browser().get("/", secure=True, SERVER_NAME="evil.example"),
    }
    assert [answer.status_code for answer in refused.values()] == [403, 404, 413, 400]
    for where, answer in refused.items():
        _check_headers(answer, where)
        assert policy_of(answer) == POLICY


def test_an_error_of_our_own_carries_them(safe: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: object, **_named: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("accounts.selectors.named_seats_of", broken)
    browser = safe.browser("x_approver")
    browser.raise_request_exception = False
    answer = _get(browser, "/choose/")
    assert answer.status_code == 500
    _check_headers(answer, "500")
    assert policy_of(answer) == POLICY
    assert answer["Cache-Control"] == "no-store"


def test_plain_http_is_led_to_tls_and_says_nothing_else(safe: World) -> None:
    for path in ("/", "/account/login/", "/console/", "/e/abc/?x=1"):
        answer = safe.browser("a_owner").get(path, SERVER_NAME=HOST)
        assert answer.status_code == 301
        assert answer["Location"] == f"https://{HOST}{path}"
        assert not answer.content
        assert not answer.cookies
    assert Browser().get("/", SERVER_NAME="evil.example").status_code == 400
