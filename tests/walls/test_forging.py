"""What strangers put into hosts, addresses, headers, forms and bodies comes to nothing."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import pytest
from django import forms
from django.conf import settings
from django.test import Client as Browser

from portal.kernel import mail, tenancy
from portal.kernel.fields import BREAKS, Lines
from portal.kernel.models import SealedLetter
from tests.conftest import SqlAs
from tests.walls.actors import World
from tests.walls.addresses import SAFE, addresses, own_forms
from tests.walls.digests import changed, digests

EVIL_HOSTS = (
    "evil.example",
    "testserver.evil.example",
    "testserver:80@evil.example",
    "testserver\tevil.example",
    "testserver/evil.example",
    "eviltestserver",
    "",
)
EVIL_PLACES = (
    "https://evil.example/",
    "http:evil.example",
    "http:///evil.example",
    "//evil.example/",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "\t//evil.example",
    "javascript:alert(1)",
    "data:text/html,evil.example",
    "https://testserver@evil.example/",
    "https://testserver.evil.example/",
    "/%0d%0aLocation:%20https://evil.example/",
    "/\r\nSet-Cookie: evil=1",
    "https:evil.example",
    "ftp://testserver/",
    "/\x00//evil.example",
    "//[evil.example",
)
CONTROLS = (
    "\x00",
    "\x07",
    "\n",
    "\r",
    "\x0b",
    "\x0c",
    "\x1c",
    "\x1e",
    "\x7f",
    "\x85",
    "\u2028",
    "\u2029",
    "\u202e",
)
LIMIT = 256 * 1024
SIGNED = {"order_hook"}  # no cookie counts there: what is not signed is refused, whoever's browser sends it


@pytest.mark.parametrize("host", EVIL_HOSTS)
@pytest.mark.django_db
def test_a_host_that_is_not_ours_gets_nothing(host: str) -> None:
    for path in ("/", "/account/login/", "/console/", "/e/abc/", "/nowhere/", "/i/token/"):
        answer = Browser().get(path, headers={"Host": host})
        assert answer.status_code == 400, path
        assert "evil" not in answer.content.decode()
        assert "Location" not in answer


@pytest.mark.django_db
def test_a_forwarded_host_is_not_believed() -> None:
    told = {
        "X-Forwarded-Host": "evil.example",
        "Forwarded": "host=evil.example",
        "X-Forwarded-Proto": "https",
    }
    for path in ("/", "/account/login/", "/console/", "/e/abc/", "/nowhere/", "/console"):
        answer = Browser().get(path, headers=told)
        assert "evil" not in answer.content.decode() + answer.get("Location", ""), path


def test_the_letter_with_a_code_names_our_own_host(world: World) -> None:
    answer = Browser().post(
        "/account/login/",
        {"email": world.user("x_approver").email},
        headers={"X-Forwarded-Host": "evil.example", "Referer": "http://evil.example/"},
    )
    assert answer.status_code == 302
    with tenancy.use(tenancy.platform_scope()):
        letter = mail.unseal(SealedLetter.objects.latest("created_at"), message_key="x")
    assert "evil" not in letter.text + letter.html + letter.subject
    assert settings.SITE_URL in letter.html + letter.text


def test_no_way_on_leads_elsewhere(world: World) -> None:
    for place in EVIL_PLACES:
        quoted = quote(place)
        approver, owner = world.browser("x_approver"), world.browser("a_owner")
        seat = {"seat": world.rooms["X"].contact, "next": place}
        answers = [
            approver.get(f"/account/login/?next={quoted}"),
            owner.get(f"/account/login/?next={quoted}"),
            owner.get(f"/console/login/?next={quoted}"),
            owner.get(f"/console/logout/?next={quoted}"),
            approver.post("/choose/", seat),
            approver.post("/account/login/", {"email": "a@b.example", "next": place}),
            approver.get(f"/account/logout/?next={quoted}"),
            world.browser("x_viewer").post("/account/logout/", {"next": place}),
            Browser().get(f"/account/login/?next={quoted}"),
            Browser().post("/account/login/", {"email": "a@b.example", "next": place}),
            Browser().get(f"/{quote(place, safe='')}"),
            Browser().get("/console/" + quote(place, safe="")),
        ]
        for answer in answers:
            assert answer.status_code < 500
            _stays_here(answer.get("Location", "/"))
            assert "\n" not in "".join(answer.headers.values())
            assert "evil" not in answer.cookies


def test_a_refusal_leads_back_to_no_other_place(world: World) -> None:
    for place in EVIL_PLACES:
        referer = place.replace("\r\n", "%0d%0a").replace("\x00", "%00")
        page = world.browser("x_viewer").get(
            f"/e/{world.rooms['X'].codes['active']}/end/", headers={"Referer": referer}
        )
        assert page.status_code == 403
        assert "evil.example" not in page.content.decode()


def _stays_here(location: str) -> None:
    found = urlsplit(urljoin("http://testserver/", location.replace("\\", "/")))
    assert (found.scheme, found.netloc) == ("http", "testserver"), location


def test_what_stands_in_headers_of_a_request_stands_in_no_header_of_an_answer(world: World) -> None:
    for name in (
        "Referer",
        "HX-Current-URL",
        "HX-Target",
        "Origin",
        "User-Agent",
        "Accept-Language",
        "Range",
    ):
        for browser in (Browser(), world.browser("x_approver")):
            answer = browser.get(
                f"/e/{world.rooms['X'].codes['active']}/", headers={name: "evil\u2028%0d%0aX-Evil: 1"}
            )
            assert answer.status_code < 400
            assert "evil" not in json.dumps(dict(answer.headers)).lower()


@pytest.fixture
def log_lines() -> Iterator[io.StringIO]:
    """What the log's one handler writes, exactly as it does in production."""
    from logging.config import dictConfig

    written = io.StringIO()
    usual: dict[str, Any] = dict(settings.LOGGING)
    handler = {**usual["handlers"]["stderr"], "stream": written}
    told = {**usual, "handlers": {"stderr": handler}, "root": {"handlers": ["stderr"], "level": "INFO"}}
    root = logging.getLogger()
    kept = root.handlers[:], root.level
    dictConfig(told)
    yield written
    root.handlers[:], root.level = kept


