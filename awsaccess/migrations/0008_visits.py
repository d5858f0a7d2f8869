"""What a visit did without, of what was agreed, the client's yes to it, and what was done in it."""

from __future__ import annotations

import uuid

import django.db.models.deletion
from django.db import migrations, models

from portal.kernel import rls

TENANT = ("practice_id", "client_id")
VISIT = (
    *(*TENANT, "engagement_id", "grant_id", "consultant_id", "consultant_name"),
    *("reason", "kind", "session_name", "intended_at", "worst_case_until"),
)
SEEN = "(select sees_all_engagements()) or engagement_id in (select engagements_worked_on())"  # as in 0003
REPORTS = [
    ("waiting", "Waiting"),
    ("first", "First"),
    ("complete", "Complete"),
    ("missing", "Missing"),
]


def key(to: str) -> models.ForeignKey[object, object]:
    return models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to=to)


def frozen_anew(table: str, before: tuple[str, ...], *more: str) -> list[migrations.RunSQL]:
    """The same trigger with more columns."""
    old, new = rls.frozen_columns(table, *before), rls.frozen_columns(table, *before, *more)
    return [migrations.RunSQL(old.reverse_sql or "", old.sql), new]


class Migration(migrations.Migration):
    dependencies = [("awsaccess", "0007_rotation"), ("engagements", "0012_doorbell")]
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
        migrations.CreateModel(
            name="VisitReport",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("status", models.CharField(choices=REPORTS, default="waiting", max_length=8)),
                ("events", models.JSONField(default=list)),
                ("gaps", models.JSONField(default=list)),
                ("flagged", models.JSONField(default=list)),
                ("fetched_at", models.DateTimeField(null=True)),
                ("client", key("accounts.client")),
                ("engagement", key("engagements.engagement")),
                ("practice", key("accounts.practice")),
                (
                    "visit",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="report",
                        to="awsaccess.visit",
                    ),
                ),
            ],
        ),
        migrations.AddConstraint(
            model_name="visitreport",
            constraint=models.CheckConstraint(
                condition=models.Q(("status__in", [state for state, _ in REPORTS])),
                name="visitreport_known_status",
            ),
        ),
        rls.tenant_table("awsaccess_visitreport", using=rls.CLIENT_ROWS),
        rls.writing_only("awsaccess_visitreport", when=rls.ON_PRACTICE_SIDE),
        rls.reading_only("awsaccess_visitreport", when=SEEN),
        rls.wall_target("awsaccess_visit", *TENANT, "engagement_id", "id"),
        rls.composite_key(
            "awsaccess_visitreport",
            (*TENANT, "engagement_id", "visit_id"),
            to="awsaccess_visit",
            to_columns=(*TENANT, "engagement_id", "id"),
        ),
        rls.frozen_columns("awsaccess_visitreport", *TENANT, "engagement_id", "visit_id"),
    ]
