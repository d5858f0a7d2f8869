"""Practices, clients and the people in them."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import uuid4

from django.db import transaction

from accounts.lifecycle import AccountEvent, ContactRole, MemberRole
from accounts.models import Client, Contact, Membership, Practice, User
from portal.kernel import audit, tenancy
from portal.kernel.actor import Actor
from portal.kernel.errors import InvalidMove


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody to be added: found again by address, so that one person has one sign-in everywhere."""

    email: str
    name: str
    phone: str = ""


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
    """Give a consultant a place in the practice. Raises InvalidMove if they have one."""
    return _membership_add_within(practice=practice, person=person, role=role, title=title, actor=actor)


@transaction.atomic(durable=True)
def client_add(*, practice: Practice, name: str, actor: Actor) -> Client:
    """Add an organisation that the practice works for."""
    client = Client.objects.create(practice=practice, name=name)
    audit.record(AccountEvent.CLIENT_ADDED, subject=client, actor=actor, client_id=client.pk)
    return client


@transaction.atomic(durable=True)
def contact_add(
    *, client: Client, person: Person, role: ContactRole, title: str = "", actor: Actor
) -> Contact:
    """Add a person at a client. Raises InvalidMove if they are there already. Invites nobody."""
    user = user_find_or_add_within(person)
    if Contact.objects.filter(client=client, user=user).exists():
        raise InvalidMove(f"{user.name} is already there.", title="Already there")
    contact = Contact.objects.create(
        practice_id=client.practice_id, client=client, user=user, role=role, title=title
    )
    audit.record(
        AccountEvent.CONTACT_ADDED,
        subject=contact,
        actor=actor,
        client_id=client.pk,
        details={"email": user.email, "role": role.value},
    )
    return contact


def user_find_or_add_within(person: Person) -> User:
    """The one user of an address; a name that is known already stays. Two at once make one."""
    email = person.email.strip().lower()
    user = User(email=email, name=person.name, phone=person.phone)
    user.set_unusable_password()
    User.objects.bulk_create([user], ignore_conflicts=True)
    return User.objects.get(email=email)


@transaction.atomic(durable=True)
def _open(*, practice: Practice, owner: Person, actor: Actor) -> None:
    practice.save(force_insert=True)
    audit.record(AccountEvent.PRACTICE_OPENED, subject=practice, actor=actor)
    _membership_add_within(practice=practice, person=owner, role=MemberRole.OWNER, title="", actor=actor)


def _membership_add_within(
    *, practice: Practice, person: Person, role: MemberRole, title: str, actor: Actor
) -> Membership:
    user = user_find_or_add_within(person)
    if Membership.objects.filter(practice=practice, user=user).exists():
        raise InvalidMove(f"{user.name} is already there.", title="Already there")
    User.objects.filter(pk=user.pk).update(is_staff=True)  # opens the console's door, and no row behind it
    membership = Membership.objects.create(practice=practice, user=user, role=role, title=title)
    audit.record(
        AccountEvent.MEMBERSHIP_ADDED,
        subject=membership,
        actor=actor,
        details={"email": user.email, "role": role.value},
    )
    return membership