@pytest.mark.parametrize("mark", ["\n", "\r", "\r\n", "\x0b", "\x0c", "\x1b[2K", "\x85", "\u2028"])
@pytest.mark.django_db
def test_nobody_writes_a_line_of_the_log(log_lines: io.StringIO, mark: str) -> None:
    forged = f"x{mark}2026-11-21 09:00:00,000 ERROR portal forged"
    log = logging.getLogger("portal")
    Browser().get("/" + quote(forged))
    Browser().get("/", headers={"Host": f"evil{forged}"})
    log.warning("plain %s", forged)
    log.warning(forged)
    log.error("it broke for %s", forged, exc_info=ValueError(forged))
    said = log_lines.getvalue()
    assert said.count("forged") >= 5
    assert [line for line in said.splitlines() if line.startswith("2026-11-21 09:00:00,000")] == []
    assert "\x1b" not in said
    assert "\r" not in said


@pytest.mark.parametrize(
    "path", ["/account/login/", "/choose/", "/e/abc/agree/", "/console/accounts/client/add/"]
)
@pytest.mark.parametrize(
    "kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=b", "text/plain"]
)
@pytest.mark.django_db
def test_a_body_that_is_too_large_is_refused_unread(path: str, kind: str) -> None:
    body = _Untouched(LIMIT + 1)
    told: dict[str, Any] = {"wsgi.input": body, "CONTENT_LENGTH": str(LIMIT + 1)}
    answer = Browser().generic("POST", path, b"", content_type=kind, **told)
    assert answer.status_code == 413
    assert not body.was_read


@pytest.mark.django_db
def test_a_thousand_fields_are_refused() -> None:
    answer = Browser().post("/account/login/", {f"field{number}": "x" for number in range(1100)})
    assert answer.status_code == 400


class _Untouched(io.BytesIO):
    """A body that says whether it was read."""

    def __init__(self, size: int) -> None:
        super().__init__(b"x" * size)
        self.was_read = False

    def read(self, size: int | None = -1, /) -> bytes:
        self.was_read = True
        return super().read(size)


@pytest.mark.parametrize("mark", CONTROLS)
def test_no_form_takes_a_control_character(mark: str) -> None:
    """They end up in headers of mails, in logs and on paper; a text area alone knows lines."""
    taken = [
        f"{form.__name__}.{name}"
        for form in own_forms()
        for name, field in form.base_fields.items()
        if isinstance(field, forms.CharField) and _takes(field, f"Ann{mark}Evil", mark)
    ]
    assert taken == []


def _takes(field: forms.CharField, text: str, mark: str) -> bool:
    if isinstance(field, Lines) and mark in BREAKS:
        return False
    if isinstance(field.widget, forms.HiddenInput):
        return False  # signed marks of our own
    try:
        field.clean(text)
    except forms.ValidationError:
        return False
    return True


