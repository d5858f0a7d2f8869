"""The first page: how everything stands, what needs somebody, and the way into what one works on."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, cast

from django.db.models import F, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.dateformat import format as date_format
from django.utils.timezone import localtime

from accounts.models import Contact, User
from awsaccess.lifecycle import BROKEN, WATCHED, GrantStatus, VisitStatus
from awsaccess.models import Grant, Hub, Visit
from engagements.lifecycle import KNOWN_TO_CLIENT, EngagementStatus
from engagements.models import Engagement, Order
from engagements.reminding import UNTIL_CONNECTED, UNTIL_OPENED
from portal.console import filters, mails, reads, words
from portal.kernel import clock
from portal.kernel.admin import OWNERS, WRITERS, Cell, has_role, page_of
from portal.kernel.models import OutboxMessage, OutboxState

_S = EngagementStatus
SHOWN: Final = 8
DAYS: Final = 14
SOON: Final = dt.timedelta(days=14)
PATIENCE: Final = {_S.INVITED.value: UNTIL_OPENED, _S.AGREED.value: UNTIL_CONNECTED[0]}
# The chart: bars stand on a line at HEIGHT, one every STEP.
HEIGHT: Final = 120
STEP: Final = 30
WIDTH: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """A number that leads to the list of what it counts."""

    label: str
    value: str
    note: str
    url: str
    tone: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Something that needs somebody. `when` is how long it has been so, or how long is left."""

    title: str
    note: str
    when: str
    url: str
    icon: str
    tone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One day of the chart; whole numbers, because the drawing must not depend on anybody's decimal sign."""

    x: int
    y: int
    height: int
    middle: int
    short: str
    day: str
    visits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One engagement of mine, with its one button."""

    client: str
    title: str
    url: str
    standing: Cell
    last_visit: str
    ends: str
    button_url: str
    button: str
    is_main: bool


def context_of(request: HttpRequest) -> dict[str, Any]:  # Any: what the template formats
    """Everything the first page shows, in a fixed number of queries."""
    now = clock.now()
    seen = reads.with_standing(request, reads.engagements_seen(request, Engagement.objects.all()))
    grants = reads.of_engagements_seen(request, Grant.objects.all())
    bars = _bars(request, now)
    return {
        "title": f"{_greeting(now)}, {cast('User', request.user).first_name}",
        "tiles": _tiles(seen, grants, now),
        "tasks": list(_tasks(request, seen, grants, now)),
        "bars": bars,
        "bars_words": ", ".join(f"{bar.day}: {bar.visits}" for bar in bars if bar.visits) or "none",
        "mine": [_row(engagement) for engagement in _mine(seen)],
        "may_add": has_role(request, WRITERS),
    }


def _greeting(now: dt.datetime) -> str:
    hour = localtime(now).hour
    if hour < 12:
        return "Good morning"
    return "Good afternoon" if hour < 18 else "Good evening"


def _list(name: str, query: str) -> str:
    return f"{reverse(f'admin:{name}_changelist')}?{query}"


def _tiles(seen: QuerySet[Engagement], grants: QuerySet[Grant], now: dt.datetime) -> list[Tile]:
    rows = list(seen.filter(status__in=(*filters.RUNNING, _S.CLOSING)))
    counted = Counter(row.status for row in rows)
    return [
        _on_tile(rows, now),
        _health_tile(grants),
        _waiting_tile(rows, now),
        _plain_tile("Paused", counted[_S.PAUSED], "standing=paused", "nobody gets in"),
        _plain_tile("Being closed", counted[_S.CLOSING], "standing=closing", "until it is proved"),
    ]


def _plain_tile(label: str, count: int, query: str, note: str) -> Tile:
    url = _list("engagements_engagement", query)
    return Tile(
        label=label, value=str(count), note=note if count else "none", url=url, tone="wait" if count else ""
    )


def _on_tile(rows: list[Engagement], now: dt.datetime) -> Tile:
    on = [row for row in rows if row.status == _S.ACTIVE and not reads.noted(row, "has_problem")]
    soon = sum(row.ends_at - now < SOON for row in on)
    note = f"{soon} {'ends' if soon == 1 else 'end'} within 14 days" if soon else "none ends soon"
    return Tile(
        label="Access on", value=str(len(on)), note=note, url=_list("engagements_engagement", "standing=on")
    )


def _health_tile(grants: QuerySet[Grant]) -> Tile:
    found = Counter(grants.filter(status__in=WATCHED).values_list("status", flat=True))
    healthy, broken = found[GrantStatus.VERIFIED], sum(found[status] for status in BROKEN)
    return Tile(
        label="Roles healthy",
        value=f"{healthy} / {healthy + broken}",
        note=f"{broken} broken" if broken else "none broken",
        url=_list("awsaccess_grant", "health=broken" if broken else "health=healthy"),
        tone="stop" if broken else "",
    )


def _waiting_tile(rows: list[Engagement], now: dt.datetime) -> Tile:
    waiting = [row for row in rows if row.status in {_S.INVITED, _S.AGREED}]
    since = min((_since(row, now) for row in waiting), default=now)
    return Tile(
        label="Waiting for client",
        value=str(len(waiting)),
        note=f"oldest: {words.span(now - since)}" if waiting else "none",
        url=_list("engagements_engagement", "standing=waiting"),
        tone="wait" if waiting else "",
    )


def _since(engagement: Engagement, now: dt.datetime) -> dt.datetime:
    """When the client was last asked for something."""
    return engagement.agreed_at or engagement.invited_at or now


def _tasks(
    request: HttpRequest, seen: QuerySet[Engagement], grants: QuerySet[Grant], now: dt.datetime
) -> Iterator[Task]:
    """By harm: set-up, broken, given up, asked for, paused, waiting, ending."""
    if has_role(request, OWNERS):
        yield from _set_up()
        yield from _given_up()
        yield from _stuck(now)
    yield from _broken(grants, now)
    yield from _unreached(seen)
    yield from _arrived(seen, now)
    running = seen.filter(status__in=(_S.PAUSED, _S.INVITED, _S.AGREED, _S.ACTIVE)).order_by("ends_at")
    rows = list(running[: 20 * SHOWN])
    yield from [_wished(row, now) for row in rows if reads.noted(row, "wished_at")][:SHOWN]
    yield from [_paused(row, now) for row in rows if row.status == _S.PAUSED][:SHOWN]
    late = (row for row in rows if row.status in PATIENCE and now - _since(row, now) > PATIENCE[row.status])
    yield from [_waiting(row, now) for row in late][:SHOWN]
    yield from [_ending(row, now) for row in rows if row.status == _S.ACTIVE and row.ends_at - now < SOON][
        :SHOWN
    ]


def _set_up() -> Iterator[Task]:
    if not Hub.objects.exists():
        yield Task(
            title="Set up AWS",
            note="Until your own AWS side is known, nothing can be sent to a client.",
            when="",
            url=reverse("admin:awsaccess_hub_add"),
            icon="cloud",
            tone="stop",
        )


def _given_up() -> Iterator[Task]:
    dead = OutboxMessage.objects.filter(state=OutboxState.DEAD)
    count = dead.count()
    if count:
        yield Task(
            title=f"{count} {'mail or delivery was' if count == 1 else 'mails or deliveries were'} given up",
            note="They were tried again and again. See why.",
            when="",
            url=_list("kernel_outboxmessage", "state=dead"),
            icon="mail",
            tone="stop",
        )


def _stuck(now: dt.datetime) -> Iterator[Task]:
    """Orders that no draft could be made of."""
    rows = Order.objects.filter(engagement=None, confirmed_at__gt=now - SOON).order_by("-confirmed_at")
    for order in rows[:SHOWN]:
        yield Task(
            title=f"Order {order.order_number} became no draft",
            note=f"{order.company or order.name}. {order.problem}",
            when=words.span(now - order.made_at),
            url=reverse("admin:engagements_intakepage_changelist"),
            icon="circle-x",
            tone="stop",
        )


def _arrived(seen: QuerySet[Engagement], now: dt.datetime) -> Iterator[Task]:
    """Drafts that orders made: somebody has paid and waits."""
    rows = seen.filter(status=_S.DRAFT, order__isnull=False).annotate(ordered_at=F("order__confirmed_at"))
    for row in rows.order_by("ordered_at")[:SHOWN]:
        since = now - reads.noted(row, "ordered_at")
        note = f"{row.title}, order {row.contract_reference}. Look the draft over, then send it."
        yield _task(row, f"{row.client.name} ordered", note, since, "bell", "wait")


def _broken(grants: QuerySet[Grant], now: dt.datetime) -> Iterator[Task]:
    rows = grants.filter(status__in=BROKEN).select_related("client", "engagement").order_by("last_ok_at")
    page = page_of(Grant)
    for grant in rows[:SHOWN]:
        state = words.GRANTS[GrantStatus(grant.status)].text
        worked = f"It was fine until {words.moment(grant.last_ok_at)}." if grant.last_ok_at else ""
        yield Task(
            title=f"{grant.client.name}: {state[:1].lower()}{state[1:]}",
            note=grant.problem or worked,
            when=words.span(now - grant.last_ok_at) if grant.last_ok_at else "",
            url=page.page_url(grant),
            icon="circle-x",
            tone="stop",
        )


def _unreached(seen: QuerySet[Engagement]) -> Iterator[Task]:
    """People at clients whom no mail reaches, while they are asked or told of anything."""
    running = set(seen.filter(status__in=KNOWN_TO_CLIENT).values_list("client_id", flat=True))
    page = page_of(Contact)
    for contact in mails.addresses_failing(running)[:SHOWN]:
        yield Task(
            title=f"Mail to {contact.user.name} did not arrive",
            note=f"{contact.client.name}. Make sure of the address, then send it again.",
            when="",
            url=page.page_url(contact),
            icon="mail",
            tone="stop",
        )


def _wished(engagement: Engagement, now: dt.datetime) -> Task:
    """The client found out that they need another AWS account, and can do nothing before somebody answers."""
    wished = reads.noted(engagement, "wished_account")
    note = f"…{wished[-4:]} instead of …{engagement.account_id[-4:]}. Confirm it, or say why not."
    since = now - reads.noted(engagement, "wished_at")
    title = f"{engagement.client.name} asks to use another AWS account"
    return _task(engagement, title, note, since, "circle-help", "wait")


def _paused(engagement: Engagement, now: dt.datetime) -> Task:
    by = engagement.client.name if reads.noted(engagement, "moved_by_client") else "Your side"
    reason = (
        f"Reason given: {engagement.moved_note.rstrip('.')}."
        if engagement.moved_note
        else "No reason was given."
    )
    since = engagement.paused_at
    return _task(
        engagement, f"{by} paused access", reason, now - since if since else None, "circle-pause", "wait"
    )


def _waiting(engagement: Engagement, now: dt.datetime) -> Task:
    invited = engagement.status == _S.INVITED
    title = "agreed, but hasn’t switched it on"
    if invited:
        is_opened = reads.noted(engagement, "is_opened")
        title = "hasn’t answered the invitation" if is_opened else "hasn’t opened the invitation"
    since = _since(engagement, now)
    note = f"Since {words.day(since)}. Send it again, or call."
    return _task(engagement, f"{engagement.client.name} {title}", note, now - since, "clock", "wait")


def _ending(engagement: Engagement, now: dt.datetime) -> Task:
    title = f"{engagement.client.name}: access ends soon"
    note = f"{engagement.title} ends by itself on {words.day(engagement.ends_at)}."
    task = _task(engagement, title, note, engagement.ends_at - now, "calendar-clock", "plain")
    return Task(
        title=task.title,
        note=task.note,
        when=f"{task.when} left",
        url=task.url,
        icon=task.icon,
        tone=task.tone,
    )


def _task(
    engagement: Engagement, title: str, note: str, length: dt.timedelta | None, icon: str, tone: str
) -> Task:
    when = words.span(length) if length is not None else ""
    url = page_of(Engagement).page_url(engagement)
    return Task(title=title, note=note, when=when, url=url, icon=icon, tone=tone)


def _bars(request: HttpRequest, now: dt.datetime) -> list[Bar]:
    """Visits per day in the reader's own days, the newest at the right."""
    today = localtime(now).date()
    days = [today - dt.timedelta(days=back) for back in range(DAYS - 1, -1, -1)]
    since = localtime(now).replace(hour=0, minute=0, second=0, microsecond=0) - dt.timedelta(days=DAYS - 1)
    visits = reads.of_engagements_seen(request, Visit.objects.filter(status=VisitStatus.ISSUED))
    begun = visits.filter(intended_at__gte=since).values_list("intended_at", flat=True)
    counted = Counter(localtime(at).date() for at in begun)
    most = max([*counted.values(), 4])
    return [_bar(place, day, counted[day], most) for place, day in enumerate(days)]


