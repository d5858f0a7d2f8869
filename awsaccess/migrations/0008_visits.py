"""What a visit did without, of what was agreed, and the client's yes to it."""

from __future__ import annotations

import django.db.models.deletion
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
    dependencies = [("awsaccess", "0006_verdicts"), ("engagements", "0012_doorbell")]
    operations = [
        migrations.AddField("visit", "narrowing", models.JSONField(db_default={}, default=dict)),
        migrations.AddField(
            "visit",
            "doorbell",
            models.OneToOneField(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="visit",
                to="engagements.doorbell",
            ),
        ),
        rls.composite_key(
            "awsaccess_visit",
            (*TENANT, "engagement_id", "doorbell_id"),
            to="engagements_doorbell",
            to_columns=(*TENANT, "engagement_id", "id"),
        ),
        *frozen_anew("awsaccess_visit", VISIT, "narrowing", "doorbell_id"),
    ]