ODD_NAMES = [
    "%00",
    "a%00b",
    "%ff%fe",
    "..%2f..%2fetc",
    "%0d%0a",
    "9" * 40,
    "%EF%BC%91",
    "%F0%9F%92%A9",
    "a" * 3000,
]


# The same page under every name: it must not tell which practices there are.
SAME_FOR_ALL = frozenset({"admin:anything", "invitation_again", "service_door", "service_back"})


def test_odd_names_of_things_are_not_found(world: World) -> None:
    browsers = {actor: world.browser(actor) for actor in ("a_owner", "x_approver")}
    for name in ODD_NAMES:
        for one in addresses():
            if not one.places or one.name in SAME_FOR_ALL:
                continue
            path = one.filled(dict.fromkeys(one.places, name))
            for browser in browsers.values():
                answer = browser.get(path)
                sent_off = answer.get("Location", "").startswith(
                    "/choose/?next="
                )  # a consultant on the client's side
                assert sent_off or answer.status_code in {400, 404, 405, 410}, (path, answer.status_code)


LISTS = [one for one in addresses() if one.name.endswith("_changelist")]


ODD_QUESTIONS = [
    "q=%00",
    "q=%27%22%28",
    "p=-1",
    "p=999999999999999999999",
    "o=99.-99.x",
    "o=%00",
    "e=1",
    "all=",
    "_to_field=practice_id",
    "_popup=1",
    "standing=%00",
    "id__regex=(",
    "practice__code__startswith=n",
    "practice_id__in=1",
    "nothing__at__all=1",
    "id=%00",
    "pk__gte=x",
    "client__practice__id=1",
]


def test_odd_questions_to_a_list_break_nothing(world: World) -> None:
    browser = world.browser("a_owner")
    for query in ODD_QUESTIONS:
        for one in LISTS:
            answer = browser.get(f"{one.at(world.rooms['X'])}?{query}")
            assert answer.status_code in {200, 302, 400}, (one.route, answer.status_code)


def test_a_list_answers_no_question_about_columns_that_it_does_not_show(world: World) -> None:
    """Else a hidden value is found out letter by letter."""
    browser = world.browser("a_owner")
    for path, column in (
        ("/console/awsaccess/grant/", "external_id__startswith=a"),
        ("/console/accounts/invitation/", "token_sha256__startswith=a"),
        ("/console/engagements/engagement/", "code__regex=("),
    ):
        assert browser.get(f"{path}?{column}").status_code == 400


# Where a form comes from; the other methods are asked plainly, for Django's check asks nothing else of them.
FROM: tuple[dict[str, str], ...] = ({}, {"Origin": "https://evil.example"}, {"HX-Request": "true"})


@pytest.mark.parametrize("actor", ["anonymous", "a_owner", "x_approver"])
def test_nothing_acts_without_its_token(world: World, sql_as: SqlAs, actor: str) -> None:
    look = sql_as("superuser")
    strict = world.browser(actor, strict=True)
    before = digests(look)
    for one in addresses():
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            for headers in FROM if method == "POST" else FROM[:1]:
                answer = strict.generic(
                    method,
                    one.at(world.rooms["X"]),
                    "confirm=yes",
                    content_type="application/x-www-form-urlencoded",
                    headers=headers,
                )
                # For people of clients there is no console: that is said before any token is looked at.
                is_console = one.route.startswith("console/") and actor == "x_approver"
                expected = 404 if is_console else 403
                if one.name in SIGNED:
                    expected = 400 if method == "POST" else 405
                assert answer.status_code == expected, (method, one.route)
    told = {str(tenancy.PLATFORM_ID), str(world.rooms["X"].practice_id)} if actor != "anonymous" else set()
    assert changed(before, digests(look), telling=told) == set()


def test_a_token_from_elsewhere_is_no_token(world: World) -> None:
    strict = world.browser("x_approver", strict=True)
    room = world.rooms["X"]
    path = f"/e/{room.codes['active_to_end']}/end/"
    page = strict.get(path).content.decode()
    token = page.partition('name="csrfmiddlewaretoken" value="')[2].partition('"')[0]
    fields = {"csrfmiddlewaretoken": token}
    assert strict.post(path, fields, headers={"Origin": "https://evil.example"}).status_code == 403
    assert strict.post(path, fields, headers={"Origin": "null"}).status_code == 403
    other = world.browser("x_approver", strict=True)
    other.get(path)
    assert other.post(path, fields).status_code == 403
    assert strict.post(path, fields).status_code == 302


def test_safe_methods_are_the_ones_that_the_scope_makes_read_only() -> None:
    from portal.kernel.web import SAFE_METHODS

    assert set(SAFE) <= SAFE_METHODS
