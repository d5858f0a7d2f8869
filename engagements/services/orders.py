"""Orders: asked for on the intake page and confirmed by mail, or told by a shop. Each becomes a draft, at once.

Nothing that a stranger does shows whether anybody is known here: the answer and the work are the same.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass
from typing import Final
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy

from accounts import selectors as accounts
from accounts.lifecycle import WORKERS, ContactRole
from accounts.models import Client, Contact, User
from accounts.services.attempts import Limit, attempt_count
from accounts.services.people import Person, client_add_within, contact_add_within, memberships_locked
from engagements.lifecycle import EngagementEvent
from engagements.models import ORDER_PURPOSE, Engagement, IntakePage, Order, Shop
from engagements.selectors import order_find
from engagements.services.drafts import BadDraft, Terms, engagement_draft_within, require_possible
from portal.kernel import actor as actors
from portal.kernel import audit, clock, due, outbox, refusals, secrets, tenancy
from portal.kernel.actor import Actor
from portal.kernel.errors import LinkDead, RateLimited

CONFIRM: Final = "engagements.order_confirm"
ARRIVED: Final = "engagements.order_arrived"
FORGET: Final = "engagements.order_forget"
LIFETIME: Final = dt.timedelta(hours=24)

# Whoever asks from one internet address; an office may share one.
ORIGIN_TRIES: Final = Limit(name="intake from an address", tries=20, within=dt.timedelta(hours=1))
# The page must not become a way to fill somebody's mailbox, nor a way to fill ours.
MAILBOX_TRIES: Final = Limit(name="intake for a mailbox", tries=3, within=dt.timedelta(hours=24))
PAGE_TRIES: Final = Limit(name="intake of a practice", tries=200, within=dt.timedelta(hours=24))
# Refusals that the record tells of one connection; those beyond are refused all the same.
REFUSALS_TOLD: Final = Limit(name="refused shop event", tries=10, within=dt.timedelta(hours=1))


class LinkOver(LinkDead):
    """Raised for a link that confirms nothing (any more): always with the same words."""

    title = gettext_lazy("This link doesn’t work any more")
    user_message = gettext_lazy("It works once and for a day. Nothing was sent, and nothing is at risk.")
    next_label = gettext_lazy("Go to the start page")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What somebody tells of what they bought. `account_id` is 12 digits, or empty while unknown; so is `language`."""

    name: str
    email: str
    order_number: str
    company: str = ""
    account_id: str = ""
    language: str = ""


def order_ask(*, page: IntakePage, asked: Asked) -> None:
    """Mail the buyer a link that confirms the address; nobody else hears of it before. In the practice's scope.

    A mailbox that was asked for too often gets none, and nothing shows it. Raises RateLimited when the page itself is
    asked too much.
    """
    attempt_count(PAGE_TRIES, str(page.practice_id))
    try:
        attempt_count(MAILBOX_TRIES, f"{page.practice_id}:{asked.email.lower()}")
    except RateLimited:
        _rehearse(page=page, asked=asked)
        return
    _ask(page=page, asked=asked)


def order_rehearse(*, page: IntakePage, asked: Asked) -> None:
    """Do the same work for nothing, for a robot that must not learn that it was seen through."""
    _rehearse(page=page, asked=asked)


def order_confirm(*, token: str) -> Order:
    """The address is theirs: make the draft and tell the consultants. Opens the scopes it needs itself.

    Raises LinkOver for a link that is unknown, used or late, and for all but one of several at the same moment.
    """
    found = order_find(token=token)
    if found is None:
        raise LinkOver
    with accounts.apart(tenancy.practice_scope(found.practice_id)):
        return _confirm(found.pk)


@transaction.atomic(durable=True)
def order_take(*, shop: Shop, event_id: str, asked: Asked) -> Order | None:
    """A shop told, and its signature was right. The order, or None if this event was taken before."""
    held = _people_locked(shop.lead_id)
    order = Order(
        id=uuid4(),
        practice_id=shop.practice_id,
        template_id=shop.template_id,
        lead_id=shop.lead_id,
        shop=shop,
        event_id=event_id,
        made_at=clock.now(),
        confirmed_at=clock.now(),
        **asdict(asked),
    )
    Order.objects.bulk_create([order], ignore_conflicts=True)
    kept = _orders().filter(pk=order.pk).first()
    if kept is None:
        return None
    Shop.objects.filter(pk=shop.pk).update(heard_at=clock.now())
    _hand_over_within(kept, held, EngagementEvent.ORDER_TAKEN, actors.machine(f"shop:{shop.code}"))
    return kept


