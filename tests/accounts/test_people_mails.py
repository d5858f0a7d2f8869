"""Whoever answers for people hears of it when one comes, changes or leaves: once each, and never the person themself."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import accounts.handlers  # noqa: F401  # the worker's handlers
from accounts.lifecycle import ContactRole, MemberRole
from accounts.models import Contact, Membership, User
from accounts.services.people import Person, contact_add, membership_add
from engagements.services.people import (
    contact_change_role,
    contact_end,
    membership_change_role,
    membership_end,
)
from portal.kernel import clock, tenancy
from portal.kernel.models import AuditBody, OutboxMessage
from tests.factories import Firm, acting, make_client, make_consultant, make_contact
from tests.mailbox import Mailbox

Deliver = Callable[[], int]


@pytest.fixture
def known(firm: Firm) -> Firm:
    """A firm whose owner and approver have come in before."""
    User.objects.filter(pk__in=[firm.owner.pk, firm.approver.pk]).update(last_login=clock.now())
    return firm


def letters(mailbox: Mailbox, deliver: Deliver) -> list[tuple[str, str]]:
    """Receiver and subject of what comes, spread and sent."""
    deliver()
    deliver()
    return [(str(one["To"]), str(one["Subject"])) for one in mailbox.letters]


def add_contact(firm: Firm, word: str = "ann", role: ContactRole = ContactRole.VIEWER) -> Contact:
    person = Person(email=f"{word}@client.example", name=word.title())
    with tenancy.use(firm.practice_side):
        return contact_add(client=firm.client, person=person, role=role, actor=acting(firm.owner))


def test_the_clients_approvers_hear_of_each_change_among_their_people(
    known: Firm, mailbox: Mailbox, deliver: Deliver
) -> None:
    ann, sam, where = add_contact(known), known.approver.email, known.client.name
    assert letters(mailbox, deliver) == [(sam, f"Ann was added: {where}")]
    text = mailbox.text()
    assert f"Maya Okafor added Ann (ann@client.example) at {where}. They may look." in " ".join(text.split())
    assert f"because you may agree for {where}." in " ".join(text.split())
    with tenancy.use(known.practice_side):
        contact_change_role(contact=ann, role=ContactRole.APPROVER, actor=acting(known.owner))
    assert letters(mailbox, deliver)[1:] == [(sam, f"Ann has another role: {where}")]
    assert "They may agree to access, pause it and end it." in " ".join(mailbox.text().split())
    with tenancy.use(known.practice_side):
        contact_end(contact=Contact.objects.get(pk=ann.pk), actor=acting(known.owner))
    assert letters(mailbox, deliver)[2:] == [(sam, f"Ann was removed: {where}")]
    assert "ann@client.example" not in mailbox.text() + mailbox.html()
    assert letters(mailbox, deliver)[3:] == []


def test_the_practices_owners_hear_of_each_change_among_its_people(
    known: Firm, mailbox: Mailbox, deliver: Deliver
) -> None:
    maya, where = known.owner.email, known.practice.name
    person = Person(email="ben@consult.example", name="Ben")
    with tenancy.use(known.practice_side):
        ben = membership_add(
            practice=known.practice, person=person, role=MemberRole.CONSULTANT, actor=acting(known.owner)
        )
    assert letters(mailbox, deliver) == [(maya, f"Ben was added: {where}")]
    assert "They work on what they are assigned to." in " ".join(mailbox.text().split())
    with tenancy.use(known.practice_side):
        membership_change_role(membership=ben, role=MemberRole.OWNER, actor=acting(known.owner))
        ben.refresh_from_db()
        membership_end(membership=ben, actor=acting(known.owner))
    assert sorted(letters(mailbox, deliver)[1:]) == [
        (maya, f"Ben has another role: {where}"),
        (maya, f"Ben was removed: {where}"),
    ]


def test_who_the_change_is_about_and_who_never_came_in_hear_nothing(
    firm: Firm, mailbox: Mailbox, deliver: Deliver
) -> None:
    """Sam has never come in: to him the portal is unknown until he is invited. Ann is told nothing of herself."""
    ann = add_contact(firm, role=ContactRole.APPROVER)
    User.objects.filter(pk=ann.user_id).update(last_login=clock.now())
    with tenancy.use(firm.practice_side):
        contact_change_role(contact=ann, role=ContactRole.VIEWER, actor=acting(firm.owner))
        contact_end(contact=Contact.objects.get(pk=ann.pk), actor=acting(firm.owner))
    assert letters(mailbox, deliver) == []


def test_people_of_another_client_and_viewers_hear_nothing(
    known: Firm, mailbox: Mailbox, deliver: Deliver
) -> None:
    other = make_contact(known, "olga", ContactRole.APPROVER, client=make_client(known, "Other"))
    viewer = make_contact(known, "val", ContactRole.VIEWER)
    make_consultant(known, "ida")
    User.objects.filter(pk__in=[other.user_id, viewer.user_id]).update(last_login=clock.now())
    add_contact(known)
    assert [to for to, _subject in letters(mailbox, deliver)] == [known.approver.email]


def test_who_left_before_the_mail_did_is_not_told(known: Firm, mailbox: Mailbox, deliver: Deliver) -> None:
    add_contact(known)
    deliver()  # spread, and not yet sent
    with tenancy.use(known.practice_side):
        assert OutboxMessage.objects.filter(kind="accounts.people_changed.to_one").count() == 1
        Contact.objects.filter(pk=known.contact.pk).update(ended_at=clock.now())
    assert letters(mailbox, deliver) == []


def test_a_machine_that_acts_is_called_by_the_practices_name(
    known: Firm, mailbox: Mailbox, deliver: Deliver
) -> None:
    from portal.kernel.actor import machine

    person = Person(email="ben@consult.example", name="Ben")
    with tenancy.use(known.practice_side):
        membership_add(
            practice=known.practice, person=person, role=MemberRole.AUDITOR, actor=machine("set-up")
        )
    letters(mailbox, deliver)
    assert f"{known.practice.name} added Ben" in " ".join(mailbox.text().split())
    assert "They see everything and change nothing." in " ".join(mailbox.text().split())


def test_the_promise_holds_ids_alone(known: Firm) -> None:
    ann = add_contact(known)
    with tenancy.use(known.practice_side):
        promise = OutboxMessage.objects.get(kind="accounts.people_changed")
        told = AuditBody.objects.order_by("-event__seq")[0]
        assert (promise.object_id, promise.client_id) == (ann.pk, known.client.pk)
        assert promise.dedupe_key == f"accounts.people_changed:{told.event_id}"
        assert Membership.objects.filter(pk=promise.object_id).count() == 0
