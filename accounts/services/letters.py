"""Letters that hold a secret: sealed by the web process, sent and forgotten by the worker."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from accounts.selectors import apart
from portal.kernel import mail, outbox, tenancy
from portal.kernel.models import SealedLetter

SEALED = "accounts.sealed_letter"


def letter_promise(letter: mail.Letter) -> None:
    """Promise a letter whose words nobody may read in the database. Network: none."""
    with apart(tenancy.platform_scope()):
        _promise(letter, is_meant=True)


def letter_rehearse(letter: mail.Letter) -> None:
    """Do the same work for nothing, so that an unknown address takes as long as a known one."""
    with apart(tenancy.platform_scope()):
        _promise(letter, is_meant=False)


@transaction.atomic(durable=True)
def sealed_letter_forget(letter_id: UUID) -> None:
    """Delete what was sent, or can no longer be of use."""
    SealedLetter.objects.filter(pk=letter_id).delete()


@transaction.atomic(durable=True)
def _promise(letter: mail.Letter, *, is_meant: bool) -> None:
    """What is not meant is taken back within: both commit, which waits for the disk as a rollback does not."""
    with transaction.atomic():
        _promise_within(letter)
        if not is_meant:
            transaction.set_rollback(True)


def _promise_within(letter: mail.Letter) -> None:
    row = mail.seal_within(letter)
    outbox.put(SEALED, row.id, dedupe_key=f"letter:{row.id}")