@transaction.atomic(durable=True)
def order_forget(*, order_id: UUID) -> None:
    """What was never confirmed is nobody's business, once its link is over."""
    Order.objects.filter(pk=order_id, confirmed_at=None, expires_at__lte=clock.now()).delete()


def shop_refuse(*, shop: Shop, reason: str) -> None:
    """Tell the record of a message that was refused; of a flood, the first few in an hour. In the practice's scope."""
    try:
        attempt_count(REFUSALS_TOLD, str(shop.pk))
    except RateLimited:
        return
    refusals.refusal_record(
        EngagementEvent.SHOP_REFUSED,
        subject=shop,
        actor=actors.machine(f"shop:{shop.code}"),
        details={"title": shop.name, "reason": reason},
    )


@transaction.atomic(durable=True)
def _ask(*, page: IntakePage, asked: Asked) -> None:
    _ask_within(page=page, asked=asked)


@transaction.atomic(durable=True)
def _rehearse(*, page: IntakePage, asked: Asked) -> None:
    _ask_within(page=page, asked=asked)
    transaction.set_rollback(True)


def _ask_within(*, page: IntakePage, asked: Asked) -> None:
    moment, key = clock.now(), uuid4()
    order = Order(
        id=key,
        practice_id=page.practice_id,
        template_id=page.template_id,
        lead_id=page.lead_id,
        token_sha256=secrets.fingerprint(next(secrets.tokens(ORDER_PURPOSE, key.bytes))),
        made_at=moment,
        expires_at=moment + LIFETIME,
        **asdict(asked),
    )
    order.save(force_insert=True)
    outbox.put(CONFIRM, key, dedupe_key=f"order:{key}")
    due.schedule(FORGET, key, at=moment + LIFETIME)


@transaction.atomic(durable=True)
def _confirm(order_id: UUID) -> Order:
    moment = clock.now()
    order = _orders().get(pk=order_id)
    held = _people_locked(order.lead_id)
    live = Order.objects.filter(pk=order_id, confirmed_at=None, expires_at__gt=moment)
    # The update decides who was first; what was read before it may be old.
    if live.update(confirmed_at=moment) != 1:
        raise LinkOver
    due.drop(FORGET, order_id)
    _hand_over_within(order, held, EngagementEvent.ORDER_CONFIRMED, actors.machine("intake"))
    return order


def _orders() -> QuerySet[Order]:
    return Order.objects.select_related("practice", "template", "lead")


def _people_locked(lead_id: UUID) -> list[User]:
    """Who may lead it: the person who was chosen, if they still work here, and after them the owners.

    Locked before everything else that is locked here, as whoever leaves does it.
    """
    held = memberships_locked(lead_id)
    places = sorted(held.values(), key=lambda place: (place.user_id != lead_id, place.pk))
    return [place.user for place in places if place.role in WORKERS]


def _hand_over_within(order: Order, leads: list[User], kind: EngagementEvent, who: Actor) -> None:
    """Make the client, the contact and the draft, and tell. The order is kept even when no draft can be made of it."""
    engagement = None
    try:
        engagement = _draft_within(order, leads[0], who)
    except BadDraft as error:
        Order.objects.filter(pk=order.pk).update(problem=error.user_message)
    if engagement is not None:
        Order.objects.filter(pk=order.pk).update(engagement=engagement)
        outbox.put(
            ARRIVED, engagement.pk, dedupe_key=f"order:{order.pk}:arrived", client_id=engagement.client_id
        )
    order.engagement = engagement
    audit.record(
        kind,
        subject=order,
        actor=who,
        about_id=engagement.pk if engagement else None,
        details={"title": order.template.name, "email": order.email, "order": order.order_number},
    )


def _draft_within(order: Order, lead: User, who: Actor) -> Engagement:
    template = order.template
    terms = Terms(
        title=template.title,
        purpose=template.purpose,
        profile=template.profile,
        ends_at=clock.now() + dt.timedelta(days=template.days),
        account_id=order.account_id,
        account_name=template.account_name if order.account_id else "",
        contract_reference=order.order_number,
    )
    require_possible(terms)
    return engagement_draft_within(client=_client_within(order, who), lead=lead, terms=terms, actor=who)


def _client_within(order: Order, who: Actor) -> Client:
    """The client where this address is at home, if that is one; otherwise a new client with this person."""
    rows = Contact.objects.filter(user__email=order.email.lower(), ended_at=None).select_related("client")
    known = {row.client_id: row.client for row in rows.order_by("pk")}
    if len(known) == 1:
        return next(iter(known.values()))
    client = client_add_within(practice=order.practice, name=order.company or order.name, actor=who)
    person = Person(email=order.email, name=order.name, language=order.language)
    contact_add_within(client=client, person=person, role=ContactRole.APPROVER, actor=who)
    return client
