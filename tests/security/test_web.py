"""What every answer carries and no request can choose: policy, caching, and the host that stands in links."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from django.test import Client as Browser

import engagements.tasks  # noqa: F401  # the worker's handlers
from tests.awsaccess.services.worlds import InMemory
from tests.mailbox import Mailbox
from tests.pages import stage

ROOT: Final = Path(__file__).resolve().parents[2]
HREF: Final = re.compile(r'(?:href|action)="(/[^"#?]*)')
FORBIDDEN: Final = ("unsafe", "data:", "*", "http:", "nonce", "blob:")


def every_page(browser: Browser, *starts: str) -> dict[str, object]:
    """Every page that links lead to from these, by its address."""
    waiting, seen = list(starts), dict.fromkeys(starts)
    found: dict[str, object] = {}
    while waiting and len(found) < 120:
        path = waiting.pop(0)
        answer = browser.get(path)
        found[path] = answer
        if answer.headers.get("Content-Type", "").startswith("text/html"):
            new = [one for one in HREF.findall(answer.content.decode()) if one not in seen]
            seen |= dict.fromkeys(new)
            waiting += [one for one in new if not one.startswith(("/static/", "/account/logout"))]
    return found


@pytest.mark.django_db
@pytest.mark.parametrize("who", ["sam", "maya"])
def test_every_page_has_the_strict_policy_and_is_kept_nowhere(who: str) -> None:
    scene = stage.visited()
    browser = scene.browser(getattr(scene, who))
    pages = every_page(browser, scene.path() if who == "sam" else "/console/")
    assert len(pages) > 5
    for path, answer in pages.items():
        headers = answer.headers  # type: ignore[attr-defined]  # the test client's own type
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy, path
        assert not [word for word in FORBIDDEN if word in policy], path
        assert headers["Cache-Control"] == "no-store", path
        assert headers["X-Content-Type-Options"] == "nosniff", path
        assert headers["X-Frame-Options"] == "DENY", path
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin", path


@pytest.mark.django_db
@pytest.mark.parametrize("who", ["sam", "maya"])
def test_no_page_has_a_script_or_style_of_its_own(who: str) -> None:
    scene = stage.visited()
    pages = every_page(scene.browser(getattr(scene, who)), scene.path() if who == "sam" else "/console/")
    for path, answer in pages.items():
        if answer.headers.get("Content-Type", "").startswith("text/html"):  # type: ignore[attr-defined]  # as above
            text = answer.content.decode()  # type: ignore[attr-defined]  # as above
            assert not re.search(r"<script(?![^>]*\bsrc=)[^>]*>", text), path
            assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:|hx-on", text), path


@pytest.mark.django_db
@pytest.mark.parametrize(
    "host", ["evil.example", "testserver@evil.example", "e/vil", "testserver.evil.example"]
)
def test_another_host_is_refused(host: str) -> None:
    assert Browser().get("/account/login/", headers={"host": host}).status_code == 400


def test_links_in_mails_name_our_host_whatever_the_request_says(
    real_db: None, memory: InMemory, mailbox: Mailbox, deliver: Callable[[], int]
) -> None:
    scene = stage.set_stage()
    maya = scene.browser(scene.maya)
    url = f"/console/engagements/engagement/{scene.engagement.code}/send/"
    evil = {"host": "localhost", "x-forwarded-host": "evil.example", "forwarded": "host=evil.example"}
    assert maya.post(url, {"confirm": "yes"}, headers=evil).status_code == 302
    deliver()
    links = re.findall(r"https?://[^/\s]+", mailbox.text() + mailbox.html())
    assert "http://testserver" in links
    assert not [link for link in links if "evil" in link or "localhost" in link]


# As it is set up for https.


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:  # Any: JSON
    """What a process with production's settings answers."""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "PORTAL_PROCESS": "web",
        "SITE_URL": "https://portal.example.com",
        "STATIC_ROOT": str(tmp_path_factory.mktemp("static")),
        "PYTHONWARNINGS": "ignore",
    }
    command = [sys.executable, "-m", "tests.security.production_answer"]
    said = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    told: dict[str, Any] = json.loads(said.stdout)
    return told


def test_cookies_are_for_this_host_over_tls_and_not_for_scripts(production: dict[str, Any]) -> None:
    assert production["session_cookie"] == ["__Host-sessionid", True, True, "Lax", None, "/"]
    for where, name in (("cookies", "__Host-csrftoken"), ("kept", "__Host-kept")):
        (cookie,) = production[where].items()
        assert cookie[0] == name
        assert (cookie[1]["secure"], cookie[1]["httponly"], cookie[1]["samesite"]) == (True, True, "Lax")
        assert (cookie[1]["domain"], cookie[1]["path"]) == ("", "/")


def test_browsers_are_told_to_come_by_tls_for_a_year(production: dict[str, Any]) -> None:
    told = production["headers"]["Strict-Transport-Security"]
    assert told == "max-age=31536000; includeSubDomains; preload"
    assert production["plain"] == [301, "https://portal.example.com/account/login/"]


def test_nothing_of_development_is_left_on(production: dict[str, Any]) -> None:
    assert production["debug"] is False
    assert production["traced"] == 405


DEPLOYED: Final = {
    "PORTAL_PROCESS": "web",
    "SITE_URL": "https://portal.example.com",
    "SECRET_KEY": "".join(map(chr, range(48, 123))),
    "REDIS_URL": "redis://localhost/0",
    "EMAIL_URL": "smtp://localhost:25",
    "MAIL_FROM": "portal@example.com",
    "DATABASE_URL": "postgresql://portal_web:x@127.0.0.1:1/portal",
    "PYTHONWARNINGS": "ignore::RuntimeWarning",  # the database is not asked, and says so
    "DJANGO_SETTINGS_MODULE": "portal.settings",
    "PATH": os.environ["PATH"],
}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, "System check identified no issues (0 silenced)."),
        ({"SECRET_KEY": "k" * 60}, "(security.W009)"),  # else finding nothing would prove nothing
    ],
)
def test_djangos_deploy_check_warns_of_nothing_and_nothing_is_silenced(
    change: dict[str, str], said: str
) -> None:
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "DEBUG"]
    found = subprocess.run(
        command, cwd=ROOT, env=DEPLOYED | change, capture_output=True, text=True, check=False
    )
    assert said in found.stdout + found.stderr
    assert (found.returncode == 0) == (not change)
