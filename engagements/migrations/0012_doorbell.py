"""Where the client lets each visit in: the terms of it, and each ring with its answer."""

from __future__ import annotations

import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from portal.kernel import rls

TENANT = ("practice_id", "client_id")
TABLE = "engagements_doorbell"
SEEN = "(select sees_all_engagements()) or engagement_id in (select engagements_worked_on())"  # as in 0004
STATES = [
    ("ringing", "Ringing"),
    ("let_in", "Let In"),
    ("not_now", "Not Now"),
    ("expired", "Expired"),
    ("used", "Used"),
    ("forced", "Forced"),
]
PERSON = settings.AUTH_USER_MODEL


def key(to: str, *, name: str = "+", null: bool = False) -> models.ForeignKey[object, object]:
    return models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name=name, to=to, null=null)


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0008_brand"),
        ("engagements", "0011_order_language"),
        migrations.swappable_dependency(PERSON),
    ]

    operations = [
        migrations.AddField("engagement", "doorbell", models.BooleanField(default=False)),
        migrations.AddField("engagement", "break_glass", models.BooleanField(default=False)),
        # For the release before this one, which goes on writing rows. Not told to Django: it would read the columns back
        # while a draft is made, before its lead may see it.
        migrations.RunSQL(
            "alter table engagements_engagement alter doorbell set default false, alter break_glass set default false",
            "alter table engagements_engagement alter doorbell drop default, alter break_glass drop default",
        ),
        migrations.CreateModel(
            name="Doorbell",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("consultant_name", models.CharField(max_length=120)),
                ("reason", models.CharField(max_length=300)),
                ("kind", models.CharField(max_length=8)),
                ("status", models.CharField(choices=STATES, default="ringing", max_length=8)),
                ("rung_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                ("answered_at", models.DateTimeField(null=True)),
                ("answered_by", key(PERSON, null=True)),
                ("client", key("accounts.client")),
                ("consultant", key(PERSON)),
                ("engagement", key("engagements.engagement", name="doorbells")),
                ("practice", key("accounts.practice")),
            ],
        ),
        migrations.AddConstraint(
            model_name="doorbell",
            constraint=models.CheckConstraint(
                condition=models.Q(("status__in", [state for state, _ in STATES])),
                name="doorbell_known_status",
            ),
        ),
        migrations.AddConstraint(
            model_name="doorbell",
            constraint=models.UniqueConstraint(
                condition=models.Q(("status__in", ("ringing", "let_in"))),
                fields=("engagement", "consultant"),
                name="doorbell_one_open_per_person",
            ),
        ),
        rls.tenant_table(TABLE, using=rls.CLIENT_ROWS),
        rls.reading_only(TABLE, when=SEEN),
        # A client answers; only the practice's side of the portal rings.
        migrations.RunSQL(
            f"create policy ring_only on {TABLE} as restrictive for insert to {rls.WEB}, {rls.WORKER} "
            f"with check ({rls.ON_PRACTICE_SIDE})",
            f"drop policy ring_only on {TABLE}",
        ),
        rls.wall_target(TABLE, *TENANT, "engagement_id", "id"),
        rls.composite_key(
            TABLE,
            (*TENANT, "engagement_id"),
            to="engagements_engagement",
            to_columns=(*TENANT, "id"),
        ),
        rls.composite_key(
            TABLE,
            ("practice_id", "consultant_id"),
            to="accounts_membership",
            to_columns=("practice_id", "user_id"),
        ),
        rls.frozen_columns(
            TABLE,
            *(*TENANT, "engagement_id", "consultant_id", "consultant_name", "reason", "kind", "rung_at"),
        ),
    ]
