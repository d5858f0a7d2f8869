"""Practices, clients and the people in them: how they come, change and leave.

Leaving touches engagements too, so the whole of it is `engagements.services.people`; what ends with `_within` here is
the part of people and organisations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid4

from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.db.models import Q

from accounts.lifecycle import AccountEvent, ContactRole, MemberRole
from accounts.models import BrowserSession, Client, Contact, Invitation, Membership, Practice, User
from portal.kernel import audit, clock, outbox, tenancy
from portal.kernel.actor import Actor
from portal.kernel.errors import InvalidMove, PortalError
from portal.kernel.models import AuditEvent

CHANGED: Final = "accounts.people_changed"  # promised once for each change; its event says what it was


class LastOwner(PortalError):
    """Raised when a practice would be left without anybody who manages its people and settings."""

    code = "last-owner"
    http_status = 409
    title = "Somebody has to own the practice"
    user_message = "Make somebody else an owner first. Nothing was changed."


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody to be added: found again by address, so that one person has one sign-in everywhere.

    `language` is a code of `settings.LANGUAGES`, or empty while nobody knows it.
    """

    email: str
    name: str
    phone: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Firm:
    """How a practice is called: `code` in addresses, `name` on pages, `legal_name` and `address` in records."""

    code: str
    name: str
    legal_name: str
    address: str
    support_email: str
    support_phone: str = ""


def practice_open(*, firm: Firm, owner: Person, actor: Actor) -> Practice:
    """Open a practice with its owner. Opens the new practice's scope itself."""
    practice = Practice(
        id=uuid4(),
        code=firm.code,
        name=firm.name,
        legal_name=firm.legal_name,
        address=firm.address,
        support_email=firm.support_email,
        support_phone=firm.support_phone,
    )
    with tenancy.use(tenancy.practice_scope(practice.pk)):
        _open(practice=practice, owner=owner, actor=actor)
    return practice


@transaction.atomic(durable=True)
def membership_add(
    *, practice: Practice, person: Person, role: MemberRole, title: str = "", actor: Actor
) -> Membership:
    """Give a consultant a place in the practice, anew if they left. Raises InvalidMove if they have one."""
    return _membership_add_within(practice=practice, person=person, role=role, title=title, actor=actor)


@transaction.atomic(durable=True)
def client_add(*, practice: Practice, name: str, actor: Actor) -> Client:
    """Add an organisation that the practice works for."""
    return client_add_within(practice=practice, name=name, actor=actor)


def client_add_within(*, practice: Practice, name: str, actor: Actor) -> Client:
    """As above, in the caller's transaction."""
    client = Client.objects.create(practice=practice, name=name)
    audit.record(AccountEvent.CLIENT_ADDED, subject=client, actor=actor, client_id=client.pk)
    return client


@transaction.atomic(durable=True)
def contact_add(
    *, client: Client, person: Person, role: ContactRole, title: str = "", actor: Actor
) -> Contact:
    """Add a person at a client, anew if they left. Raises InvalidMove if they are there already. Invites nobody."""
    return contact_add_within(client=client, person=person, role=role, title=title, actor=actor)


def contact_add_within(
    *, client: Client, person: Person, role: ContactRole, title: str = "", actor: Actor
) -> Contact:
    """As above, in the caller's transaction."""
    user = user_find_or_add_within(person)
    contact = Contact.objects.filter(client=client, user=user).first()
    if contact is None:
        contact = Contact.objects.create(
            practice_id=client.practice_id, client=client, user=user, role=role, title=title
        )
    else:
        _come_back(contact, user, role, title)
    event = audit.record(
        AccountEvent.CONTACT_ADDED,
        subject=contact,
        actor=actor,
        client_id=client.pk,
        details={"email": user.email, "role": role.value},
    )
    _tell_within(contact, event)
    return contact


def user_find_or_add_within(person: Person) -> User:
    """The one user of an address; name and language that are known already stay. Two at once make one."""
    email = person.email.strip().lower()
    user = User(email=email, name=person.name, phone=person.phone, language=person.language)
    user.set_unusable_password()
    User.objects.bulk_create([user], ignore_conflicts=True)
    return User.objects.get(email=email)


def memberships_locked(*user_ids: UUID) -> dict[UUID, Membership]:
    """The live places of these people as they are now, by person, held until the caller's transaction ends.

    With them every owner's, in one order for everybody: of two owners who send each other away, one stays. Taken
    before any engagement's lock. A weak lock, so that rows which only refer to these need not wait for it.
    """
    tenancy.require_transaction("a lock of a membership")
    own = Membership.objects.filter(practice_id=tenancy.practice_id(), ended_at=None)
    rows = own.filter(Q(user_id__in=user_ids) | Q(role=MemberRole.OWNER)).order_by("pk")
    held = rows.select_related("user").select_for_update(of=("self",), no_key=True)
    return {row.user_id: row for row in held}


def require_another_owner(held: dict[UUID, Membership], leaving: Membership) -> None:
    """`held` comes from `memberships_locked`. Raises LastOwner."""
    owners = {row.pk for row in held.values() if row.role == MemberRole.OWNER}
    if owners == {leaving.pk}:
        raise LastOwner(f"{leaving.user.name} is the only owner. Make somebody else an owner first.")


