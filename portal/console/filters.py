"""The filters beside the lists. Each tile of the dashboard leads to one of them, and counts the same rows."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest

from accounts.models import Contact
from awsaccess.lifecycle import BROKEN, WATCHED, GrantStatus, VisitStatus
from awsaccess.models import Grant, Visit
from engagements.lifecycle import EngagementStatus
from engagements.models import Engagement
from engagements.reminding import UNTIL_ANSWERED, UNTIL_CONNECTED, UNTIL_OPENED
from portal.console import words
from portal.kernel.deliveries import FAILED
from portal.kernel.models import AuditEvent, OutboxMessage

_S = EngagementStatus
RUNNING: Final = (_S.INVITED, _S.AGREED, _S.ACTIVE, _S.PAUSED)
OVER: Final = (_S.CLOSED, _S.DECLINED, _S.CANCELLED)
STANDINGS: Final = {
    "draft": ("Draft", (_S.DRAFT,)),
    "waiting": ("Waiting for client", (_S.INVITED, _S.AGREED)),
    "on": ("Access on", (_S.ACTIVE,)),
    "problem": ("Problem", (_S.ACTIVE,)),
    "paused": ("Paused", (_S.PAUSED,)),
    "closing": ("Being closed", (_S.CLOSING,)),
    "over": ("Over", OVER),
}
STUCK: Final = {
    "unopened": (
        "Not opened for 3 days",
        Q(status=_S.INVITED, is_opened=False, invited_at__lt=Now() - UNTIL_OPENED),
    ),
    "unanswered": (
        "Opened, not answered for 3 days",
        Q(status=_S.INVITED, is_opened=True, invited_at__lt=Now() - UNTIL_ANSWERED),
    ),
    "unconnected": (
        "Agreed, not switched on for a day",
        Q(status=_S.AGREED, agreed_at__lt=Now() - UNTIL_CONNECTED[0]),
    ),
}
HEALTH: Final = {
    "healthy": ("Healthy", frozenset({GrantStatus.VERIFIED})),
    "broken": ("Broken", BROKEN),
    "waiting": ("Waiting for the role", WATCHED - BROKEN - {GrantStatus.VERIFIED}),
    "over": ("Closed or closing", frozenset({GrantStatus.ENDING, GrantStatus.GONE})),
}


class _Choice(admin.SimpleListFilter):
    """A filter whose choices are fixed."""

    choices_made: tuple[tuple[str, str], ...] = ()

    def lookups(
        self,
        request: HttpRequest,  # noqa: ARG002  # Django's signature
        model_admin: admin.ModelAdmin[Any],  # noqa: ARG002  # Any: of whichever list
    ) -> tuple[tuple[str, str], ...]:
        """What there is to choose from."""
        return self.choices_made


class MineFilter(_Choice):
    """Where I work."""

    title = "consultant"
    parameter_name = "mine"
    choices_made = (("yes", "Mine"),)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Engagement]) -> QuerySet[Engagement]:  # noqa: ARG002
        """Needs `reads.with_standing`."""
        return queryset.filter(Q(is_mine=True)) if self.value() == "yes" else queryset


class StandingFilter(_Choice):
    """The words for people."""

    title = "status"
    parameter_name = "standing"
    choices_made = tuple((key, name) for key, (name, _statuses) in STANDINGS.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Engagement]) -> QuerySet[Engagement]:  # noqa: ARG002
        """Needs `reads.with_standing`."""
        return of_standing(queryset, self.value() or "")


class EndsFilter(_Choice):
    """What runs out soon."""

    title = "end"
    parameter_name = "ends"
    choices_made = (("14", "In 14 days"), ("30", "In 30 days"))

    def queryset(self, request: HttpRequest, queryset: QuerySet[Engagement]) -> QuerySet[Engagement]:  # noqa: ARG002
        """Only what runs: what is over has ended already."""
        chosen = self.value()
        return ending(queryset, int(chosen)) if chosen in {"14", "30"} else queryset


class HealthFilter(_Choice):
    """How the roles are."""

    title = "state"
    parameter_name = "health"
    choices_made = tuple((key, name) for key, (name, _statuses) in HEALTH.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Grant]) -> QuerySet[Grant]:  # noqa: ARG002
        """By groups of statuses."""
        found = HEALTH.get(self.value() or "")
        return queryset.filter(status__in=found[1]) if found else queryset


class VisitFilter(_Choice):
    """How visits ended."""

    title = "outcome"
    parameter_name = "outcome"
    choices_made = tuple((status.value, words.VISITS[status].text) for status in VisitStatus)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Visit]) -> QuerySet[Visit]:  # noqa: ARG002
        """By status."""
        return queryset.filter(status=self.value()) if self.value() else queryset


class MyVisitsFilter(_Choice):
    """Whose visits."""

    title = "consultant"
    parameter_name = "mine"
    choices_made = (("yes", "Mine"),)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Visit]) -> QuerySet[Visit]:
        """Of the person who looks."""
        return queryset.filter(consultant_id=request.user.pk) if self.value() == "yes" else queryset


class SinceFilter(_Choice):
    """How far back."""

    title = "date"
    parameter_name = "days"
    choices_made = (("1", "Last 24 hours"), ("7", "Last 7 days"), ("30", "Last 30 days"))
    moment = "at"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002  # Any: either list
        """By the list's moment."""
        if self.value() not in {"1", "7", "30"}:
            return queryset
        since = Now() - dt.timedelta(days=int(self.value() or 0))
        return queryset.filter(**{f"{self.moment}__gte": since})


