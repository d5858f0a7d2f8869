"""Every page says what it is, and nobody can be asked to serve them elsewhere. Who listens where: contract/."""

from __future__ import annotations

import re
import subprocess
import sys
from html import unescape

from tests.awsaccess.sandbox.making import enter, make_role
from tests.awsaccess.sandbox.test_flow import (
    CONSOLE,
    access_template,
    create,
    post_form,
    publish,
    signin_form,
)
from tests.plugins.sandbox_process import BRIGHTWATER, Browser, SandboxProcess

LABEL = "Sandbox: simulated AWS"


def test_there_is_no_option_for_another_address() -> None:
    """What cannot be asked for cannot be done by mistake."""
    command = [sys.executable, "-m", "awsaccess.sandbox", "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert set(re.findall(r"--[a-z-]+", shown)) == {"--help", "--port", "--state-dir", "--portal-origin"}


def crawl(browser: Browser, start: str) -> dict[str, str]:
    """Every page of the console that links lead to."""
    pages: dict[str, str] = {}
    ahead = [start]
    while ahead:
        path = ahead.pop()
        if path in pages:
            continue
        pages[path] = browser.get(path)[1]
        found = re.findall(r'<a [^>]*href="(/(?!_sandbox/static)[^"]*)"', pages[path])
        ahead += [unescape(address) for address in found]
    return pages


def test_every_page_says_that_it_is_simulated(sandbox: SandboxProcess) -> None:
    """In its title and at its top; pages that refuse something as well."""
    client = sandbox.browser()
    pages = {"sign-in": client.get("/console/sign-in")[1]}
    client.sign_in(BRIGHTWATER)
    create(client, publish(sandbox, access_template()))
    pages |= crawl(client, "/console/")
    assert any(path.startswith("/cloudformation/stack?") for path in pages)
    assert any(path.startswith("/iam/role?name=") for path in pages)
    pages["home"] = client.get("/cloudformation/home?region=eu-west-1")[1]
    pages["review"] = client.get("/cloudformation/review?region=eu-west-1")[1]
    pages["unknown"] = client.get("/cloudformation/nope")[1]
    pages["no such role"] = client.get("/iam/role?name=nope")[1]
    pages["no such account"] = client.post("/console/sign-in", account_id="1")[1]
    pages["from elsewhere"] = sandbox.http("GET", "/console/", headers={"Host": "rebound.example"})[2]
    pages["bad token"] = post_form(
        sandbox, "/federation", {"Action": "login", "SigninToken": "x", "Destination": CONSOLE}
    )[1]
    pages["controls"] = sandbox.http("GET", "/_sandbox/")[2]
    for name, page in pages.items():
        assert re.search(rf"<title>[^<]*{LABEL}</title>", page), name
        assert re.search(rf'<p class="banner"><strong>{LABEL}\.</strong>', page), name


def test_a_consultants_pages_say_so_too(sandbox: SandboxProcess) -> None:
    """Also when the session has run out."""
    session = enter(sandbox, make_role(sandbox))
    _, answer = post_form(sandbox, "/federation", signin_form(session))
    token = answer.partition('"SigninToken": "')[2].partition('"')[0]
    consultant = sandbox.browser()
    consultant.post("/federation", Action="login", Destination=CONSOLE, SigninToken=token)
    pages = crawl(consultant, "/console/")
    sandbox.control("PUT", "clock", offset_seconds=3601)
    pages["over"] = consultant.get("/iam/roles")[1]
    assert "Your session has ended" in pages["over"]
    for name, page in pages.items():
        assert page.count(LABEL) >= 2, name
