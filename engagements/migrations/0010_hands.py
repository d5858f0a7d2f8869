"""Whom a client asks to do the step in AWS, and invitations that came to somebody else."""

from __future__ import annotations

import uuid

import django.db.models.deletion
from django.db import migrations, models

from portal.kernel import rls

TABLE = "engagements_handover"
TENANT = ("practice_id", "client_id")
SEEN = "(select sees_all_engagements()) or engagement_id in (select engagements_worked_on())"  # as in 0004


def to_contact(column: str) -> migrations.RunSQL:
    """A person of the same client."""
    return rls.composite_key(TABLE, (*TENANT, column), to="accounts_contact", to_columns=(*TENANT, "id"))


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0008_brand"),
        ("engagements", "0009_intake"),
    ]

    operations = [
        migrations.AddField(
            model_name="referral",
            name="is_misdirected",
            field=models.BooleanField(default=False),
        ),
        migrations.CreateModel(
            name="Handover",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("name", models.CharField(max_length=120)),
                ("email", models.EmailField(max_length=254)),
                ("asked_at", models.DateTimeField()),
                ("settled_at", models.DateTimeField(null=True)),
                ("problem", models.CharField(blank=True, default="", max_length=20)),
                (
                    "client",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.client"
                    ),
                ),
                (
                    "contact",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.contact"
                    ),
                ),
                (
                    "engagement",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="handovers",
                        to="engagements.engagement",
                    ),
                ),
                (
                    "hands",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="handovers",
                        to="accounts.contact",
                    ),
                ),
                (
                    "practice",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.practice"
                    ),
                ),
            ],
            options={"abstract": False},
        ),
        rls.tenant_table(TABLE, using=rls.CLIENT_ROWS),
        rls.composite_key(
            TABLE, (*TENANT, "engagement_id"), to="engagements_engagement", to_columns=(*TENANT, "id")
        ),
        to_contact("contact_id"),
        to_contact("hands_id"),
        rls.reading_only(TABLE, when=SEEN),
        rls.frozen_columns(TABLE, *TENANT, "engagement_id", "contact_id", "name", "email", "asked_at"),
    ]
