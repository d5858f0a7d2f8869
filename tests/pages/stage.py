"""The sample cast before the client's pages: one engagement in any state, made through the services where they exist."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import QuerySet
from django.test import Client as Browser

from accounts.lifecycle import ContactRole, MemberRole
from accounts.models import Client, Contact, Membership, Practice, User
from awsaccess.lifecycle import GrantStatus, VisitKind, VisitStatus
from awsaccess.models import ExitProof, Grant, Hub, Verification, Visit
from awsaccess.services.sending import engagement_send
from engagements.lifecycle import AssignmentRole
from engagements.models import Assignment, Consent, Engagement, Offer
from engagements.services.closing import engagement_end
from engagements.services.consents import Evidence, Shown, consent_give
from engagements.services.drafts import engagement_draft
from engagements.services.pauses import engagement_pause
from portal.kernel import actor, clock, tenancy
from portal.pages import consenting
from portal.pages.frames import desk_of
from tests.signing_in import ProvingBrowser, let_in

LONDON = ZoneInfo("Europe/London")
ALL_WELL = {"found": "ok", "lock": "ok", "scope": "ok", "ends": "ok"}
EVIDENCE = Evidence(
    ip="192.0.2.7",
    user_agent="Mozilla/5.0 (X11; Linux x86_64) Firefox/145.0",
    accept_language="en-GB",
    sign_in="invitation",
    timezone="Europe/London",
    language="en",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The firm, the people and the engagement. `scope` is the practice's."""

    practice: Practice
    client: Client
    maya: User
    sam: User
    contact: Contact
    engagement: Engagement

    @property
    def scope(self) -> tenancy.Scope:
        return tenancy.practice_scope(self.practice.pk)

    @property
    def client_scope(self) -> tenancy.Scope:
        return tenancy.client_scope(self.practice.pk, self.client.pk, user_id=self.sam.pk)

    @property
    def sam_acts(self) -> actor.Actor:
        return actor.person(self.sam.pk, name=self.sam.name, email=self.sam.email)

    def path(self, page: str = "") -> str:
        return f"/e/{self.engagement.code}/{page}"

    def browser(self, user: User | None = None) -> Browser:
        return let_in(ProvingBrowser(), user or self.sam)

    def colleague(self, role: ContactRole) -> User:
        """Another contact of the client, in this role."""
        user = User.objects.create_user(f"{role.value}@brightwater.example", name="Alex Reed")
        with tenancy.use(self.scope):
            Contact.objects.create(practice=self.practice, client=self.client, user=user, role=role)
        return user

    def neighbour(self) -> User:
        """An approver of another client of the same practice."""
        user = User.objects.create_user("ruth@hollins.example", name="Ruth Hollins")
        with tenancy.use(self.scope):
            client = Client.objects.create(practice=self.practice, name="Hollins Farm")
            Contact.objects.create(
                practice=self.practice, client=client, user=user, role=ContactRole.APPROVER
            )
        return user

    def consents(self) -> list[Consent]:
        with tenancy.use(self.scope):
            rows = Consent.objects.select_related("offer").filter(engagement=self.engagement)
            return list(rows.order_by("given_at"))

    def fresh(self) -> Engagement:
        with tenancy.use(self.scope):
            return Engagement.objects.get(pk=self.engagement.pk)

    def offer(self) -> Offer:
        with tenancy.use(self.scope):
            return Offer.objects.get(engagement=self.engagement)


def set_stage(*, account_id: str = "441709265583", **terms: Any) -> Stage:  # Any: the terms of a draft
    """Northgate Cloud with Maya and Tomasz, Brightwater Dental with Sam, and a draft."""
    practice = Practice(
        code="northgate",
        name="Northgate Cloud",
        legal_name="Northgate Cloud Ltd",
        address="12 Quay Street, Bristol BS1 4QZ",
        support_email="help@northgate.example",
    )
    maya = _consultant("maya@northgate.example", "Maya Okafor", "+44 20 7946 0991")
    tomasz = _consultant("tomasz@northgate.example", "Tomasz Lis", "")
    sam = User.objects.create_user("sam@brightwater.example", name="Sam Carter")
    with tenancy.use(tenancy.practice_scope(practice.pk)):
        practice.save(force_insert=True)
        for user, role in ((maya, MemberRole.OWNER), (tomasz, MemberRole.CONSULTANT)):
            Membership.objects.create(practice=practice, user=user, role=role)
        client = Client.objects.create(practice=practice, name="Brightwater Dental")
        contact = Contact.objects.create(
            practice=practice,
            client=client,
            user=sam,
            role=ContactRole.APPROVER,
            title="Operations Manager",
        )
        _hub(practice)
        engagement = engagement_draft(
            client=client,
            lead=maya,
            title="Cost review",
            purpose="to find out why the bill went up",
            profile="cost_review",
            ends_at=(clock.now() + dt.timedelta(days=28)).replace(hour=18, minute=0, second=0),
            actor=actor.machine("test"),
            account_id=account_id,
            account_name="Brightwater Production",
            contract_reference="NC-2026-031",
            **terms,
        )
        Assignment.objects.create(
            practice=practice,
            client=client,
            engagement=engagement,
            consultant=tomasz,
            role=AssignmentRole.MEMBER,
            starts_at=clock.now(),
        )
    return Stage(practice=practice, client=client, maya=maya, sam=sam, contact=contact, engagement=engagement)


def invited(**over: Any) -> Stage:  # Any: what a stage may be set with
    """The offer is frozen and sent."""
    stage = set_stage(**over)
    with tenancy.use(stage.scope):
        engagement_send(engagement=stage.engagement, actor=actor.machine("test"))
    return replace(stage, engagement=stage.fresh())


