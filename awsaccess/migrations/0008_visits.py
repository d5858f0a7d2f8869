"""What a visit did without, of what was agreed."""

from __future__ import annotations

from django.db import migrations, models

from portal.kernel import rls

TENANT = ("practice_id", "client_id")
VISIT = (
    *(*TENANT, "engagement_id", "grant_id", "consultant_id", "consultant_name"),
    *("reason", "kind", "session_name", "intended_at", "worst_case_until"),
)


def frozen_anew(table: str, before: tuple[str, ...], *more: str) -> list[migrations.RunSQL]:
    """The same trigger with more columns."""
    old, new = rls.frozen_columns(table, *before), rls.frozen_columns(table, *before, *more)
    return [migrations.RunSQL(old.reverse_sql or "", old.sql), new]


class Migration(migrations.Migration):
    dependencies = [("awsaccess", "0006_verdicts")]
    operations = [
        migrations.AddField("visit", "narrowing", models.JSONField(db_default={}, default=dict)),
        *frozen_anew("awsaccess_visit", VISIT, "narrowing"),
    ]
