"""What a client may choose, what they chose, and changes of an access that is on."""

from __future__ import annotations

import uuid
from typing import Any

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from portal.kernel import rls

TENANT = ("practice_id", "client_id")
IN_ENGAGEMENT = (*TENANT, "engagement_id")
# As in 0004: whoever is not assigned to an engagement sees nothing of it.
SEEN = "(select sees_all_engagements()) or engagement_id in (select engagements_worked_on())"
AGREED_TO = (
    *(*IN_ENGAGEMENT, "offer_id", "contact_id", "account_id"),
    *("shown_html", "shown_sha256", "offer_sha256", "evidence", "given_at"),
)


def key(model: str) -> models.ForeignKey[Any, Any]:  # Any: whatever row
    """A plain key into the paper side; the walls are below."""
    return models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to=model)


def row_id() -> models.UUIDField[Any, Any]:  # Any: Django's own
    """As every row has it."""
    return models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)


def to_offer(table: str, column: str) -> migrations.RunSQL:
    """An offer of the same engagement."""
    return rls.composite_key(
        table, (*IN_ENGAGEMENT, column), to="engagements_offer", to_columns=(*IN_ENGAGEMENT, "id")
    )


def to_engagement(table: str) -> migrations.RunSQL:
    """An engagement of the same client."""
    return rls.composite_key(table, IN_ENGAGEMENT, to="engagements_engagement", to_columns=(*TENANT, "id"))


def frozen_anew(table: str, before: tuple[str, ...], after: tuple[str, ...]) -> list[migrations.RunSQL]:
    """More columns that keep their value: the trigger names them all, so it is made anew."""
    names = ", ".join(f"'{column}'" for column in before)
    back = (
        f"create trigger frozen before update on {table} for each row execute function refuse_frozen({names});"
        f"alter table {table} enable always trigger frozen;"
    )
    return [migrations.RunSQL(f"drop trigger frozen on {table}", back), rls.frozen_columns(table, *after)]


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("engagements", "0005_practice_profiles"),
    ]

    operations = [
        migrations.AddField("engagement", "optional", models.JSONField(blank=True, default=list)),
        migrations.AddField("consent", "choice", models.JSONField(blank=True, default=list)),
        migrations.AddField(
            "consent", "template_sha256", models.CharField(blank=True, default="", max_length=64)
        ),
        migrations.AddField(
            "consent", "agreed_sha256", models.CharField(blank=True, default="", max_length=64)
        ),
        *frozen_anew(
            "engagements_consent", AGREED_TO, (*AGREED_TO, "choice", "template_sha256", "agreed_sha256")
        ),
        migrations.CreateModel(
            name="Variant",
            fields=[
                ("id", row_id()),
                ("choice", models.JSONField()),
                ("template", models.TextField()),
                ("template_sha256", models.CharField(max_length=64)),
                ("template_version_id", models.CharField(blank=True, default="", max_length=120)),
                ("client", key("accounts.client")),
                ("engagement", key("engagements.engagement")),
                (
                    "offer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="variants",
                        to="engagements.offer",
                    ),
                ),
                ("practice", key("accounts.practice")),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("offer", "choice"), name="variant_one_per_choice")
                ]
            },
        ),
        migrations.CreateModel(
            name="ScopeChange",
            fields=[
                ("id", row_id()),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("asked", "Asked"),
                            ("agreed", "Agreed"),
                            ("in_force", "In Force"),
                            ("declined", "Declined"),
                            ("taken_back", "Taken Back"),
                        ],
                        default="asked",
                        max_length=10,
                    ),
                ),
                ("asked_at", models.DateTimeField()),
                ("answered_at", models.DateTimeField(null=True)),
                ("in_force_at", models.DateTimeField(null=True)),
                ("moved_note", models.CharField(blank=True, default="", max_length=300)),
                ("before", key("engagements.offer")),
                ("client", key("accounts.client")),
                (
                    "engagement",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="changes",
                        to="engagements.engagement",
                    ),
                ),
                (
                    "moved_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "offer",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="change",
                        to="engagements.offer",
                    ),
                ),
                ("practice", key("accounts.practice")),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("status__in", ["asked", "agreed", "in_force", "declined", "taken_back"])
                        ),
                        name="change_known_status",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("status__in", ["asked", "agreed"])),
                        fields=("engagement",),
                        name="change_one_open",
                    ),
                ]
            },
        ),
        *(
            operation
            for table in ("engagements_variant", "engagements_scopechange")
            for operation in (
                rls.tenant_table(table, using=rls.CLIENT_ROWS),
                rls.reading_only(table, when=SEEN),
                to_engagement(table),
                to_offer(table, "offer_id"),
            )
        ),
        to_offer("engagements_scopechange", "before_id"),
        # What may be chosen is the practice's to say, like the offer itself.
        rls.writing_only("engagements_variant", when=rls.ON_PRACTICE_SIDE),
        rls.frozen_columns(
            "engagements_variant", *IN_ENGAGEMENT, "offer_id", "choice", "template", "template_sha256"
        ),
        rls.frozen_columns("engagements_scopechange", *IN_ENGAGEMENT, "offer_id", "before_id", "asked_at"),
    ]