def membership_end_within(*, membership: Membership, actor: Actor) -> None:
    """The place, and every session of the person, end with the caller's transaction. Raises InvalidMove if they had."""
    rows = Membership.objects.filter(pk=membership.pk, ended_at=None, role=membership.role)
    if rows.update(ended_at=clock.now()) != 1:
        raise InvalidMove
    sessions_end_within(membership.user_id)
    event = audit.record(
        AccountEvent.MEMBERSHIP_ENDED,
        subject=membership,
        actor=actor,
        details={"email": membership.user.email, "role": membership.role},
    )
    _tell_within(membership, event)


def membership_change_role_within(*, membership: Membership, role: MemberRole, actor: Actor) -> None:
    """Another role from the next request on. Raises InvalidMove if somebody was faster."""
    rows = Membership.objects.filter(pk=membership.pk, ended_at=None, role=membership.role)
    if rows.update(role=role) != 1:
        raise InvalidMove
    event = audit.record(
        AccountEvent.MEMBERSHIP_CHANGED,
        subject=membership,
        actor=actor,
        details={"email": membership.user.email, "from": membership.role, "to": role.value},
    )
    _tell_within(membership, event)


def contact_end_within(*, contact: Contact, actor: Actor) -> None:
    """The seat, its links and every session of the person end together. Raises InvalidMove if they had."""
    moment = clock.now()
    rows = Contact.objects.filter(pk=contact.pk, ended_at=None, role=contact.role)
    if rows.update(ended_at=moment) != 1:
        raise InvalidMove
    links = Invitation.objects.filter(contact_id=contact.pk, used_at=None, replaced_at=None)
    links.update(replaced_at=moment)
    sessions_end_within(contact.user_id)
    event = audit.record(
        AccountEvent.CONTACT_ENDED,
        subject=contact,
        actor=actor,
        client_id=contact.client_id,
        details={"email": contact.user.email, "role": contact.role},
    )
    _tell_within(contact, event)


def contact_change_role_within(*, contact: Contact, role: ContactRole, actor: Actor) -> None:
    """Another role from the next request on. Raises InvalidMove if somebody was faster."""
    rows = Contact.objects.filter(pk=contact.pk, ended_at=None, role=contact.role)
    if rows.update(role=role) != 1:
        raise InvalidMove
    event = audit.record(
        AccountEvent.CONTACT_CHANGED,
        subject=contact,
        actor=actor,
        client_id=contact.client_id,
        details={"email": contact.user.email, "from": contact.role, "to": role.value},
    )
    _tell_within(contact, event)


@transaction.atomic(durable=True)
def person_sign_out(*, seat: Membership | Contact, actor: Actor) -> None:
    """Sign a colleague or a client's person out of every browser, for a lost laptop. They may sign in again.

    Raises InvalidMove for who has left: their sessions ended then.
    """
    rows = Membership.objects.all() if isinstance(seat, Membership) else Contact.objects.all()
    if not rows.filter(pk=seat.pk, ended_at=None).exists():
        raise InvalidMove(f"{seat.user.name} has left already.", title="Nothing to change")
    sessions_end_within(seat.user_id)
    client_id = seat.client_id if isinstance(seat, Contact) else None
    audit.record(
        AccountEvent.SIGNED_OUT,
        subject=seat,
        actor=actor,
        client_id=client_id,
        details={"email": seat.user.email},
    )


def sessions_end_within(user_id: UUID) -> None:
    """Every session of the person is refused from the next request on, wherever they sit; they may sign in again.

    What there is, is deleted. A session that a link or a code is opening in this very moment holds a hash over the
    password as it was: nobody has one, so a new unusable one costs nobody anything and ends that session too.
    """
    BrowserSession.objects.filter(user_id=user_id).delete()
    User.objects.filter(pk=user_id).update(password=make_password(None))


def _tell_within(seat: Membership | Contact, event: AuditEvent) -> None:
    """Whoever answers for these people hears of each change once: it may be nobody's wish."""
    client_id = seat.client_id if isinstance(seat, Contact) else None
    outbox.put(CHANGED, seat.pk, dedupe_key=f"{CHANGED}:{event.pk}", client_id=client_id)


def _come_back(row: Membership | Contact, user: User, role: str, title: str) -> None:
    """Who left sits down on the same row: the record refers to it. Raises InvalidMove for who is there."""
    rows = Membership.objects.all() if isinstance(row, Membership) else Contact.objects.all()
    left = rows.filter(pk=row.pk, ended_at__isnull=False)
    if left.update(ended_at=None, role=role, title=title) != 1:
        raise InvalidMove(f"{user.name} is already there.", title="Already there")
    row.refresh_from_db()


@transaction.atomic(durable=True)
def _open(*, practice: Practice, owner: Person, actor: Actor) -> None:
    practice.save(force_insert=True)
    audit.record(AccountEvent.PRACTICE_OPENED, subject=practice, actor=actor)
    _membership_add_within(practice=practice, person=owner, role=MemberRole.OWNER, title="", actor=actor)


def _membership_add_within(
    *, practice: Practice, person: Person, role: MemberRole, title: str, actor: Actor
) -> Membership:
    user = user_find_or_add_within(person)
    membership = Membership.objects.filter(practice=practice, user=user).first()
    if membership is None:
        membership = Membership.objects.create(practice=practice, user=user, role=role, title=title)
    else:
        _come_back(membership, user, role, title)
    User.objects.filter(pk=user.pk).update(is_staff=True)  # opens the console's door, and no row behind it
    event = audit.record(
        AccountEvent.MEMBERSHIP_ADDED,
        subject=membership,
        actor=actor,
        details={"email": user.email, "role": role.value},
    )
    _tell_within(membership, event)
    return membership
