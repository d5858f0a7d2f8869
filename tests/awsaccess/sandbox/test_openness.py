"""What anybody may see of the sandbox, and from where: loopback only, and every page says what it is."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from html import unescape
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.awsaccess.sandbox.contract.ministack_process import Ministack, is_installed
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


def is_reachable(host: str, base_url: str) -> bool:
    """Does anybody listen on this address and the port of that one?"""
    try:
        socket.create_connection((host, urlsplit(base_url).port or 0), timeout=5).close()
    except OSError:
        return False
    return True


# All of 127/8 is this machine: who listens on every address answers on 127.0.0.2 too, who listens on one does not.
@pytest.mark.allow_hosts(["127.0.0.1", "127.0.0.2"])
def test_the_sandbox_listens_on_one_address_only(sandbox: SandboxProcess) -> None:
    """Nobody else on the network may use it, or be taken in by it."""
    assert is_reachable("127.0.0.1", sandbox.base_url)
    assert not is_reachable("127.0.0.2", sandbox.base_url)


@pytest.mark.allow_hosts(["127.0.0.1", "127.0.0.2"])
@pytest.mark.skipif(not is_installed(), reason="`make ministack` gets the second simulated AWS")
def test_so_does_the_second_judge(tmp_path: Path) -> None:
    """Left alone it would listen on all of them."""
    with Ministack(tmp_path) as ministack:
        assert is_reachable("127.0.0.1", ministack.base_url)
        assert not is_reachable("127.0.0.2", ministack.base_url)


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
