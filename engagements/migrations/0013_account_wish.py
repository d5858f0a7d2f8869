"""Where a client would rather use another AWS account than the agreed one (ADR 18)."""

from __future__ import annotations

import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from portal.kernel import rls

TENANT = ("practice_id", "client_id")
TABLE = "engagements_accountwish"
SEEN = "(select sees_all_engagements()) or engagement_id in (select engagements_worked_on())"  # as in 0004
STATES = [
    ("asked", "Asked"),
    ("confirmed", "Confirmed"),
    ("refused", "Refused"),
    ("taken_back", "Taken Back"),
]
PERSON = settings.AUTH_USER_MODEL
ON_CLIENT_SIDE = "(select current_setting('app.side', true)) = 'client'"


def key(to: str, *, name: str = "+", null: bool = False) -> models.ForeignKey[object, object]:
    return models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name=name, to=to, null=null)


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0008_brand"),
        ("engagements", "0012_doorbell"),
        migrations.swappable_dependency(PERSON),
    ]

    operations = [
        migrations.CreateModel(
            name="AccountWish",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("account_id", models.CharField(max_length=12)),
                ("instead_of", models.CharField(max_length=12)),
                ("status", models.CharField(choices=STATES, default="asked", max_length=10)),
                ("asked_at", models.DateTimeField()),
                ("answered_at", models.DateTimeField(null=True)),
                ("moved_note", models.CharField(blank=True, default="", max_length=300)),
                ("client", key("accounts.client")),
                ("contact", key("accounts.contact")),
                ("engagement", key("engagements.engagement", name="wishes")),
                ("moved_by", key(PERSON, null=True)),
                ("practice", key("accounts.practice")),
            ],
        ),
        migrations.AddConstraint(
            model_name="accountwish",
            constraint=models.CheckConstraint(
                condition=models.Q(("status__in", [state for state, _ in STATES])),
                name="wish_known_status",
            ),
        ),
        migrations.AddConstraint(
            model_name="accountwish",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("account_id__regex", "^[0-9]{12}$"), ("instead_of__regex", "^[0-9]{12}$")
                ),
                name="wish_accounts_are_12_digits",
            ),
        ),
        migrations.AddConstraint(
            model_name="accountwish",
            constraint=models.UniqueConstraint(
                condition=models.Q(("status", "asked")), fields=("engagement",), name="wish_one_open"
            ),
        ),
        rls.tenant_table(TABLE, using=rls.CLIENT_ROWS),
        rls.reading_only(TABLE, when=SEEN),
        # It is the client's to wish: the practice answers.
        migrations.RunSQL(
            f"create policy wish_only on {TABLE} as restrictive for insert to {rls.WEB}, {rls.WORKER} "
            f"with check ({ON_CLIENT_SIDE})",
            f"drop policy wish_only on {TABLE}",
        ),
        rls.composite_key(
            TABLE, (*TENANT, "engagement_id"), to="engagements_engagement", to_columns=(*TENANT, "id")
        ),
        rls.composite_key(TABLE, (*TENANT, "contact_id"), to="accounts_contact", to_columns=(*TENANT, "id")),
        rls.frozen_columns(
            TABLE, *(*TENANT, "engagement_id", "contact_id", "account_id", "instead_of", "asked_at")
        ),
    ]
