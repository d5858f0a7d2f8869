"""Orders: confirmed by who ordered, or signed by a shop; each a draft at once, whose lead hears of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import pytest
from django.core.management import call_command

import engagements.tasks  # noqa: F401  # the worker's handlers
from accounts.lifecycle import ContactRole, MemberRole
from accounts.models import Attempts, Client, Contact, Membership, User
from accounts.selectors import apart
from engagements.emails.letters import LIFETIME_HOURS, order_letter
from engagements.lifecycle import EngagementEvent, EngagementStatus, ShopKind
from engagements.models import ORDER_PURPOSE, Engagement, EngagementTemplate, IntakePage, Order, Shop
from engagements.selectors import (
    intake_page_at,
    order_to_confirm,
    shop_at,
    templates_offered,
)
from engagements.services import orders
from engagements.services.orders import (
    ARRIVED,
    CONFIRM,
    FORGET,
    LIFETIME,
    MAILBOX_TRIES,
    PAGE_TRIES,
    REFUSALS_TOLD,
    Asked,
    LinkOver,
    order_ask,
    order_confirm,
    order_forget,
    order_rehearse,
    order_take,
    shop_refuse,
)
from engagements.services.shops import (
    Handing,
    intake_set_up,
    shop_add,
    shop_change,
    shop_close,
    shop_secret,
    shop_secret_make,
    shop_secret_set,
)
from engagements.services.templates import Gig, template_add, template_change, template_retire
from portal.kernel import clock, due, outbox, secrets, tenancy
from portal.kernel.errors import InvalidMove, NotVisible, RateLimited, Stale
from portal.kernel.models import AuditEvent, Due, OutboxMessage
from tests.factories import Firm, acting, make_client, make_consultant, make_firm
from tests.mailbox import Mailbox

GIG = Gig(
    name="Two weeks",
    title="Cost review",
    purpose="To find out why the bill went up.",
    profile="cost_review",
    days=14,
    account_name="Production",
)
ASKED = Asked(
    name="Nora Lind",
    email="Nora@Lind.example",
    company="Lind Bakery",
    order_number="GIG-1001",
    account_id="441709265583",
)


@pytest.fixture
def firm(real_db: None) -> Firm:
    return make_firm("north")


def make_template(firm: Firm, gig: Gig = GIG) -> EngagementTemplate:
    with tenancy.use(firm.practice_side):
        return template_add(practice=firm.practice, gig=gig, actor=acting(firm.owner))


def make_page(firm: Firm, *, lead: User | None = None, is_open: bool = True) -> IntakePage:
    handing = Handing(template=make_template(firm), lead=lead or firm.owner)
    with tenancy.use(firm.practice_side):
        return intake_set_up(
            practice=firm.practice, handing=handing, welcome="", is_open=is_open, actor=acting(firm.owner)
        )


def make_shop(firm: Firm, *, kind: ShopKind = ShopKind.SIGNED, lead: User | None = None) -> Shop:
    handing = Handing(template=make_template(firm), lead=lead or firm.owner)
    with tenancy.use(firm.practice_side):
        return shop_add(
            practice=firm.practice, name="Web shop", kind=kind, handing=handing, actor=acting(firm.owner)
        )


def ask(firm: Firm, page: IntakePage, asked: Asked = ASKED) -> None:
    with tenancy.use(firm.practice_side):
        order_ask(page=page, asked=asked)


def take(firm: Firm, shop: Shop, event_id: str = "evt_1", asked: Asked = ASKED) -> Order | None:
    with tenancy.use(firm.practice_side):
        return order_take(shop=shop, event_id=event_id, asked=asked)


def kept(firm: Firm) -> list[Order]:
    with tenancy.use(firm.practice_side):
        return list(
            Order.objects.select_related("engagement__client", "practice", "template").order_by("made_at")
        )


def token_of(order: Order) -> str:
    return next(secrets.tokens(ORDER_PURPOSE, order.pk.bytes))


def told(firm: Firm, kind: EngagementEvent) -> list[AuditEvent]:
    with tenancy.use(firm.practice_side):
        return list(AuditEvent.objects.select_related("body").filter(kind=kind).order_by("seq"))


def promised(firm: Firm, kind: str) -> int:
    with tenancy.use(firm.practice_side):
        return OutboxMessage.objects.filter(kind=kind).count()


# The intake page


def test_nobody_hears_of_an_order_before_it_is_confirmed(firm: Firm) -> None:
    ask(firm, make_page(firm))
    (order,) = kept(firm)
    assert order.confirmed_at is None
    assert promised(firm, CONFIRM) == 1
    assert promised(firm, ARRIVED) == 0
    with tenancy.use(firm.practice_side):
        assert not Engagement.objects.exists()
        assert Client.objects.count() == 1
        assert due.next_look(FORGET, order.pk) == order.expires_at
    assert not User.objects.filter(email="nora@lind.example").exists()
    assert told(firm, EngagementEvent.ORDER_CONFIRMED) == []


def test_a_confirmed_order_is_a_draft_at_once(firm: Firm) -> None:
    ask(firm, make_page(firm))
    order = order_confirm(token=token_of(kept(firm)[0]))
    engagement = order.engagement
    assert engagement is not None
    with tenancy.use(firm.practice_side):
        made = Engagement.objects.select_related("client").get()
        contact = Contact.objects.select_related("user").get(client=made.client)
        lead = made.assignments.get()
        assert due.next_look(FORGET, order.pk) is None
    assert made.status == EngagementStatus.DRAFT
    assert (made.title, made.purpose, made.profile) == (
        "Cost review",
        "to find out why the bill went up",
        "cost_review",
    )
    assert (made.account_id, made.account_name) == ("441709265583", "Production")
    assert made.contract_reference == "GIG-1001"
    assert abs(made.ends_at - clock.now() - dt.timedelta(days=14)) < dt.timedelta(minutes=1)
    assert made.client.name == "Lind Bakery"
    assert (contact.user.email, contact.user.name, contact.role) == (
        "nora@lind.example",
        "Nora Lind",
        ContactRole.APPROVER,
    )
    assert lead.consultant_id == firm.owner.pk
    assert promised(firm, ARRIVED) == 1
    (event,) = told(firm, EngagementEvent.ORDER_CONFIRMED)
    assert event.about_id == engagement.pk


def test_a_link_confirms_once(firm: Firm) -> None:
    ask(firm, make_page(firm))
    token = token_of(kept(firm)[0])
    order_confirm(token=token)
    for tried in (token, "nobody", token + "x"):
        with pytest.raises(LinkOver):
            order_confirm(token=tried)
    with tenancy.use(firm.practice_side):
        assert Engagement.objects.count() == 1


def test_a_link_confirms_for_a_day_and_what_was_not_confirmed_is_forgotten(
    firm: Firm, as_worker: Callable[[], AbstractContextManager[None]]
) -> None:
    ask(firm, make_page(firm))
    (order,) = kept(firm)
    with tenancy.use(firm.practice_side):
        order_forget(order_id=order.pk)  # too early
    assert len(kept(firm)) == 1
    with tenancy.use(firm.practice_side):
        past = clock.now() - dt.timedelta(seconds=1)
        Due.objects.filter(kind=FORGET).update(next_at=past)
    with clock.frozen(clock.now() + LIFETIME + dt.timedelta(seconds=1)):
        assert order_to_confirm(token=token_of(order), practice_code="north") is None
        with pytest.raises(LinkOver):
            order_confirm(token=token_of(order))
        with as_worker():
            with tenancy.use(tenancy.SYSTEM):
                (turn,) = [found for found in due.claim() if found.kind == FORGET]
            due.take(turn)
    assert kept(firm) == []


def test_a_confirmed_order_is_never_forgotten(firm: Firm) -> None:
    ask(firm, make_page(firm))
    (order,) = kept(firm)
    order_confirm(token=token_of(order))
    with (
        clock.frozen(clock.now() + 2 * LIFETIME),
        tenancy.use(firm.practice_side),
    ):
        order_forget(order_id=order.pk)
    assert len(kept(firm)) == 1


def test_a_link_shows_its_own_practices_order_alone(firm: Firm) -> None:
    ask(firm, make_page(firm))
    (order,) = kept(firm)
    found = order_to_confirm(token=token_of(order), practice_code="north")
    assert found is not None
    assert found.grouped_account == "4417 0926 5583"
    assert order_to_confirm(token=token_of(order), practice_code="south") is None
    with apart(tenancy.bearer_scope(secrets.fingerprint("another"))):
        assert not Order.objects.exists()


def test_a_mailbox_is_asked_three_times_a_day_and_nothing_shows_it(firm: Firm) -> None:
    page = make_page(firm)
    for _ in range(MAILBOX_TRIES.tries + 3):
        ask(firm, page)
    assert len(kept(firm)) == MAILBOX_TRIES.tries
    assert promised(firm, CONFIRM) == MAILBOX_TRIES.tries
    ask(firm, page, replace(ASKED, email="other@lind.example"))
    assert promised(firm, CONFIRM) == MAILBOX_TRIES.tries + 1


def test_a_page_that_is_asked_too_much_says_so(firm: Firm, monkeypatch: pytest.MonkeyPatch) -> None:
    page = make_page(firm)
    monkeypatch.setattr(orders, "PAGE_TRIES", replace(PAGE_TRIES, tries=2))
    for number in range(2):
        ask(firm, page, replace(ASKED, email=f"n{number}@lind.example"))
    with pytest.raises(RateLimited):
        ask(firm, page, replace(ASKED, email="n3@lind.example"))
    assert len(kept(firm)) == 2


def test_the_counters_say_nothing_of_whom_they_count(firm: Firm) -> None:
    ask(firm, make_page(firm))
    with apart(tenancy.bearer_scope("x")):
        assert not Attempts.objects.exists()


def test_a_robot_makes_the_portal_work_for_nothing(firm: Firm) -> None:
    page = make_page(firm)
    with tenancy.use(firm.practice_side):
        order_rehearse(page=page, asked=ASKED)
    assert kept(firm) == []
    assert promised(firm, CONFIRM) == 0


def test_the_mail_asks_and_holds_nothing_that_a_stranger_wrote(
    firm: Firm, mailbox: Mailbox, deliver: Callable[[], int]
) -> None:
    spam = replace(ASKED, name="BUY PILLS", company="http://pills.example", order_number="call 0900")
    ask(firm, make_page(firm), spam)
    deliver()
    (letter,) = mailbox.letters
    assert letter["To"] == "Nora@Lind.example"
    assert letter["Reply-To"] == firm.practice.support_email
    assert letter["Auto-Submitted"] == "auto-generated"
    assert letter["Subject"] == "Confirm your order with North"
    url = f"/to/north/{token_of(kept(firm)[0])}/"
    for words in (" ".join(mailbox.text().split()), mailbox.html()):
        assert url in words
        assert "Not sure this is from us?" in words
        assert "We never ask for passwords or AWS keys" in words
        for typed in ("PILLS", "pills.example", "0900", "4417"):
            assert typed not in words + str(letter["Subject"])
    assert mailbox.html().count('class="btn"') == 1
    assert f"works for {LIFETIME_HOURS} hours" in " ".join(mailbox.text().split())
    assert dt.timedelta(hours=LIFETIME_HOURS) == LIFETIME


def test_a_mail_that_comes_too_late_is_not_sent(
    firm: Firm, mailbox: Mailbox, deliver: Callable[[], int]
) -> None:
    ask(firm, make_page(firm))
    order_confirm(token=token_of(kept(firm)[0]))
    with tenancy.use(firm.practice_side):
        OutboxMessage.objects.exclude(kind=CONFIRM).delete()
    deliver()
    assert mailbox.letters == []


def test_a_link_whose_key_is_gone_can_never_be_sent(firm: Firm, settings: Any) -> None:  # Any: a private type
    ask(firm, make_page(firm))
    (order,) = kept(firm)
    settings.SECRET_KEY = "another key, made after the order, with enough characters in it"
    with pytest.raises(outbox.Hopeless, match="key its link"):
        order_letter(order, reason=CONFIRM, message_key="x")


def test_an_address_that_is_none_can_never_be_sent_to(firm: Firm) -> None:
    ask(firm, make_page(firm), replace(ASKED, email="=?utf-8?q?a?=@lind.example"))
    with pytest.raises(outbox.Hopeless, match="addresses"):
        order_letter(kept(firm)[0], reason=CONFIRM, message_key="x")


def test_the_lead_is_told_at_once(firm: Firm, mailbox: Mailbox, deliver: Callable[[], int]) -> None:
    tomasz = make_consultant(firm, "tomasz")
    take(firm, make_shop(firm, lead=tomasz))
    deliver()
    deliver()
    (letter,) = mailbox.letters
    assert letter["To"] == "tomasz@north.example"
    assert letter["Subject"] == "New order: Lind Bakery (Cost review)"
    code = kept(firm)[0].engagement
    assert code is not None
    assert f"/console/engagements/engagement/{code.code}/" in mailbox.text()
    assert "GIG-1001" in mailbox.text()


def test_an_order_without_a_number_says_so(firm: Firm, mailbox: Mailbox, deliver: Callable[[], int]) -> None:
    take(firm, make_shop(firm), asked=replace(ASKED, order_number="", account_id=""))
    deliver()
    deliver()
    assert "no number" in mailbox.text()
    engagement = kept(firm)[0].engagement
    assert engagement is not None
    assert engagement.account_name == ""


# Where an order belongs


def test_who_is_known_at_one_client_orders_for_that_client(firm: Firm) -> None:
    order = take(firm, make_shop(firm), asked=replace(ASKED, email=firm.approver.email.upper()))
    assert order is not None
    assert order.engagement is not None
    assert order.engagement.client_id == firm.client.pk
    with tenancy.use(firm.practice_side):
        assert Client.objects.count() == 1


def test_who_is_known_at_two_clients_or_left_orders_for_a_new_one(firm: Firm) -> None:
    second = make_client(firm, "Second")
    with tenancy.use(firm.practice_side):
        Contact.objects.create(
            practice=firm.practice, client=second, user=firm.approver, role=ContactRole.VIEWER
        )
    shop = make_shop(firm)
    asked = replace(ASKED, email=firm.approver.email, company="")
    first = take(firm, shop, "a", asked)
    with tenancy.use(firm.practice_side):
        Contact.objects.update(ended_at=clock.now())
    last = take(firm, shop, "b", asked)
    assert first is not None
    assert last is not None
    names = {one.engagement.client.name for one in kept(firm) if one.engagement}
    assert names == {"Nora Lind"}
    assert first.engagement.client_id != last.engagement.client_id  # type: ignore[union-attr]  # both have one


def test_an_owner_steps_in_for_a_lead_who_left_or_only_audits(firm: Firm) -> None:
    tomasz = make_consultant(firm, "tomasz")
    shop = make_shop(firm, lead=tomasz)
    with tenancy.use(firm.practice_side):
        Membership.objects.filter(user=tomasz).update(role=MemberRole.AUDITOR)
    take(firm, shop, "a")
    with tenancy.use(firm.practice_side):
        Membership.objects.filter(user=tomasz).update(ended_at=clock.now())
    take(firm, shop, "b")
    with tenancy.use(firm.practice_side):
        leads = {one.assignments.get().consultant_id for one in Engagement.objects.all()}
    assert leads == {firm.owner.pk}


def test_an_order_is_kept_even_when_no_draft_can_be_made_of_it(firm: Firm) -> None:
    shop = make_shop(firm)
    with tenancy.use(firm.practice_side):
        EngagementTemplate.objects.update(profile="gone")
    order = take(firm, shop)
    assert order is not None
    assert order.engagement is None
    (stored,) = kept(firm)
    assert "not offered any more" in stored.problem
    assert promised(firm, ARRIVED) == 0
    assert len(told(firm, EngagementEvent.ORDER_TAKEN)) == 1


# Shops


def test_an_event_is_taken_once(firm: Firm) -> None:
    shop = make_shop(firm)
    assert take(firm, shop, "evt_1") is not None
    assert take(firm, shop, "evt_1") is None
    assert take(firm, shop, "evt_2") is not None
    assert take(firm, make_shop(firm), "evt_1") is not None  # another shop counts its own
    assert len(told(firm, EngagementEvent.ORDER_TAKEN)) == 3
    with tenancy.use(firm.practice_side):
        assert Engagement.objects.count() == 3
        assert Shop.objects.exclude(heard_at=None).count() == 2


def test_a_connection_is_found_once_it_has_a_secret_and_until_it_is_closed(firm: Firm) -> None:
    shop = make_shop(firm)
    assert shop_at(shop.code) is None
    with tenancy.use(firm.practice_side):
        clear = shop_secret_make(shop=shop, actor=acting(firm.owner))
    found = shop_at(shop.code)
    assert found is not None
    assert shop_secret(found) == clear.encode()
    assert clear.encode() not in bytes(found.secret)
    assert shop_at("nobody") is None
    with tenancy.use(firm.practice_side):
        shop_close(shop=shop, actor=acting(firm.owner))
        who, handing = acting(firm.owner), Handing(template=shop.template, lead=firm.owner)
        with pytest.raises(InvalidMove):
            shop_close(shop=shop, actor=who)
        with pytest.raises(InvalidMove):
            shop_secret_set(shop=shop, clear="x", actor=who)
        with pytest.raises(InvalidMove):
            shop_change(shop=shop, name="x", handing=handing, actor=who)
        assert bytes(Shop.objects.get().secret) == b""
    assert shop_at(shop.code) is None
    for kind in (EngagementEvent.SHOP_ADDED, EngagementEvent.SHOP_SECRET_SET, EngagementEvent.SHOP_CLOSED):
        (event,) = told(firm, kind)
        assert clear not in event.body.text


def test_a_connection_is_changed(firm: Firm) -> None:
    shop, tomasz = make_shop(firm), make_consultant(firm, "tomasz")
    with tenancy.use(firm.practice_side):
        shop_change(
            shop=shop,
            name="Stall",
            handing=Handing(template=shop.template, lead=tomasz),
            actor=acting(firm.owner),
        )
        assert Shop.objects.get().lead_id == tomasz.pk
    assert len(told(firm, EngagementEvent.SHOP_CHANGED)) == 1


def test_secrets_are_sealed_anew_with_the_others(firm: Firm, settings: Any) -> None:  # Any: a private type
    shop = make_shop(firm)
    with tenancy.use(firm.practice_side):
        clear = shop_secret_make(shop=shop, actor=acting(firm.owner))
    south = make_firm("south")
    make_shop(south)  # without a secret: nothing to seal
    old = settings.SECRET_KEY
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = (
        "a new key, with enough characters for everybody",
        [old],
    )
    call_command("rotate_secrets")
    settings.SECRET_KEY_FALLBACKS = []
    found = shop_at(shop.code)
    assert found is not None
    assert shop_secret(found) == clear.encode()


def test_a_secret_opens_in_its_own_row_alone(firm: Firm) -> None:
    one, other = make_shop(firm), make_shop(firm)
    with tenancy.use(firm.practice_side):
        shop_secret_make(shop=one, actor=acting(firm.owner))
        one.refresh_from_db()
        other.secret = one.secret
    with pytest.raises(secrets.Unreadable):
        shop_secret(other)


def test_of_a_flood_of_refusals_the_first_are_told(firm: Firm) -> None:
    shop = make_shop(firm)
    with tenancy.use(firm.practice_side):
        for _ in range(REFUSALS_TOLD.tries + 5):
            shop_refuse(shop=shop, reason="signature")
    assert len(told(firm, EngagementEvent.SHOP_REFUSED)) == REFUSALS_TOLD.tries


# Set-up


def test_a_page_is_found_by_its_practices_code_while_it_is_open(firm: Firm) -> None:
    make_page(firm)
    south = make_firm("south")
    page = intake_page_at("north")
    assert page.practice.name == "North"
    for code in ("south", "nowhere"):
        with pytest.raises(NotVisible):
            intake_page_at(code)
    with tenancy.use(firm.practice_side):
        handing = Handing(template=page.template, lead=firm.owner)
        intake_set_up(
            practice=firm.practice, handing=handing, welcome="Hello", is_open=False, actor=acting(firm.owner)
        )
        assert IntakePage.objects.get().welcome == "Hello"
    with pytest.raises(NotVisible):
        intake_page_at("north")
    with tenancy.use(south.practice_side):
        assert not IntakePage.objects.exists()
    assert len(told(firm, EngagementEvent.INTAKE_SET_UP)) == 2


def test_a_template_is_kept_changed_and_retired(firm: Firm) -> None:
    template = make_template(firm)
    stale = make_copy(template)
    with tenancy.use(firm.practice_side):
        assert [one.name for one in templates_offered()] == ["Two weeks"]
        template_change(template=template, gig=replace(GIG, days=7), actor=acting(firm.owner))
        assert template.days == 7
        with pytest.raises(Stale):
            template_change(template=stale, gig=GIG, actor=acting(firm.owner))
        with pytest.raises(Stale):
            template_retire(template=stale, actor=acting(firm.owner))
        template_retire(template=template, actor=acting(firm.owner))
        assert templates_offered() == []
    assert len(told(firm, EngagementEvent.TEMPLATE_SAVED)) == 2
    assert len(told(firm, EngagementEvent.TEMPLATE_RETIRED)) == 1


def make_copy(template: EngagementTemplate) -> EngagementTemplate:
    """As somebody else read it."""
    return EngagementTemplate(pk=template.pk, number=template.number, practice_id=template.practice_id)


@pytest.mark.parametrize("user", ["page", "shop"])
def test_a_template_that_is_needed_cannot_be_retired(firm: Firm, user: str) -> None:
    template = (make_page(firm) if user == "page" else make_shop(firm)).template
    with tenancy.use(firm.practice_side), pytest.raises(InvalidMove, match="Choose another template"):
        template_retire(template=template, actor=acting(firm.owner))
    with tenancy.use(firm.practice_side):
        assert EngagementTemplate.objects.get(pk=template.pk).retired_at is None


def test_rows_have_names(firm: Firm) -> None:
    ask(firm, make_page(firm))
    shop = make_shop(firm)
    assert [str(kept(firm)[0]), str(shop), str(shop.template), str(intake_page_at("north"))] == [
        "order GIG-1001",
        "Web shop",
        "Two weeks",
        "the intake page",
    ]