def agreed(
    *, published: bool = True, evidence: Evidence = EVIDENCE, **terms: Any
) -> Stage:  # Any: the terms of a draft
    """Sam agreed; the template lies in the bucket unless it is still on its way."""
    stage = invited(**terms)
    with tenancy.use(stage.client_scope):
        _give_consent(stage, evidence)
    if published:
        with tenancy.use(stage.scope):
            Offer.objects.filter(engagement=stage.engagement).update(template_version_id="v1")
    return replace(stage, engagement=stage.fresh())


def active(**terms: Any) -> Stage:  # Any: the terms of a draft
    """AWS has confirmed all four checks."""
    stage = agreed(**terms)
    now = clock.now()
    with tenancy.use(stage.scope):
        Engagement.objects.filter(pk=stage.engagement.pk).update(status="active", activated_at=now)
        _grants(stage).update(
            status=GrantStatus.VERIFIED, checks=ALL_WELL, verified_at=now, checked_at=now, last_verdict="ok"
        )
        grant = _grants(stage).select_related("offer").get()
        Verification.objects.create(
            practice=stage.practice,
            client=stage.client,
            grant=grant,
            at=now,
            verdict="ok",
            findings={"offer_sha256": grant.offer.offer_sha256},
        )
    return replace(stage, engagement=stage.fresh())


def visited() -> Stage:
    """Active, with one visit that may still be open and one that is over."""
    stage = active()
    make_visit(stage, minutes_ago=20, reason="compare server sizes with last month’s use")
    make_visit(stage, minutes_ago=26 * 60, reason="download the October bill", name="Tomasz Lis", kind="cli")
    return stage


def broken(checks: dict[str, str], *, status: GrantStatus, problem: str) -> Stage:
    """Active, and a check has found something."""
    stage = active()
    with tenancy.use(stage.scope):
        _grants(stage).update(status=status, checks=checks, problem=problem)
    return stage


def paused() -> Stage:
    """Sam paused it, with a reason."""
    stage = visited()
    with tenancy.use(stage.client_scope):
        engagement_pause(
            engagement=stage.engagement, actor=stage.sam_acts, reason="our accountant has a question"
        )
    return replace(stage, engagement=stage.fresh())


def closing() -> Stage:
    """Sam ended it; the access still stands in AWS."""
    stage = visited()
    with tenancy.use(stage.client_scope):
        engagement_end(engagement=stage.engagement, actor=stage.sam_acts)
    with tenancy.use(stage.scope):
        _grants(stage).update(status=GrantStatus.ENDING)
        ExitProof.objects.create(
            practice=stage.practice,
            client=stage.client,
            engagement=stage.engagement,
            grant=_grants(stage).get(),
            begun_at=clock.now(),
        )
    return replace(stage, engagement=stage.fresh())


def closed() -> Stage:
    """Proved to be gone."""
    stage = closing()
    now = clock.now()
    with tenancy.use(stage.scope):
        ExitProof.objects.filter(engagement=stage.engagement).update(
            refused_since=now,
            last_refused_at=now,
            refusals=61,
            sessions_over_at=now,
            proved_at=now,
            evidence_sha256="5f" * 32,
        )
        _grants(stage).update(status=GrantStatus.GONE)
        Engagement.objects.filter(pk=stage.engagement.pk).update(status="closed", closed_at=now)
    return replace(stage, engagement=stage.fresh())


def make_visit(
    stage: Stage,
    *,
    minutes_ago: int,
    reason: str,
    name: str = "Maya Okafor",
    kind: str = VisitKind.CONSOLE,
    **over: Any,  # Any: other columns
) -> Visit:
    """One hour long, so that young ones are open still."""
    begun = clock.now() - dt.timedelta(minutes=minutes_ago)
    ends = begun + dt.timedelta(hours=1)
    with tenancy.use(stage.scope):
        return Visit.objects.create(
            practice=stage.practice,
            client=stage.client,
            engagement=stage.engagement,
            grant=_grants(stage).get(),
            consultant=stage.maya,
            consultant_name=name,
            reason=reason,
            kind=kind,
            session_name="maya",
            intended_at=begun,
            worst_case_until=ends,
            issued_at=begun,
            ends_at=ends,
            access_key_id="ASIAEXAMPLE",
            **{"status": VisitStatus.ISSUED, **over},
        )


def _grants(stage: Stage) -> QuerySet[Grant]:
    return Grant.objects.filter(engagement=stage.engagement)


def _consultant(email: str, name: str, phone: str) -> User:
    return User.objects.create_user(email, name=name, phone=phone, is_staff=True)


def _hub(practice: Practice) -> None:
    Hub.objects.create(
        practice=practice,
        account_id="111111111111",
        role_arn="arn:aws:iam::111111111111:role/latchkey-hub",
        region="eu-west-1",
        template_bucket="latchkey-templates-111111111111",
    )


def _give_consent(stage: Stage, evidence: Evidence) -> Consent:
    engagement = Engagement.objects.select_related("practice", "client").get(pk=stage.engagement.pk)
    offer = Offer.objects.get(engagement=engagement)
    assignments = list(engagement.assignments.select_related("consultant").order_by("starts_at"))
    desk = desk_of(engagement=engagement, assignments=assignments, contact=stage.contact, user=stage.sam)
    html = consenting.paper_html(desk, offer)
    return consent_give(
        engagement=engagement,
        offer=offer,
        contact=stage.contact,
        account_id=engagement.account_id,
        shown=Shown(html=html, sha256=consenting.digest(html), displayed_at=clock.now()),
        evidence=evidence,
        signed_in_at=clock.now(),
        actor=stage.sam_acts,
    )
