"""One practice's record as lines of JSON, for `cli/audit_verify.py` and for anybody who wants to read it.

The first line names practice and keys; then one line for each event with its body, one for each checkpoint, and at
the end what the database says the chain's head is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Max, OuterRef, Subquery

from portal.kernel import audit, checkpoints
from portal.kernel.models import AuditCheckpoint, AuditEvent, AuditHead

FORMAT: Final = "latchkey-audit-export-1"


def lines_of(practice_id: UUID, *, about_id: UUID | None = None) -> Iterator[str]:
    """The export, line by line: it may be long, and is never held whole. Events appended meanwhile are left out.

    With `about_id`, names and reasons are given of the events about that one thing alone; the others keep their
    digests, so that the chain verifies all the same.
    """
    # In this order: a checkpoint that is read is never ahead of the head that is read after it.
    sealed = list(AuditCheckpoint.objects.filter(practice_id=practice_id).order_by("size"))
    head, last = _head(practice_id)
    keys = sorted({checkpoints.verifier_key_of(checkpoint) for checkpoint in sealed})
    yield _line({"type": "start", "format": FORMAT, "practice": str(practice_id), "keys": keys})
    for event in audit.events_of(practice_id, until=last):
        yield _line(_event(event, with_body=about_id in (None, event.about_id)))
    for checkpoint in sealed:
        moment = checkpoint.signed_at.isoformat(timespec="seconds")
        yield _line({"type": "checkpoint", "note": checkpoints.note_of(checkpoint), "signed_at": moment})
    yield _line({"type": "end", "events": head.seq, "hash": bytes(head.hash).hex()})


@contextmanager
def one_moment() -> Iterator[None]:
    """All that is read within is of one moment: the record never tells of what the rows beside it lack, nor they of more.

    In a caller's transaction it is as that one sees it.
    """
    is_own = not connection.in_atomic_block
    with transaction.atomic():
        if is_own:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        yield


def _head(practice_id: UUID) -> tuple[AuditHead, int]:
    """The head and the newest number, read by one statement so that they belong together."""
    newest = AuditEvent.objects.filter(practice_id=OuterRef("pk")).order_by("-seq").values("seq")[:1]
    found = AuditHead.objects.filter(pk=practice_id).values_list("seq", "hash", Subquery(newest)).first()
    if found is not None:
        seq, digest, last = found
        return AuditHead(practice_id=practice_id, seq=seq, hash=digest), last or 0
    events = AuditEvent.objects.filter(practice_id=practice_id)
    return AuditHead(practice_id=practice_id, hash=audit.START), events.aggregate(last=Max("seq"))[
        "last"
    ] or 0


def _event(event: AuditEvent, *, with_body: bool) -> dict[str, object]:
    """A body that was erased, or is left out, leaves null; its digest stays in the header."""
    body = getattr(event, "body", None) if with_body else None
    return {
        "type": "event",
        "header": audit.header_fields(event),
        "prev": bytes(event.prev).hex(),
        "hash": bytes(event.hash).hex(),
        "body": body.text if body is not None else None,
    }


def _line(told: Mapping[str, object]) -> str:
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")) + "\n"
