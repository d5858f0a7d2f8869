"""White label: an owner's look is saved when it can be read, and clients get it on pages and in mails."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from django.db import ProgrammingError
from django.test import Client as Browser

from accounts.brand.sheet import palette_of
from accounts.lifecycle import AccountEvent, AssetKind
from accounts.models import BrandAsset, Practice
from accounts.selectors import brand_asset_find
from accounts.services.branding import BadBrand, Look, brand_mark, look_of, practice_brand
from accounts.services.invitations import invitation_make
from portal.kernel import tenancy
from portal.kernel.errors import Stale
from portal.kernel.models import AuditEvent
from tests.brand.pictures import png
from tests.factories import Firm, acting, make_firm
from tests.mailbox import Mailbox
from tests.signing_in import let_in

GREEN = "#0b6b3a"


@pytest.fixture
def firm(real_db: None) -> Firm:
    return make_firm("north")


def stored(firm: Firm) -> Practice:
    with tenancy.use(firm.practice_side):
        return Practice.objects.get(pk=firm.practice.pk)


def save(firm: Firm, *, logo: bytes = b"", drops_logo: bool = False, seen: str = "", **over: str) -> Practice:
    now = stored(firm)
    with tenancy.use(firm.practice_side):
        return practice_brand(
            practice=now,
            look=replace(look_of(now), **over),
            seen=seen or brand_mark(now),
            logo=logo,
            drops_logo=drops_logo,
            actor=acting(firm.owner),
        )


def events(firm: Firm, kind: AccountEvent = AccountEvent.BRAND_CHANGED) -> list[AuditEvent]:
    with tenancy.use(firm.practice_side):
        return list(AuditEvent.objects.select_related("body").filter(kind=kind))


def test_a_look_is_saved_and_told(firm: Firm) -> None:
    made = save(firm, name="North Works", colour=" #0B6B3A ", logo=png(72, 36), sender_name="North")
    again = stored(firm)
    assert (again.name, again.sender, again.brand_colour) == ("North Works", "North", GREEN)
    assert again.brand_sheet == made.brand_sheet == hashlib.sha256(palette_of(GREEN).css.encode()).hexdigest()
    assert (again.logo_width, again.logo_height) == (72, 36)
    assert (again.logo_shown_width, again.logo_shown_height) == (72, 36)
    (event,) = events(firm, AccountEvent.BRAND_CHANGED)
    assert '"new_colour":"#0b6b3a"' in event.body.text
    assert "new_support_email" not in event.body.text


def test_a_colour_that_cannot_be_read_is_refused_with_the_reason(firm: Firm) -> None:
    with pytest.raises(BadBrand, match=r"1\.51:1 on white.*At least 4\.50:1 is needed") as refused:
        save(firm, colour="#ffcc00")
    assert refused.value.field == "colour"
    with pytest.raises(BadBrand, match="on the ground of dark screens") as refused:
        save(firm, colour=GREEN, dark=GREEN)
    assert refused.value.field == "dark"
    with pytest.raises(BadBrand, match="light screens too") as refused:
        save(firm, dark="#9dbbff")
    assert refused.value.field == "colour"
    with pytest.raises(BadBrand, match="not a PNG") as refused:
        save(firm, logo=b"<svg/>")
    assert refused.value.field == "logo"
    assert stored(firm).brand_sheet == ""
    assert events(firm) == []


def test_a_look_goes_as_it_came(firm: Firm) -> None:
    save(firm, colour=GREEN, dark="#7bd8a2", logo=png())
    assert stored(firm).brand_colour_dark == "#7bd8a2"
    assert stored(firm).brand_logo
    save(firm, colour="", dark="", drops_logo=True)
    now = stored(firm)
    assert (now.brand_colour, now.brand_colour_dark, now.brand_sheet, now.brand_logo) == ("", "", "", "")
    assert now.sender == "North"


def test_a_dark_colour_that_nobody_chose_follows_the_other(firm: Firm) -> None:
    save(firm, colour=GREEN)
    assert stored(firm).brand_colour_dark == str(palette_of(GREEN).dark.fill)
    assert look_of(stored(firm)).dark == ""
    save(firm, colour="#7a1fa2")
    assert stored(firm).brand_colour_dark == str(palette_of("#7a1fa2").dark.fill)


def test_a_logo_stays_when_another_thing_changes_and_wide_ones_are_shown_smaller(firm: Firm) -> None:
    save(firm, logo=png(800, 40))
    save(firm, support_phone="+44 20 7946 0000")
    now = stored(firm)
    assert now.brand_logo
    assert (now.logo_shown_width, now.logo_shown_height) == (160, 8)


def test_who_began_from_an_older_look_saves_nothing(firm: Firm) -> None:
    seen = brand_mark(stored(firm))
    save(firm, name="First")
    with pytest.raises(Stale):
        save(firm, name="Second", seen=seen)
    assert stored(firm).name == "First"


def test_whoever_knows_the_hash_gets_the_bytes_for_ever(firm: Firm) -> None:
    made = save(firm, colour=GREEN, logo=png())
    browser = Browser()
    sheet = browser.get(f"/brand/{made.brand_sheet}.css")
    logo = browser.get(f"/brand/{made.brand_logo}.png")
    assert sheet.content.decode() == palette_of(GREEN).css
    assert hashlib.sha256(logo.content).hexdigest() == made.brand_logo
    assert sheet["Content-Type"] == "text/css; charset=utf-8"
    assert logo["Content-Type"] == "image/png"
    assert sheet["Cross-Origin-Resource-Policy"] == "same-origin"
    assert logo["Cross-Origin-Resource-Policy"] == "cross-origin"
    for answer in (sheet, logo):
        assert answer["Cache-Control"] == "max-age=31536000, public, immutable"
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in answer["Content-Security-Policy"]
        assert not answer.cookies


def test_the_bytes_are_the_same_for_who_is_signed_in(firm: Firm) -> None:
    made = save(firm, colour=GREEN)
    for user in (firm.approver, firm.owner, make_firm("south").owner):
        answer = let_in(Browser(), user).get(f"/brand/{made.brand_sheet}.css")
        assert answer.status_code == 200
        assert answer["Cache-Control"] == "max-age=31536000, public, immutable"


def test_other_addresses_lead_to_nothing(firm: Firm) -> None:
    made = save(firm, colour=GREEN, logo=png())
    for path in (
        f"{made.brand_logo}.css",
        f"{made.brand_sheet}.png",
        f"{'0' * 64}.css",
        "x.css",
        f"{'A' * 64}.png",
    ):
        assert Browser().get(f"/brand/{path}").status_code == 404
    assert Browser().post(f"/brand/{made.brand_sheet}.css").status_code == 405


def test_what_was_sent_stays_to_be_seen_and_is_never_changed(firm: Firm) -> None:
    old = save(firm, logo=png(20, 20)).brand_logo
    save(firm, logo=png(30, 30))
    assert brand_asset_find(digest=old, kind=AssetKind.LOGO)
    with tenancy.use(firm.practice_side), pytest.raises(ProgrammingError):
        BrandAsset.objects.filter(token_sha256=old).update(body=b"another")


def test_pages_of_clients_wear_it(firm: Firm) -> None:
    browser = let_in(Browser(), firm.approver)
    plain = browser.get("/e/").content.decode()
    assert "/brand/" not in plain
    made = save(
        firm, name="North Works", colour=GREEN, logo=png(), privacy_url="https://north.example/privacy"
    )
    page = browser.get("/e/").content.decode()
    assert f'<link rel="stylesheet" href="/brand/{made.brand_sheet}.css">' in page
    assert page.index("portal.css") < page.index(made.brand_sheet)
    assert f'src="/brand/{made.brand_logo}.png"' in page
    assert "North Works" in page
    assert 'href="https://north.example/privacy"' in page
    assert not re.search(r"style=|<style", page)


def _invite(firm: Firm) -> None:
    with tenancy.use(firm.practice_side):
        invitation_make(
            contact=firm.contact, landing_path="/e/", invited_by=firm.owner, actor=acting(firm.owner)
        )


def test_mails_wear_it(firm: Firm, mailbox: Mailbox, deliver: Callable[[], int]) -> None:
    _invite(firm)
    deliver()
    assert "logo-72.png" in mailbox.html()
    made = save(
        firm, colour=GREEN, logo=png(), sender_name="North Desk", privacy_url="https://north.example/p"
    )
    _invite(firm)
    deliver()
    html = mailbox.html()
    assert f"/brand/{made.brand_logo}.png" in html
    button = next(line for line in html.splitlines() if 'class="btn"' in line)
    assert f"background: {GREEN}" in button or f"background:{GREEN}" in button
    assert f"{made.brand_colour_dark}!important" in html.replace(" ", "")
    assert "https://north.example/p" in html
    assert "1B4DB3" not in button
    assert "North Desk" in str(mailbox.letters[-1]["From"])
    assert len(html.encode()) < 30_000


def test_the_columns_hold_colours_alone(firm: Firm) -> None:
    from django.db import IntegrityError

    with tenancy.use(firm.practice_side), pytest.raises(IntegrityError):
        Practice.objects.filter(pk=firm.practice.pk).update(brand_colour="red;}x{")


def test_a_look_without_colours_has_no_palette() -> None:
    names = dict.fromkeys(("name", "sender_name", "support_email", "support_phone", "privacy_url"), "")
    assert Look(**names, colour="", dark="").palette() is None
