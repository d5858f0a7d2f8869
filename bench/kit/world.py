"""One practice with one client, one engagement that is switched on, and its approver, signed in.

Made by the services that people use, as far as no AWS is needed. All other engagements are copies of its rows
(`kit.copies`): ten thousand through services take an hour.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import Final

from django.conf import settings
from django.contrib.auth import login
from django.db import transaction
from django.http import HttpRequest
from django.urls import reverse

from accounts.lifecycle import ContactRole
from accounts.models import Client, Contact, Practice, User
from accounts.services.people import Firm, Person, client_add, contact_add, practice_open
from accounts.sessions import SessionStore
from awsaccess.lifecycle import GrantStatus, Verdict, VisitKind, VisitStatus
from awsaccess.models import Grant, Verification, Visit
from awsaccess.probes import CHECKS, OK
from awsaccess.services.hubs import hub_set_up
from awsaccess.services.sending import engagement_send
from engagements.models import Engagement, Offer
from engagements.services.closing import engagement_activate_within
from engagements.services.consents import Evidence, Shown, consent_give
from engagements.services.drafts import engagement_draft, offer_published
from portal.kernel import clock, tenancy
from portal.kernel.actor import machine, person

BUILDER: Final = machine("bench")
# With the milestones (agreed, switched on, checked) about twenty happenings on the page.
VISITS: Final = 17
ACCOUNT: Final = "441709265583"
PAPER: Final = "<article><h1>What you agree to</h1></article>"


def make_world() -> dict[str, str]:
    """Fill an empty database; what `kit.worlds.World` holds. Raises whatever the services raise."""
    practice = practice_open(
        firm=Firm(
            code="northgate",
            name="Northgate Cloud",
            legal_name="Northgate Cloud Ltd",
            address="12 Harbour Street, Bristol BS1 4RN",
            support_email="hello@northgate.example",
        ),
        owner=Person(email="maya@northgate.example", name="Maya Okafor"),
        actor=BUILDER,
    )
    with tenancy.use(tenancy.practice_scope(practice.pk)):
        contact, engagement = _first_engagement(practice)
        return {
            "path": reverse("client:front", args=[engagement.code]),
            "floor_path": reverse("floor"),
            "cookie": f"{settings.SESSION_COOKIE_NAME}={_session(contact)}",
            "person": contact.user.name,
            "title": engagement.title,
            "oldest_reason": _reason(VISITS - 1),
        }


def _first_engagement(practice: Practice) -> tuple[Contact, Engagement]:
    hub_set_up(
        practice=practice,
        role_arn="arn:aws:iam::111111111111:role/latchkey-hub",
        region="eu-west-1",
        template_bucket="latchkey-templates-111111111111",
        actor=BUILDER,
    )
    client = client_add(practice=practice, name="Brightwater Dental", actor=BUILDER)
    contact = contact_add(
        client=client,
        person=Person(email="sam@brightwater.example", name="Sam Carter"),
        role=ContactRole.APPROVER,
        actor=BUILDER,
    )
    engagement = _sent(client)
    _agree(contact, engagement)
    _switch_on(engagement)
    return contact, engagement


def _sent(client: Client) -> Engagement:
    engagement = engagement_draft(
        client=client,
        lead=User.objects.get(email="maya@northgate.example"),
        title="Cost review",
        purpose="find out why the bill went up",
        profile="cost_review",
        ends_at=clock.now() + dt.timedelta(days=28),
        account_id=ACCOUNT,
        account_name="Brightwater Production",
        actor=BUILDER,
    )
    offer = engagement_send(engagement=engagement, actor=BUILDER)
    offer_published(offer=offer, version_id="bench", actor=BUILDER)
    return engagement


def _agree(contact: Contact, engagement: Engagement) -> None:
    user = contact.user
    with (
        tenancy.use(tenancy.NOBODY),
        tenancy.use(tenancy.client_scope(contact.practice_id, contact.client_id, user_id=user.pk)),
    ):
        consent_give(
            engagement=engagement,
            offer=Offer.objects.get(engagement=engagement),
            contact=contact,
            account_id=ACCOUNT,
            shown=Shown(
                html=PAPER, sha256=hashlib.sha256(PAPER.encode()).hexdigest(), displayed_at=clock.now()
            ),
            evidence=Evidence(
                ip="127.0.0.1",
                user_agent="bench",
                accept_language="en",
                sign_in="code",
                timezone=user.timezone,
            ),
            signed_in_at=clock.now(),
            actor=person(user.pk, name=user.name, email=user.email),
        )


@transaction.atomic(durable=True)
def _switch_on(engagement: Engagement) -> None:
    """What a good check and its consultant's visits leave behind: no AWS is asked here."""
    now = clock.now()
    engagement.refresh_from_db()
    Grant.objects.filter(engagement=engagement).update(
        status=GrantStatus.VERIFIED,
        checks=dict.fromkeys(CHECKS, OK),
        verified_at=now,
        last_ok_at=now,
        checked_at=now,
        last_verdict=Verdict.OK,
    )
    engagement_activate_within(engagement=engagement, actor=BUILDER)
    grant = Grant.objects.select_related("offer").get(engagement=engagement)
    Verification.objects.create(
        practice_id=grant.practice_id,
        client_id=grant.client_id,
        grant=grant,
        at=now,
        verdict=Verdict.OK,
        findings={"offer_sha256": grant.offer.offer_sha256},
    )
    maya = User.objects.get(email="maya@northgate.example")
    Visit.objects.bulk_create(_visit(grant, maya, number, now) for number in range(VISITS))


def _visit(grant: Grant, consultant: User, number: int, now: dt.datetime) -> Visit:
    begun = now - dt.timedelta(hours=9 * (number + 1))
    ends = begun + dt.timedelta(hours=1)
    return Visit(
        practice_id=grant.practice_id,
        client_id=grant.client_id,
        engagement_id=grant.engagement_id,
        grant=grant,
        consultant=consultant,
        consultant_name=consultant.name,
        reason=_reason(number),
        kind=VisitKind.CONSOLE,
        status=VisitStatus.ISSUED,
        session_name=f"maya.okafor-{number}",
        intended_at=begun,
        issued_at=begun,
        ends_at=ends,
        worst_case_until=ends,
    )


def _reason(number: int) -> str:
    return f"look at the bill of week {number + 1}"


def _session(contact: Contact) -> str:
    """The key of a session that is signed in as the contact and sits at the contact's seat."""
    request = HttpRequest()
    request.session = SessionStore()
    login(request, contact.user, backend=settings.AUTHENTICATION_BACKENDS[0])
    request.session["seat"] = str(contact.pk)
    request.session.save()
    return str(request.session.session_key)
