"""Practices, clients and people come into being through services, each told in the record."""

from __future__ import annotations

import secrets
import threading

import pytest
from django.db import DatabaseError, connection, transaction

from accounts.lifecycle import AccountEvent, ContactRole, MemberRole
from accounts.models import Client, Contact, Membership, Practice, User
from accounts.services import people
from portal.kernel import actor, audit, tenancy
from portal.kernel.errors import InvalidMove
from portal.kernel.models import AuditEvent, AuditHead

WHO = actor.machine("setup")


def open_north() -> Practice:
    word = f"n{secrets.token_hex(4)}"
    firm = people.Firm(
        code=word, name="North", legal_name="North Ltd", address="1 Quay", support_email="help@north.example"
    )
    return people.practice_open(
        firm=firm, owner=people.Person(email=f"Maya@{word}.example", name="Maya Okafor"), actor=WHO
    )


def test_a_practice_opens_with_its_owner_and_its_record(real_db: None) -> None:
    practice = open_north()
    with tenancy.use(tenancy.practice_scope(practice.pk)):
        membership = Membership.objects.select_related("user").get()
        kinds = [event.kind for event in AuditEvent.objects.order_by("seq")]
        assert audit.first_fault(AuditEvent.objects.order_by("seq"), head=AuditHead.objects.get()) is None
    assert kinds == [AccountEvent.PRACTICE_OPENED, AccountEvent.MEMBERSHIP_ADDED]
    assert (membership.role, membership.user.initials, membership.user.is_staff) == ("owner", "MO", True)
    assert membership.user.email == f"maya@{practice.code}.example"
    assert not membership.user.has_usable_password()


def test_clients_contacts_and_colleagues_are_added_and_told(real_db: None) -> None:
    practice = open_north()
    with tenancy.use(tenancy.practice_scope(practice.pk)):
        client = people.client_add(practice=practice, name="Brightwater", actor=WHO)
        sam = people.Person(email=f"sam@{practice.code}.example", name="Sam Carter", phone="1")
        contact = people.contact_add(
            client=client, person=sam, role=ContactRole.APPROVER, title="Manager", actor=WHO
        )
        tom = people.Person(email=f"tom@{practice.code}.example", name="Tomasz Lis")
        people.membership_add(practice=practice, person=tom, role=MemberRole.CONSULTANT, actor=WHO)
        told = list(AuditEvent.objects.order_by("seq").values_list("kind", "client_id"))[2:]
    assert told == [
        (AccountEvent.CLIENT_ADDED, client.pk),
        (AccountEvent.CONTACT_ADDED, client.pk),
        (AccountEvent.MEMBERSHIP_ADDED, None),
    ]
    assert (contact.title, contact.user.phone, contact.user.is_staff) == ("Manager", "1", False)


def test_one_address_is_one_person_who_keeps_their_name(real_db: None) -> None:
    north, south = open_north(), open_north()
    address = f"sam@{north.code}.example"
    for practice, name in ((north, "Sam Carter"), (south, "Somebody Else")):
        with tenancy.use(tenancy.practice_scope(practice.pk)):
            client = people.client_add(practice=practice, name="Brightwater", actor=WHO)
            person = people.Person(email=address.upper(), name=name)
            people.contact_add(client=client, person=person, role=ContactRole.VIEWER, actor=WHO)
    assert User.objects.get(email=address).name == "Sam Carter"


def test_nobody_is_added_twice(real_db: None) -> None:
    practice = open_north()
    person = people.Person(email=f"sam@{practice.code}.example", name="Sam Carter")
    with tenancy.use(tenancy.practice_scope(practice.pk)):
        client = people.client_add(practice=practice, name="Brightwater", actor=WHO)
        people.contact_add(client=client, person=person, role=ContactRole.VIEWER, actor=WHO)
        people.membership_add(practice=practice, person=person, role=MemberRole.AUDITOR, actor=WHO)
        before = AuditEvent.objects.count()
        with pytest.raises(InvalidMove, match="already there"):
            people.contact_add(client=client, person=person, role=ContactRole.VIEWER, actor=WHO)
        with pytest.raises(InvalidMove, match="already there"):
            people.membership_add(practice=practice, person=person, role=MemberRole.OWNER, actor=WHO)
        assert AuditEvent.objects.count() == before
        assert Contact.objects.count() == 1


def test_two_at_once_make_one_person(real_db: None) -> None:
    practice = open_north()
    barrier = threading.Barrier(3)

    def add(number: int) -> None:
        barrier.wait()
        try:
            with tenancy.use(tenancy.practice_scope(practice.pk)):
                client = people.client_add(practice=practice, name=f"Client {number}", actor=WHO)
                person = people.Person(email=f"sam@{practice.code}.example", name="Sam")
                people.contact_add(client=client, person=person, role=ContactRole.VIEWER, actor=WHO)
        finally:
            connection.close()

    threads = [threading.Thread(target=add, args=[number]) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert User.objects.filter(email=f"sam@{practice.code}.example").count() == 1
    with tenancy.use(tenancy.practice_scope(practice.pk)):
        assert Contact.objects.count() == 3


def test_a_client_cannot_add_anybody(real_db: None) -> None:
    practice = open_north()
    with tenancy.use(tenancy.practice_scope(practice.pk)):
        client = people.client_add(practice=practice, name="Brightwater", actor=WHO)
    person = people.Person(email=f"x@{practice.code}.example", name="X")
    with tenancy.use(tenancy.client_scope(practice.pk, client.pk)):
        with pytest.raises(DatabaseError, match="row-level security"):
            people.contact_add(client=client, person=person, role=ContactRole.APPROVER, actor=WHO)
        with pytest.raises(DatabaseError, match="row-level security"):
            people.client_add(practice=practice, name="Mine", actor=WHO)
        assert list(Client.objects.all()) == [client]
    assert not User.objects.filter(email=person.email).exists()


def test_who_read_an_older_state_moves_nobody(real_db: None) -> None:
    practice = open_north()
    with tenancy.use(tenancy.practice_scope(practice.pk)):
        client = people.client_add(practice=practice, name="Farm", actor=WHO)
        person = people.Person(email=f"r{practice.code}@farm.example", name="Ruth")
        contact = people.contact_add(client=client, person=person, role=ContactRole.APPROVER, actor=WHO)
        membership = Membership.objects.select_related("user").get()
        membership.role, contact.role = (
            MemberRole.AUDITOR,
            ContactRole.VIEWER,
        )  # what somebody has read before
        before = audit_length()
        with pytest.raises(InvalidMove), transaction.atomic():
            people.membership_end_within(membership=membership, actor=WHO)
        with pytest.raises(InvalidMove), transaction.atomic():
            people.membership_change_role_within(membership=membership, role=MemberRole.OWNER, actor=WHO)
        with pytest.raises(InvalidMove), transaction.atomic():
            people.contact_change_role_within(contact=contact, role=ContactRole.APPROVER, actor=WHO)
        with pytest.raises(InvalidMove), transaction.atomic():
            people.contact_end_within(contact=contact, actor=WHO)
        assert audit_length() == before
        assert Membership.objects.get().role == MemberRole.OWNER
        assert Contact.objects.get().role == ContactRole.APPROVER


def audit_length() -> int:
    return AuditEvent.objects.count()
