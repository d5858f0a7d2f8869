"""People, firms and engagements in named states, made as the web role and, from the draft on, by the services."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass

from django.db import transaction

from accounts.lifecycle import ContactRole, MemberRole
from accounts.models import Client, Contact, Membership, Practice, User
from engagements.lifecycle import ChangeStatus
from engagements.models import Consent, Engagement, Offer, ScopeChange
from engagements.selectors import offer_current, profile_for
from engagements.services.change_answers import change_decline
from engagements.services.changes import change_agree_within, change_ask_within, change_in_force_within
from engagements.services.closing import (
    engagement_activate_within,
    engagement_close_within,
    engagement_end,
)
from engagements.services.consents import Evidence, Shown, consent_give
from engagements.services.drafts import engagement_draft, offer_freeze_within
from engagements.services.moves import engagement_invite_within
from engagements.services.pauses import engagement_pause
from portal.kernel import clock, tenancy
from portal.kernel.actor import Actor, machine, person

ACCOUNT_ID = "441709265583"
HUB_ACCOUNT_ID = "111111111111"
OTHER_ACCOUNT_ID = "222222222222"
PAPER = "<p>Maya may look at your bills until the 18th – nothing else.</p>\r\n"
EVIDENCE = Evidence(
    ip="192.0.2.7",
    user_agent="Mozilla/5.0",
    accept_language="en-GB",
    sign_in="link:mail",
    timezone="Europe/London",
)
TESTER = machine("test")


@dataclass(frozen=True, slots=True, kw_only=True)
class Firm:
    """One practice with an owner, one client and its approver."""

    practice: Practice
    owner: User
    client: Client
    approver: User
    contact: Contact

    @property
    def practice_side(self) -> tenancy.Scope:
        """What the firm's consultants look through."""
        return tenancy.practice_scope(self.practice.pk)

    @property
    def client_side(self) -> tenancy.Scope:
        """What the people of its one client look through."""
        return tenancy.client_scope(self.practice.pk, self.client.pk)


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


def make_contact(firm: Firm, word: str, role: ContactRole, *, client: Client | None = None) -> Contact:
    """One more person at the firm's client, or at another client of the same practice."""
    user = User.objects.create_user(f"{word}@{firm.practice.code}.example", name=word.title())
    with tenancy.use(firm.practice_side):
        return Contact.objects.create(
            practice=firm.practice, client=client or firm.client, user=user, role=role
        )


def make_consultant(firm: Firm, word: str, role: MemberRole = MemberRole.CONSULTANT) -> User:
    """One more person of the practice."""
    user = User.objects.create_user(f"{word}@{firm.practice.code}.example", name=word.title(), is_staff=True)
    with tenancy.use(firm.practice_side):
        Membership.objects.create(practice=firm.practice, user=user, role=role)
    return user


def make_client(firm: Firm, name: str) -> Client:
    """One more client of the same practice."""
    with tenancy.use(firm.practice_side):
        return Client.objects.create(practice=firm.practice, name=name)


def acting(user: User) -> Actor:
    """The person as services are told of them."""
    return person(user.pk, name=user.name, email=user.email)


def make_engagement(firm: Firm) -> Engagement:
    """A draft of the firm's one client, ending in four weeks. Opens the practice's scope itself."""
    with tenancy.use(firm.practice_side):
        return Engagement.objects.create(
            practice=firm.practice,
            client=firm.client,
            title="Cost review",
            purpose="to find out why the bill went up",
            account_id=ACCOUNT_ID,
            ends_at=clock.now() + dt.timedelta(days=28),
        )


def make_engagement_drafted(
    firm: Firm, *, account_id: str = ACCOUNT_ID, approvals_needed: int = 1, code_at_agreement: bool = False
) -> Engagement:
    """A draft as a consultant writes it, with its lead: the firm's owner."""
    with tenancy.use(firm.practice_side):
        return engagement_draft(
            client=firm.client,
            lead=firm.owner,
            title="Cost review",
            purpose="to find out why the bill went up",
            profile="cost_review",
            ends_at=clock.now() + dt.timedelta(days=28),
            actor=acting(firm.owner),
            account_id=account_id,
            approvals_needed=approvals_needed,
            code_at_agreement=code_at_agreement,
        )


def make_engagement_invited(
    firm: Firm, *, account_id: str = ACCOUNT_ID, approvals_needed: int = 1, code_at_agreement: bool = False
) -> Engagement:
    """Sent to the client, with a frozen offer."""
    engagement = make_engagement_drafted(
        firm, account_id=account_id, approvals_needed=approvals_needed, code_at_agreement=code_at_agreement
    )
    freeze_offer(firm, engagement)
    with tenancy.use(firm.practice_side), transaction.atomic(durable=True):
        engagement_invite_within(engagement=engagement, actor=acting(firm.owner))
    return engagement


def make_engagement_agreed(firm: Firm) -> Engagement:
    """The firm's approver agreed, from the client's side."""
    engagement = make_engagement_invited(firm)
    give_consent(firm, engagement)
    return _read_again(firm, engagement)


def make_engagement_active(firm: Firm) -> Engagement:
    """Agreed, and the access was proved."""
    engagement = make_engagement_agreed(firm)
    with tenancy.use(firm.practice_side), transaction.atomic(durable=True):
        engagement_activate_within(engagement=engagement, actor=TESTER)
    return engagement


