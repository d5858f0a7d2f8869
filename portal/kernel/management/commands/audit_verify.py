"""Check every practice's audit chain: `PORTAL_PROCESS=audit manage.py audit_verify`."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from portal.kernel import audit, checkpoints
from portal.kernel.models import AuditBody, AuditCheckpoint, AuditEvent, AuditHead


class Command(BaseCommand):
    """Reads as portal_audit_ro. Exits with 1 and names the practice and the first broken number."""

    help = "Verify the audit chain of every practice."

    def handle(self, *_args: Any, **_options: Any) -> None:  # Any: Django's signature
        """Print one line per practice."""
        known = set(AuditHead.objects.values_list("pk", flat=True))
        known |= set(AuditEvent.objects.values_list("practice_id", flat=True).distinct())
        known |= set(AuditCheckpoint.objects.values_list("practice_id", flat=True).distinct())
        faults = [line for practice in sorted(known) if (line := self._fault(practice))]
        if faults:
            raise CommandError("The record was changed. " + " ".join(faults))
        self.stdout.write(f"{len(known)} chains verified.")

    def _fault(self, practice: UUID) -> str:
        events = AuditEvent.objects.filter(practice_id=practice).order_by("seq")
        bodies = AuditBody.objects.filter(practice_id=practice).select_related("event").order_by("event__seq")
        head = AuditHead.objects.filter(pk=practice).first()
        fault = (
            audit.first_fault(events, head=head)
            or audit.first_body_fault(bodies)
            or checkpoints.first_checkpoint_fault(practice)
        )
        if fault is None:
            self.stdout.write(f"{practice}: {head.seq if head else 0} events, unbroken")
            return ""
        return f"Practice {practice}, event {fault.seq}: {fault.reason}."
