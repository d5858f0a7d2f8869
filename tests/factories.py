"""People, firms and engagements in named states, made as the web role."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from accounts.lifecycle import ContactRole, MemberRole
from accounts.models import Client, Contact, Membership, Practice, User
from engagements.models import Engagement
from portal.kernel import clock, tenancy


@dataclass(frozen=True, slots=True, kw_only=True)
class Firm:
    """One practice with an owner, one client and its approver."""

    practice: Practice
    owner: User
    client: Client
    approver: User
    contact: Contact


def make_firm(word: str) -> Firm:
    practice = Practice(
        code=word, name=word.title(), legal_name=f"{word} Ltd", address="1 Quay", support_email="a@b.example"
    )
    owner = User.objects.create_user(f"Owner@{word}.example", name="Maya Okafor", is_staff=True)
    approver = User.objects.create_user(f"approver@{word}.example", name="Sam Carter")
    with tenancy.use(tenancy.practice_scope(practice.pk)):
        practice.save(force_insert=True)
        Membership.objects.create(practice=practice, user=owner, role=MemberRole.OWNER)
        client = Client.objects.create(practice=practice, name=f"Client of {word}")
        contact = Contact.objects.create(
            practice=practice, client=client, user=approver, role=ContactRole.APPROVER
        )
    return Firm(practice=practice, owner=owner, client=client, approver=approver, contact=contact)


def make_engagement(firm: Firm) -> Engagement:
    """A draft of the firm's one client, ending in four weeks. Opens the practice's scope itself."""
    with tenancy.use(tenancy.practice_scope(firm.practice.pk)):
        return Engagement.objects.create(
            practice=firm.practice,
            client=firm.client,
            title="Cost review",
            purpose="to find out why the bill went up",
            account_id="441709265583",
            ends_at=clock.now() + dt.timedelta(days=28),
        )