def make_engagement_paused(firm: Firm, *, by_client: bool = True) -> Engagement:
    """Active, then paused by the client's approver, or else by the practice's owner."""
    engagement = make_engagement_active(firm)
    scope, user = (firm.client_side, firm.approver) if by_client else (firm.practice_side, firm.owner)
    with tenancy.use(scope):
        engagement_pause(engagement=engagement, actor=acting(user))
    return _read_again(firm, engagement)


def make_engagement_closing(firm: Firm) -> Engagement:
    """Active, then ended by the client's approver, and with it the consent."""
    engagement = make_engagement_active(firm)
    with tenancy.use(firm.client_side):
        engagement_end(engagement=engagement, actor=acting(firm.approver))
    return _read_again(firm, engagement)


def make_engagement_closed(firm: Firm) -> Engagement:
    """Ended, and it was proved that the access is gone."""
    engagement = make_engagement_closing(firm)
    with tenancy.use(firm.practice_side), transaction.atomic(durable=True):
        engagement_close_within(engagement=engagement, actor=TESTER)
    return engagement


def freeze_offer(firm: Firm, engagement: Engagement, *, template: str = "Resources: {}\n") -> Offer:
    """One more offer of what the engagement's profile asks for."""
    with tenancy.use(firm.practice_side), transaction.atomic(durable=True):
        return offer_freeze_within(
            engagement=engagement,
            lines=profile_for(engagement.profile).lines_as_data(),
            documents={"hub_account_id": HUB_ACCOUNT_ID},
            template=template,
            actor=acting(firm.owner),
        )


def make_change(firm: Firm, engagement: Engagement, *, to: ChangeStatus = ChangeStatus.ASKED) -> ScopeChange:
    """A change of an access that is on, with a later end, as far as this status."""
    ends_at = engagement.ends_at + dt.timedelta(days=30)
    documents = {
        "hub_account_id": HUB_ACCOUNT_ID,
        "kind": "look",
        "profile": "security_review",
        "expires_at": ends_at.isoformat(),
        "optional": [],
        "kept": [],
        "change": {"opens_more": True, "takes_away": False},
    }
    with tenancy.use(firm.practice_side):
        before = offer_current(engagement)
        with transaction.atomic(durable=True):
            offer = offer_freeze_within(
                engagement=engagement,
                lines=profile_for("security_review").lines_as_data(),
                documents=documents,
                template="Resources: {}\n",
                actor=acting(firm.owner),
            )
            change = change_ask_within(
                engagement=engagement, before=before, offer=offer, actor=acting(firm.owner)
            )
    _answer(firm, engagement, change, to)
    return change


def make_move(firm: Firm, engagement: Engagement) -> ScopeChange:
    """The practice asks for an agreement to another AWS account, of an engagement that is agreed to."""
    with tenancy.use(firm.practice_side), transaction.atomic(durable=True):
        before = offer_current(engagement)
        documents = {
            "hub_account_id": HUB_ACCOUNT_ID,
            "kind": "look",
            "profile": engagement.profile,
            "expires_at": engagement.ends_at.isoformat(),
            "optional": [],
            "kept": [],
            "account_id": OTHER_ACCOUNT_ID,
            "change": {"instead_of": engagement.account_id, "opens_more": False, "takes_away": False},
        }
        offer = offer_freeze_within(
            engagement=engagement,
            lines=before.lines,
            documents=documents,
            template=before.template,
            actor=acting(firm.owner),
        )
        return change_ask_within(engagement=engagement, before=before, offer=offer, actor=acting(firm.owner))


def _answer(firm: Firm, engagement: Engagement, change: ScopeChange, to: ChangeStatus) -> None:
    if to is ChangeStatus.DECLINED:
        with tenancy.use(firm.client_side):
            change_decline(
                engagement=engagement, contact=firm.contact, reason="Not now", actor=acting(firm.approver)
            )
    if to is ChangeStatus.IN_FORCE:
        with tenancy.use(firm.client_side), transaction.atomic(durable=True):
            change_agree_within(engagement=engagement, change=change, actor=acting(firm.approver))
        with tenancy.use(firm.practice_side), transaction.atomic(durable=True):
            agreed = ScopeChange.objects.select_related("offer").get(pk=change.pk)
            change_in_force_within(engagement=engagement, change=agreed, actor=TESTER)


def paper_shown(html: str = PAPER) -> Shown:
    """What somebody saw, one minute ago."""
    digest = hashlib.sha256(html.encode()).hexdigest()
    return Shown(html=html, sha256=digest, displayed_at=clock.now() - dt.timedelta(minutes=1))


def give_consent(
    firm: Firm,
    engagement: Engagement,
    *,
    account_id: str = ACCOUNT_ID,
    contact: Contact | None = None,
    code: str = "",
    signed_in: dt.timedelta | None = dt.timedelta(),
    offer: Offer | None = None,
) -> Consent:
    """The firm's approver, or another, agrees to the newest offer that holds or another, from the client's side.

    `signed_in`: how long ago; None where nobody knows.
    """
    person = contact or firm.contact
    with tenancy.use(firm.client_side):
        return consent_give(
            engagement=engagement,
            offer=offer or offer_current(engagement),
            contact=person,
            account_id=account_id,
            shown=paper_shown(),
            evidence=EVIDENCE,
            signed_in_at=None if signed_in is None else clock.now() - signed_in,
            actor=acting(person.user),
            code=code,
        )


def _read_again(firm: Firm, engagement: Engagement) -> Engagement:
    with tenancy.use(firm.practice_side):
        return Engagement.objects.get(pk=engagement.pk)