class VisitSinceFilter(SinceFilter):
    """The same for visits."""

    moment = "intended_at"


class MailFilter(_Choice):
    """Whom no mail reaches."""

    title = "mail"
    parameter_name = "mail"
    choices_made = (("failed", "Did not arrive"),)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Contact]) -> QuerySet[Contact]:  # noqa: ARG002
        """Needs `mails.with_mail_state`."""
        return queryset.filter(Q(mail_state__in=FAILED)) if self.value() == "failed" else queryset


class StuckFilter(_Choice):
    """What waits for the client for so long that somebody should call."""

    title = "waiting"
    parameter_name = "stuck"
    choices_made = tuple((key, name) for key, (name, _rule) in STUCK.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Engagement]) -> QuerySet[Engagement]:  # noqa: ARG002
        """Needs `reads.with_standing`."""
        return of_stuck(queryset, self.value() or "")


class SourceFilter(_Choice):
    """From which side an event came."""

    title = "side"
    parameter_name = "side"
    choices_made = (
        ("practice", "Practice"),
        ("engagement", "Engagements"),
        ("client", "Client"),
        ("aws", "AWS"),
        ("person", "Sign-ins"),
    )

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEvent]) -> QuerySet[AuditEvent]:  # noqa: ARG002
        """By the first word of the event's name."""
        return queryset.filter(kind__startswith=f"{self.value()}:") if self.value() else queryset


class DeliveryFilter(_Choice):
    """Where deliveries are."""

    title = "state"
    parameter_name = "state"
    choices_made = tuple((state.value, cell.text) for state, cell in words.DELIVERIES.items())

    def queryset(
        self,
        request: HttpRequest,  # noqa: ARG002  # Django's signature
        queryset: QuerySet[OutboxMessage],
    ) -> QuerySet[OutboxMessage]:
        """By state."""
        return queryset.filter(state=self.value()) if self.value() else queryset


def of_standing(rows: QuerySet[Engagement], key: str) -> QuerySet[Engagement]:
    """Rows under one of the words. Needs `reads.with_standing`."""
    if key not in STANDINGS:
        return rows
    found = rows.filter(status__in=STANDINGS[key][1])
    return found.filter(Q(has_problem=key == "problem")) if key in {"on", "problem"} else found


def of_stuck(rows: QuerySet[Engagement], key: str) -> QuerySet[Engagement]:
    """Rows that got stuck in one way. Needs `reads.with_standing`."""
    return rows.filter(STUCK[key][1]) if key in STUCK else rows


def ending(rows: QuerySet[Engagement], days: int) -> QuerySet[Engagement]:
    """What runs and ends within so many days."""
    return rows.filter(status__in=RUNNING, ends_at__lte=Now() + dt.timedelta(days=days))
