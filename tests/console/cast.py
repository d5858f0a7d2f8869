"""Who looks at the console: one person per role, before one engagement of the sample cast."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import pytest
from django.test import Client as Browser

from accounts.lifecycle import AccountEvent, MemberRole
from accounts.models import Membership, User
from awsaccess.aws.fake import FakeAwsGateway
from awsaccess.door import hub_identity
from awsaccess.models import Grant, Hub, Visit
from awsaccess.services.checks import target_of
from engagements.models import Engagement
from portal.kernel import clock, tenancy
from portal.kernel.models import AuditEvent
from portal.kernel.refusals import RequestEvent
from tests.factories import make_firm
from tests.pages.stage import Stage

ENGAGEMENT = "/console/engagements/engagement/"


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """The stage, and browsers of the people round it."""

    stage: Stage
    owner: Browser
    assigned: Browser
    unassigned: Browser
    auditor: Browser
    stranger: Browser
    contact: Browser
    nobody: Browser

    @property
    def engagement(self) -> Engagement:
        """As it stands now."""
        return self.stage.fresh()

    def url(self, slug: str = "") -> str:
        """The engagement's page, or an action's."""
        return f"{ENGAGEMENT}{self.stage.engagement.code}/{slug}"

    def events(self) -> int:
        """How many acts the record holds: what was refused is none, nor is the proof that a button was pressed with."""
        beside = (RequestEvent.REFUSED, AccountEvent.STEP_UP_MADE)
        with tenancy.use(self.stage.scope):
            return AuditEvent.objects.exclude(kind__in=beside).count()

    def grant(self) -> Grant:
        """The engagement's role."""
        with tenancy.use(self.stage.scope):
            return Grant.objects.get(engagement=self.stage.engagement)

    def visits(self) -> list[Visit]:
        """All visits, newest first."""
        with tenancy.use(self.stage.scope):
            return list(Visit.objects.order_by("-intended_at"))


def house(stage: Stage) -> House:
    """People of every kind: Maya leads and owns, Tomasz is assigned, Ines is not, Ada audits, Owen is elsewhere."""
    tomasz = User.objects.get(email="tomasz@northgate.example")
    return House(
        stage=stage,
        owner=stage.browser(stage.maya),
        assigned=stage.browser(tomasz),
        unassigned=stage.browser(member(stage, "Ines Duarte", MemberRole.CONSULTANT)),
        auditor=stage.browser(member(stage, "Ada Novak", MemberRole.AUDITOR)),
        stranger=stage.browser(make_firm("harbour").owner),
        contact=stage.browser(stage.sam),
        nobody=Browser(),
    )


def member(stage: Stage, name: str, role: MemberRole) -> User:
    """One more person of the practice."""
    address = f"{name.split(maxsplit=1)[0].lower()}@northgate.example"
    user = User.objects.create_user(address, name=name, is_staff=True)
    with tenancy.use(stage.scope):
        Membership.objects.create(practice=stage.practice, user=user, role=role)
    return user


def open_the_door(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> FakeAwsGateway:
    """An AWS in memory that holds the agreed role, checked a minute ago."""
    with tenancy.use(stage.scope):
        Grant.objects.update(last_ok_at=clock.now() - dt.timedelta(minutes=1))
        grant = Grant.objects.select_related("offer", "engagement", "practice").get()
        fake = FakeAwsGateway(hub_identity(Hub.objects.select_related("practice").get()))
        fake.make_role(grant.role_arn, target_of(grant).expected)
    for place in ("awsaccess.services.visits", "awsaccess.services.hubs", "awsaccess.services.sending"):
        monkeypatch.setattr(f"{place}.gateway", lambda: fake)
    return fake