def _bar(place: int, day: dt.date, count: int, most: int) -> Bar:
    height = HEIGHT * count // most
    x = place * STEP + (STEP - WIDTH) // 2
    return Bar(
        x=x,
        y=HEIGHT - height,
        height=height,
        middle=place * STEP + STEP // 2,
        short=str(day.day),
        day=date_format(day, "j M"),
        visits=count,
    )


def _mine(seen: QuerySet[Engagement]) -> QuerySet[Engagement]:
    rows = seen.filter(Q(is_mine=True)).exclude(status__in=filters.OVER)
    return rows.order_by("ends_at")[: 2 * SHOWN]


def _row(engagement: Engagement) -> Row:
    page = page_of(Engagement)
    standing = words.standing_cell(engagement.status, has_problem=reads.noted(engagement, "has_problem"))
    slug, label = _button(engagement, standing)
    url = page.page_url(engagement)
    return Row(
        client=engagement.client.name,
        title=engagement.title,
        url=url,
        standing=standing,
        last_visit=words.lately(reads.noted(engagement, "last_visit_at"), reads.noted(engagement, "read_at")),
        ends=words.day(engagement.ends_at),
        button_url=page.action_url(engagement, slug) if slug else url,
        button=label,
        is_main=bool(slug),
    )


def _button(engagement: Engagement, standing: Cell) -> tuple[str, str]:
    if standing.text == words.Standing.ON and reads.noted(engagement, "may_enter"):
        return "open", "Open AWS"
    if engagement.status == _S.DRAFT:
        return "", "Review and send"
    return "", "See what’s wrong" if standing.tone == "stop" else "View"
