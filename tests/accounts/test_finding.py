"""An invitation that was found again goes to the address it was for, and to no other."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from django.test import Client as Browser

import accounts.handlers
import engagements.tasks  # noqa: F401  # keeps the promises, as the worker does
from accounts.lifecycle import ContactRole
from accounts.models import Contact, User
from accounts.services import finding
from portal.kernel import clock, outbox, tenancy
from portal.kernel.models import OutboxMessage, SealedLetter
from tests.mailbox import Mailbox
from tests.pages import stage


def test_a_found_invitation_is_mailed_to_its_own_address_once(
    real_db: None, mailbox: Mailbox, deliver: Callable[[], int]
) -> None:
    scene = stage.invited()
    while deliver():
        pass
    mailbox.letters.clear()
    with tenancy.use(scene.scope):
        OutboxMessage.objects.update(created_at=clock.now() - dt.timedelta(hours=1))
        Contact.objects.create(
            practice=scene.practice,
            client=scene.client,
            user=User.objects.create_user("val@brightwater.example", name="Val"),
            role=ContactRole.VIEWER,
        )
    browser = Browser()
    for email in (
        scene.sam.email.upper(),
        "val@brightwater.example",
        "nobody@elsewhere.example",
        scene.maya.email,
    ):
        assert browser.post("/find/", {"email": email}).status_code == 200
    while deliver():
        pass
    assert [str(one["To"]) for one in mailbox.letters] == [scene.sam.email]
    with tenancy.use(tenancy.platform_scope()):
        assert not SealedLetter.objects.exists()
        for found in OutboxMessage.objects.filter(kind=finding.FIND):
            finding.invitation_find_do(letter_id=found.object_id)  # a second time: nothing is left
    assert outbox.HANDLERS[finding.FIND] is accounts.handlers.invitation_find


def test_what_is_no_address_promises_nothing(real_db: None) -> None:
    """As the service is asked, whatever a form let through: a letter to it could never be sent."""
    finding.invitation_find_ask(
        address="sam@brightwater.example\nBcc: all@elsewhere.example", origin="192.0.2.1"
    )
    with tenancy.use(tenancy.platform_scope()):
        assert not SealedLetter.objects.exists()
        assert not OutboxMessage.objects.filter(kind=finding.FIND).exists()
