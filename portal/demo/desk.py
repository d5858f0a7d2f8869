"""The newcomer's desk: who is who, every mail as it would look, current codes, and doors to each place.

It shows sign-in codes to whoever asks, so every view is 404 unless DEMO_MODE is on.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import Any, Final

from csp.decorators import csp_update
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_safe

from portal.demo import mailbox
from portal.demo.authenticator import PhoneCode, phone_code
from portal.demo.mailbox import Mail

View = Callable[..., HttpResponseBase]
# The frame with a mail is the only thing that any page of the portal embeds.
FRAMES: Final = {"frame-src": ["'self'"]}
CONSOLE_URL: Final = "/console/"
HOME_URL: Final = "/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One of the sample people, as `demo_seed` describes them in its people file."""

    name: str
    email: str
    organisation: str = ""
    what: str = ""
    door: str = "/"
    door_label: str = "Their page"
    code_mail: Mail | None = None
    phone: PhoneCode | None = None

    @property
    def initials(self) -> str:
        words = self.name.split() or ["?"]
        return (words[0][0] + (words[-1][0] if len(words) > 1 else "")).upper()


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsAccount:
    """One simulated account with the address of its simulated console."""

    account_id: str
    name: str
    kind: str
    console_url: str

    @property
    def spaced_id(self) -> str:
        return " ".join(self.account_id[start : start + 4] for start in (0, 4, 8))


def people_file() -> Path:
    """Where `demo_seed` writes a JSON list of objects with Person's fields (all strings, neither `code_mail` nor `phone`)."""
    return _mail_folder().parent / "people.json"


def demo_only(view: View) -> View:
    """Outside the demo the desk does not exist."""

    @wraps(view)
    def guarded(
        request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:  # Any: the URL's own words
        if not settings.DEMO_MODE:
            raise Http404
        return view(request, *args, **kwargs)

    return require_safe(csp_update(FRAMES)(guarded))


@demo_only
def index(request: HttpRequest) -> HttpResponse:
    """Everything on one page."""
    found = mailbox.mails(_mail_folder())
    known = _people(found, mailbox.codes(found, dt.datetime.now(tz=dt.UTC)))
    invitation = next((one for one in reversed(found) if not one.code), None)
    context = {"people": known, "mails": found, "first_mail": invitation, "accounts": _accounts()}
    return _page(request, "demo/desk.html", context | {"console_url": CONSOLE_URL, "home_url": HOME_URL})


@demo_only
def mail(request: HttpRequest, name: str) -> HttpResponse:
    """One mail with its headers; its HTML part stands in a frame of its own."""
    return _page(request, "demo/mail.html", {"mail": _mail(name)})


@demo_only
@xframe_options_sameorigin
def mail_body(request: HttpRequest, name: str) -> HttpResponse:
    """The HTML part alone. Mails need inline styles and may need nothing else: its own policy says so."""
    html = _mail(name).html
    if not html:
        raise Http404
    answer = HttpResponse(mailbox.framed(html))
    origin = f"{request.scheme}://{request.get_host()}"
    answer["Content-Security-Policy"] = (
        f"default-src 'none'; style-src 'unsafe-inline'; img-src data: {origin}; form-action 'none'; "
        "base-uri 'none'; frame-ancestors 'self'; sandbox allow-top-navigation-by-user-activation"
    )
    return answer


def _page(request: HttpRequest, template: str, context: dict[str, object]) -> HttpResponse:
    answer = render(request, template, context)
    answer["Cache-Control"] = "no-store"
    return answer


def _mail(name: str) -> Mail:
    found = mailbox.find(_mail_folder(), name)
    if found is None:
        raise Http404
    return found


def _people(found: list[Mail], codes: dict[str, Mail]) -> list[Person]:
    rows: list[dict[str, str]] = _json(people_file()) or _addressees(found)
    told = {one.name for one in fields(Person)} - {"code_mail", "phone"}
    return [
        Person(
            **{key: value for key, value in row.items() if key in told},
            code_mail=codes.get(row["email"].lower()),
            phone=phone_code(row["email"]),
        )
        for row in rows
    ]


def _addressees(found: list[Mail]) -> list[dict[str, str]]:
    """Without a people file: whoever was written to."""
    seen = {address.lower(): name or address for mail in reversed(found) for name, address in mail.recipients}
    return [{"name": name, "email": email} for email, name in seen.items()]


def _accounts() -> list[AwsAccount]:
    world = _json(Path(settings.DEMO_WORLD_FILE or "/nonexistent")) or {"endpoint": "", "accounts": {}}
    return [
        AwsAccount(
            account_id=number,
            name=account["name"],
            kind=account["kind"],
            console_url=f"{world['endpoint']}/console/sign-in?account={number}",
        )
        for number, account in world["accounts"].items()
    ]


def _json(path: Path) -> Any:  # Any: each file's own shape, read by its one caller
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def _mail_folder() -> Path:
    # Django would take an empty setting for the working directory.
    return Path(settings.DEMO_MAIL_DIR or "/nonexistent")
