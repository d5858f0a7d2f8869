"""The seal of the record reaches the practice's owners: once, by mail, word for word."""

from __future__ import annotations

from collections.abc import Callable

from accounts.lifecycle import MemberRole
from accounts.models import Membership, User
from accounts.services.people import client_add
from portal.kernel import checkpoints, clock, tenancy
from portal.kernel.due import Turn
from portal.kernel.models import AuditCheckpoint, Due
from tests.factories import TESTER, Firm
from tests.mailbox import Mailbox

Deliver = Callable[[], int]


def look(firm: Firm) -> AuditCheckpoint:
    """What the worker does once a day."""
    with tenancy.use(firm.practice_side):
        row = Due.objects.get(object_id=firm.practice.pk)
        turn = Turn(
            due_id=row.pk,
            lease_id=firm.practice.pk,
            practice_id=row.practice_id,
            client_id=None,
            kind=row.kind,
            object_id=row.object_id,
            attempts=1,
        )
        checkpoints.checkpoint_due(turn)
        found = checkpoints.checkpoint_latest(firm.practice.pk)
    assert found is not None
    return found


def something_happens(firm: Firm) -> None:
    with tenancy.use(firm.practice_side):
        client_add(practice=firm.practice, name="Hollins Farm", actor=TESTER)


def everything(deliver: Deliver) -> None:
    while deliver():
        pass


def test_owners_and_nobody_else_get_the_seal(firm: Firm, mailbox: Mailbox, deliver: Deliver) -> None:
    second, former = (
        User.objects.create_user(f"{word}@{firm.practice.code}.example", name="A B") for word in "sf"
    )
    with tenancy.use(firm.practice_side):
        for user, role, ended in (
            (second, MemberRole.CONSULTANT, None),
            (former, MemberRole.OWNER, clock.now()),
        ):
            Membership.objects.create(practice=firm.practice, user=user, role=role, ended_at=ended)
    something_happens(firm)
    checkpoint = look(firm)
    everything(deliver)
    (letter,) = mailbox.letters
    assert letter["To"] == firm.owner.email
    assert letter["Subject"] == "Seal of your record: 1 event"
    text = mailbox.text().replace("\r\n", "\n")
    assert checkpoints.note_of(checkpoint) in text
    assert f"Key: {checkpoints.verifier_key_of(checkpoint)}" in text


def test_a_quiet_day_has_no_mail_and_two_events_have_one(
    firm: Firm, mailbox: Mailbox, deliver: Deliver
) -> None:
    something_happens(firm)
    for _ in range(3):
        look(firm)
        everything(deliver)
    assert len(mailbox.letters) == 1
    for _ in range(2):
        something_happens(firm)
    look(firm)
    everything(deliver)
    assert len(mailbox.letters) == 2
    assert mailbox.letters[0]["Message-ID"] != mailbox.letters[1]["Message-ID"]


def test_who_owned_when_it_was_promised_and_left_since_gets_none(
    firm: Firm, mailbox: Mailbox, deliver: Deliver
) -> None:
    something_happens(firm)
    look(firm)
    assert deliver() == 1  # spread into one promise for each owner
    with tenancy.use(firm.practice_side):
        Membership.objects.update(ended_at=clock.now())
    everything(deliver)
    assert mailbox.letters == []
