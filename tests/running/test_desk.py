"""The newcomer's desk: only in the demo, shows everything, changes nothing, and frames mails safely."""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest
from django.http import HttpResponse, HttpResponseBase
from django.test import Client, override_settings
from django.urls import include, path

from portal.demo import mailbox

urlpatterns = [path("demo/", include("portal.demo.urls"))]
HTML = '<!doctype html><html><head><title>x</title></head><body style="color:red"><a href="/i/t/">Go</a></body></html>'
PEOPLE = [
    {
        "name": "Maya Okafor",
        "email": "Maya@northgate.example",
        "organisation": "Northgate Cloud",
        "extra": "x",
    },
    {"name": "Sam", "email": "sam@brightwater.example", "what": "Agrees", "door": "/e/abc/"},
]
WORLD = {
    "endpoint": "http://127.0.0.1:1234",
    "accounts": {
        "441709265583": {"name": "Brightwater Dental", "kind": "client", "admin_secret": "not-for-eyes"}
    },
}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Where the demo's launcher would have put things."""
    (tmp_path / "mail").mkdir()
    with override_settings(
        ROOT_URLCONF=__name__,
        DEMO_MODE=True,
        DEMO_MAIL_DIR=str(tmp_path / "mail"),
        DEMO_WORLD_FILE=str(tmp_path / "accounts.json"),
    ):
        yield tmp_path


def deliver(
    folder: Path,
    *,
    plain: str,
    html: str = "",
    subject: str = "Hello",
    to: str = "Maya <maya@northgate.example>",
    age: int = 0,
) -> str:
    """Put one mail where the catcher would; returns its name. `age` in seconds."""
    letter = EmailMessage()
    letter["Subject"], letter["From"], letter["To"] = subject, "portal@northgate.example", to
    letter.set_content(plain)
    if html:
        letter.add_alternative(html, subtype="html")
    name = f"{time.time_ns() - age * 10**9:020d}-000000"
    (folder / "mail" / f"{name}.eml").write_bytes(letter.as_bytes())
    return name


def text(answer: HttpResponseBase) -> str:
    assert isinstance(answer, HttpResponse)
    return answer.content.decode()


@pytest.mark.parametrize("address", ["/demo/", "/demo/mail/x/", "/demo/mail/x/body"])
def test_outside_the_demo_there_is_no_desk(client: Client, folder: Path, address: str) -> None:
    with override_settings(DEMO_MODE=False):
        assert client.get(address).status_code == 404


@pytest.mark.django_db
def test_an_empty_demo_says_so(client: Client, folder: Path) -> None:
    page = text(client.get("/demo/"))
    assert "No mail yet" in page
    assert "the sample data is not loaded" in page
    assert "It is not running" in page


@pytest.mark.django_db
def test_people_codes_mails_and_accounts_are_on_one_page(client: Client, folder: Path) -> None:
    (folder / "people.json").write_text(json.dumps(PEOPLE))
    (folder / "accounts.json").write_text(json.dumps(WORLD))
    deliver(folder, subject="Old", plain="Your code:\n\n111111\n", age=60)
    deliver(folder, subject="New", plain="Your code:\n\n  222 222\n", age=10)
    page = text(client.get("/demo/"))
    assert "222222" in page
    assert "111111" not in page
    assert page.index("New") < page.index("Old")
    assert "4417 0926 5583" in page
    assert "not-for-eyes" not in page
    assert 'href="/e/abc/"' in page


@pytest.mark.django_db
def test_without_a_people_file_the_addressees_are_the_people(client: Client, folder: Path) -> None:
    deliver(folder, plain="x", to="Sam Carter <sam@brightwater.example>, lee@hollins.example")
    page = text(client.get("/demo/"))
    assert "Sam Carter" in page
    assert "lee@hollins.example" in page


def test_an_old_code_is_no_current_code(folder: Path) -> None:
    deliver(folder, plain="123456\n", age=16 * 60)
    assert mailbox.codes(mailbox.mails(folder / "mail"), dt.datetime.now(tz=dt.UTC)) == {}


@pytest.mark.django_db
def test_a_mail_is_shown_in_a_frame_that_runs_no_script(client: Client, folder: Path) -> None:
    name = deliver(folder, plain="See https://portal.example/i/t/", html=HTML)
    page = client.get(f"/demo/mail/{name}/")
    assert f'src="/demo/mail/{name}/body"' in text(page)
    assert 'sandbox="allow-top-navigation-by-user-activation"' in text(page)
    assert "frame-src 'self'" in page["Content-Security-Policy"]
    assert "unsafe-inline" not in page["Content-Security-Policy"]
    body = client.get(f"/demo/mail/{name}/body")
    assert text(body).strip() == HTML.replace("<head>", '<head><base target="_top">')
    assert body["X-Frame-Options"] == "SAMEORIGIN"
    policy = body["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "style-src 'unsafe-inline'" in policy
    assert "script-src" not in policy


@pytest.mark.django_db
def test_a_plain_mail_is_shown_with_its_links_and_no_markup(client: Client, folder: Path) -> None:
    name = deliver(folder, plain="Go to http://localhost:8000/i/t/ <script>alert(1)</script>")
    page = text(client.get(f"/demo/mail/{name}/"))
    assert 'href="http://localhost:8000/i/t/"' in page
    assert "<script>" not in page
    assert client.get(f"/demo/mail/{name}/body").status_code == 404


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["0" * 20 + "-000000", "secrets", "people"])
def test_what_is_no_mail_is_not_found(client: Client, folder: Path, name: str) -> None:
    (folder / "mail" / "secrets.eml").write_text("x")
    assert client.get(f"/demo/mail/{name}/").status_code == 404


@pytest.mark.parametrize("address", ["/demo/", "/demo/mail/x/", "/demo/mail/x/body"])
def test_the_desk_only_reads(client: Client, folder: Path, address: str) -> None:
    assert client.post(address).status_code in {403, 405}


def test_an_html_mail_without_a_head_still_opens_links_outside() -> None:
    assert mailbox.framed("<p>x</p>") == '<base target="_top"><p>x</p>'
