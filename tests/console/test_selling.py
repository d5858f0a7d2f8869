"""The console's pages for branding, templates, the intake page and shops, as their owner meets them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client as Browser
from django.urls import reverse

from accounts.models import Practice
from engagements.lifecycle import EngagementStatus, ShopKind
from engagements.models import Engagement, EngagementTemplate, IntakePage, Order, Shop
from engagements.services.moves import engagement_cancel
from engagements.services.orders import order_ask, order_take
from engagements.services.shops import shop_secret
from portal.console.intake_forms import BrandForm
from portal.kernel import actor, clock, tenancy
from tests.brand.pictures import png
from tests.console.cast import House, house
from tests.engagements.test_orders import ASKED, GIG
from tests.pages.stage import set_stage

pytestmark = pytest.mark.django_db
BRAND = "/console/accounts/practice/"
TEMPLATES = "/console/engagements/engagementtemplate/"
INTAKE = "/console/engagements/intakepage/"
SHOPS = "/console/engagements/shop/"


@pytest.fixture
def home() -> House:
    return house(set_stage())


def words(browser: Browser, url: str) -> str:
    answer = browser.get(url)
    assert answer.status_code == 200, url
    return answer.content.decode()


def practice(home: House) -> Practice:
    with tenancy.use(home.stage.scope):
        return Practice.objects.get(pk=home.stage.practice.pk)


def brand_url(home: House) -> str:
    return f"{BRAND}{home.stage.practice.pk}/brand/"


def look(home: House, **over: object) -> dict[str, object]:
    page = words(home.owner, brand_url(home))
    seen = re.search(r'name="seen" value="(\w+)"', page)
    assert seen
    given = {
        "confirm": "yes",
        "name": "Northgate Cloud",
        "colour": "",
        "dark": "",
        "sender_name": "",
        "support_email": "help@northgate.example",
        "support_phone": "",
        "privacy_url": "",
        "seen": seen[1],
    }
    return {**given, **over}


def make_template(home: House) -> EngagementTemplate:
    given = {
        "name": GIG.name,
        "title": GIG.title,
        "purpose": GIG.purpose,
        "profile": GIG.profile,
        "days": "14",
    }
    answer = home.owner.post(f"{TEMPLATES}add/", given)
    assert answer.status_code == 302
    with tenancy.use(home.stage.scope):
        return EngagementTemplate.objects.get()


def handing(home: House, **over: str) -> dict[str, str]:
    with tenancy.use(home.stage.scope):
        template = EngagementTemplate.objects.first()
    return {
        "confirm": "yes",
        "template": str(template.pk) if template else "",
        "lead": str(home.stage.maya.pk),
        **over,
    }


def make_shop(home: House, kind: ShopKind = ShopKind.SIGNED) -> Shop:
    make_template(home)
    assert home.owner.post(f"{SHOPS}add/", handing(home, name="Web shop", kind=kind)).status_code == 302
    with tenancy.use(home.stage.scope):
        return Shop.objects.get()


# Branding


def test_an_owner_sees_two_pictures_of_what_clients_see(home: House) -> None:
    page = words(home.owner, BRAND)
    assert "On light screens" in page
    assert "On dark screens" in page
    assert page.count("<svg viewBox") == 2
    assert "7.61:1" in page
    assert "the portal’s blue" in page


def test_a_look_is_saved_with_its_logo(home: House) -> None:
    logo = SimpleUploadedFile("logo.png", png(40, 40), content_type="image/png")
    answer = home.owner.post(brand_url(home), look(home, colour="#0B6B3A", logo=logo, name="North"))
    assert answer.status_code == 302
    now = practice(home)
    assert (now.name, now.brand_colour, now.logo_width) == ("North", "#0b6b3a", 40)
    page = words(home.owner, BRAND)
    assert now.brand_logo in page
    assert "PNG, 40 by 40 pixels" in page
    assert "Branding changed" in page
    home.owner.post(brand_url(home), look(home, drops_logo="on"))
    assert practice(home).brand_logo == ""


def test_a_look_can_be_seen_before_it_is_saved(home: House) -> None:
    answer = home.owner.post(brand_url(home), look(home, colour="#7a1fa2", look="1"))
    page = answer.content.decode()
    assert answer.status_code == 200
    assert "What clients would see" in page
    assert 'fill="#7a1fa2"' in page
    assert 'value="#7a1fa2"' in page
    assert practice(home).brand_colour == ""
    assert home.owner.post(brand_url(home), look(home, look="1")).status_code == 200


@pytest.mark.parametrize(
    ("field", "typed", "said"),
    [
        ("colour", "#ffcc00", "#ffcc00 has a contrast of 1.51:1 on white"),
        ("colour", "yellow", "six digits or letters"),
        ("dark", "#9dbbff", "light screens too"),
        ("privacy_url", "javascript:alert(1)", "It begins with https://"),
        ("privacy_url", "http://north.example", "It begins with https://"),
        ("privacy_url", "https://[", "It begins with https://"),
        ("privacy_url", "https://x:y@north.example/", "It begins with https://"),
        ("privacy_url", 'https://north.example/" onclick="x', "It begins with https://"),
        ("support_email", "nobody", "valid email"),
        ("name", "", "required"),
    ],
)
@pytest.mark.parametrize("button", ["save", "look"])
def test_what_is_not_taken_is_told_beside_its_field(
    home: House, field: str, typed: str, said: str, button: str
) -> None:
    answer = home.owner.post(brand_url(home), look(home, **{field: typed, button: "1"}))
    page = answer.content.decode()
    assert answer.status_code == 422
    assert f'id="id_{field if field != "dark" else "colour"}_error"' in page
    assert said.replace('"', "&quot;") in page
    assert practice(home).brand_sheet == ""


@pytest.mark.parametrize("file", [b"", b"GIF89a", b"<svg onload='x'/>", png(8, 8), png() + b"PK"])
def test_a_file_that_is_no_logo_is_refused(home: House, file: bytes) -> None:
    sent = SimpleUploadedFile("logo.png", file, content_type="image/png")
    answer = home.owner.post(brand_url(home), look(home, logo=sent))
    assert answer.status_code == 422
    assert 'id="id_logo_error"' in answer.content.decode()
    assert practice(home).brand_logo == ""


def test_a_file_that_is_too_large_is_not_read(home: House) -> None:
    big = SimpleUploadedFile("logo.png", bytes(300_000))
    assert home.owner.post(brand_url(home), look(home, logo=big)).status_code == 413


def test_two_owners_at_once_and_one_is_told(home: House) -> None:
    first, second = look(home, name="First"), look(home, name="Second")
    assert home.owner.post(brand_url(home), first).status_code == 302
    answer = home.owner.post(brand_url(home), second)
    assert answer.status_code == 422
    assert "Somebody else changed this meanwhile" in answer.content.decode()


def test_a_page_of_privacy_is_taken() -> None:
    form = BrandForm({"privacy_url": "https://north.example/privacy?x=1"})
    assert "privacy_url" not in form.errors


# Templates


def test_a_template_is_written_changed_and_retired(home: House) -> None:
    assert "No template yet" in words(home.owner, TEMPLATES)
    template = make_template(home)
    url = f"{TEMPLATES}{template.code}/"
    assert "to find out why the bill went up" in words(home.owner, url)
    changed = {
        "confirm": "yes",
        "name": "One day",
        "title": "Look",
        "purpose": "look",
        "profile": "cost_review",
        "days": "1",
    }
    assert home.owner.post(f"{url}edit/", changed).status_code == 302
    page = words(home.owner, TEMPLATES)
    assert "One day" in page
    assert "1 day<" in page
    assert home.owner.post(f"{url}retire/", {"confirm": "yes"}).status_code == 302
    assert "(retired)" in words(home.owner, TEMPLATES)
    page = words(home.owner, url)
    assert "Retired" in page
    assert "/edit/" not in page
    with tenancy.use(home.stage.scope):
        EngagementTemplate.objects.update(profile="gone")
    assert "gone" in words(home.owner, url)


@pytest.mark.parametrize("days", ["0", "367", "many"])
def test_days_are_possible(home: House, days: str) -> None:
    given = {"name": "x", "title": "x", "purpose": "x", "profile": "cost_review", "days": days}
    assert home.owner.post(f"{TEMPLATES}add/", given).status_code == 422


# The intake page


def test_the_page_is_set_up_opened_and_closed(home: House) -> None:
    assert "There is no page yet" in words(home.owner, INTAKE)
    make_template(home)
    assert home.owner.post(f"{INTAKE}add/", handing(home, is_open="on")).status_code == 302
    page = words(home.owner, INTAKE)
    assert "/to/northgate/" in page
    assert ">Open<" in page
    assert Browser().get("/to/northgate/").status_code == 200
    with tenancy.use(home.stage.scope):
        key = IntakePage.objects.get().pk
    assert (
        home.owner.post(f"{INTAKE}{key}/edit/", handing(home, is_open="on", welcome="Hello you")).status_code
        == 302
    )
    assert "Hello you" in Browser().get("/to/northgate/").content.decode()
    home.owner.post(f"{INTAKE}{key}/edit/", handing(home))
    assert ">Closed<" in words(home.owner, INTAKE)
    assert Browser().get("/to/northgate/").status_code == 404


def test_orders_are_listed_once_they_are_certain(home: House) -> None:
    make_template(home)
    home.owner.post(f"{INTAKE}add/", handing(home, is_open="on"))
    with tenancy.use(home.stage.scope):
        page = IntakePage.objects.select_related("template").get()
        order_ask(page=page, asked=ASKED)
    assert "GIG-1001" not in words(home.owner, INTAKE)
    with tenancy.use(home.stage.scope):
        Order.objects.update(confirmed_at=clock.now(), problem="That kind of access is not offered.")
    shown = words(home.owner, INTAKE)
    assert "GIG-1001" in shown
    assert "No draft" in shown
    assert "Order GIG-1001 became no draft" in words(home.owner, "/console/")
    assert "became no draft" not in words(home.assigned, "/console/")


# Shops


def test_a_secret_is_shown_once(home: House) -> None:
    shop = make_shop(home)
    url = f"{SHOPS}{shop.code}/"
    assert "Needs its secret" in words(home.owner, SHOPS)
    assert f"/hooks/{shop.code}/" in words(home.owner, url)
    answer = home.owner.post(f"{url}secret/", {"confirm": "yes"})
    found = re.search(r"lk_[0-9a-f]{64}", answer.content.decode())
    assert found
    assert answer["Cache-Control"] == "no-store"
    with tenancy.use(home.stage.scope):
        assert shop_secret(Shop.objects.get()) == found[0].encode()
    for page in (url, SHOPS, f"{url}secret/", "/console/kernel/auditevent/"):
        assert found[0] not in words(home.owner, page)
    assert "Ready" in words(home.owner, SHOPS)
    assert "stops working now" in words(home.owner, f"{url}secret/")


def test_a_secret_takes_a_fresh_proof(home: House) -> None:
    shop = make_shop(home)
    plain = Browser()
    plain.cookies = home.owner.cookies
    answer = plain.post(f"{SHOPS}{shop.code}/secret/", {"confirm": "yes"})
    assert answer.status_code == 422
    with tenancy.use(home.stage.scope):
        assert Shop.objects.get().secret_set_at is None


def test_stripes_secret_is_typed_in_and_shown_to_nobody(home: House) -> None:
    shop = make_shop(home, ShopKind.STRIPE)
    url = f"{SHOPS}{shop.code}/"
    secret = "whsec_0123456789abcdefABCDEF"
    for typed in ("", "sk_live_0123456789abcdef", "whsec_short"):
        answer = home.owner.post(f"{url}stripe/", {"confirm": "yes", "secret": typed})
        assert answer.status_code == 422
    answer = home.owner.post(f"{url}stripe/", {"confirm": "yes", "secret": secret}, follow=True)
    assert answer.status_code == 200
    assert secret not in answer.content.decode()
    assert secret not in words(home.owner, f"{url}stripe/")
    with tenancy.use(home.stage.scope):
        assert shop_secret(Shop.objects.get()) == secret.encode()
    assert home.owner.get(f"{url}secret/").status_code == 302  # for the other kind


def test_a_shop_is_changed_and_closed(home: House) -> None:
    shop = make_shop(home)
    url = f"{SHOPS}{shop.code}/"
    assert home.owner.post(f"{url}edit/", handing(home, name="Stall")).status_code == 302
    assert "Stall" in words(home.owner, url)
    assert home.owner.post(f"{url}close/", {"confirm": "yes"}).status_code == 302
    assert "Closed" in words(home.owner, SHOPS)


# What came


def test_an_order_needs_attention_until_it_is_sent(home: House) -> None:
    shop = make_shop(home)
    with tenancy.use(home.stage.scope):
        order = order_take(shop=shop, event_id="evt", asked=ASKED)
    assert order is not None
    assert order.engagement is not None
    page = words(home.owner, "/console/")
    assert "Lind Bakery ordered" in page
    assert "order GIG-1001" in page
    assert "Lind Bakery" not in words(home.unassigned, "/console/")
    shown = words(home.owner, f"{SHOPS}{shop.code}/")
    assert "Web shop" in shown
    assert reverse("admin:engagements_engagement_change", args=[order.engagement.code]) in shown
    with tenancy.use(home.stage.scope):
        engagement_cancel(
            engagement=Engagement.objects.get(pk=order.engagement.pk), actor=actor.machine("test")
        )
        assert Engagement.objects.get(pk=order.engagement.pk).status == EngagementStatus.CANCELLED
    assert "Lind Bakery ordered" not in words(home.owner, "/console/")


def test_the_guide_names_what_there_is() -> None:
    guide = (Path(__file__).resolve().parents[2] / "docs" / "intake.md").read_text()
    for named in (
        "Latchkey-Signature",
        "awsaccount",
        "checkout.session.async_payment_succeeded",
        "128 kB",
        "64 kB",
    ):
        assert named in guide
