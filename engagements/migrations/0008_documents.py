"""Signed papers, kept as they left the house, and what opens one of them on the public page (ADR 12)."""

from __future__ import annotations

import uuid

import django.db.models.deletion
from django.db import migrations, models

from portal.kernel import rls

TENANT = ("practice_id", "client_id")
# As in 0004: a consultant sees the papers of the engagements they work on.
SEEN = "(select sees_all_engagements()) or engagement_id in (select engagements_worked_on())"


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0006_sessions"),
        ("engagements", "0007_evidence"),
    ]

    operations = [
        migrations.CreateModel(
            name="Document",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("receipt", "Receipt"), ("certificate", "Certificate")], max_length=12
                    ),
                ),
                ("language", models.CharField(max_length=10)),
                ("reference", models.CharField(max_length=20, unique=True)),
                ("pdf", models.BinaryField()),
                ("sha256", models.CharField(max_length=64, unique=True)),
                ("made_at", models.DateTimeField()),
                ("signed_by", models.CharField(max_length=64)),
                ("stamped_at", models.DateTimeField(null=True)),
                ("trouble", models.CharField(blank=True, default="", max_length=200)),
                (
                    "client",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.client"
                    ),
                ),
                (
                    "consent",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="papers",
                        to="engagements.consent",
                    ),
                ),
                (
                    "engagement",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="papers",
                        to="engagements.engagement",
                    ),
                ),
                (
                    "practice",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.practice"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="DocumentMark",
            fields=[
                ("token_sha256", models.CharField(max_length=64, primary_key=True, serialize=False)),
                (
                    "client",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.client"
                    ),
                ),
                (
                    "document",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="marks",
                        to="engagements.document",
                    ),
                ),
                (
                    "practice",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.practice"
                    ),
                ),
            ],
        ),
        migrations.AddConstraint(
            model_name="document",
            constraint=models.UniqueConstraint(fields=("consent", "kind"), name="document_one_of_a_kind"),
        ),
        migrations.AddConstraint(
            model_name="document",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["receipt", "certificate"])), name="document_known_kind"
            ),
        ),
        rls.tenant_table("engagements_document", using=rls.CLIENT_ROWS),
        rls.reading_only("engagements_document", when=SEEN),
        rls.append_only("engagements_document"),
        # Whoever holds a paper, or its reference, sees this one row of ids and no other, and nothing behind it.
        rls.tenant_table("engagements_documentmark", using=f"({rls.CLIENT_ROWS}) or {rls.OWN_LINK}"),
        rls.append_only("engagements_documentmark"),
        # The worker makes papers. Whoever breaks into the web process can have none taken for genuine.
        migrations.RunSQL(
            f"revoke insert on engagements_document, engagements_documentmark from {rls.WEB}",
            f"grant insert on engagements_document, engagements_documentmark to {rls.WEB}",
        ),
        rls.writing_only("engagements_document", when=rls.ON_PRACTICE_SIDE),
        rls.writing_only("engagements_documentmark", when=rls.ON_PRACTICE_SIDE),
        rls.wall_target("engagements_consent", *TENANT, "engagement_id", "id"),
        rls.wall_target("engagements_document", *TENANT, "id"),
        rls.composite_key(
            "engagements_document",
            (*TENANT, "engagement_id", "consent_id"),
            to="engagements_consent",
            to_columns=(*TENANT, "engagement_id", "id"),
        ),
        rls.composite_key(
            "engagements_documentmark",
            (*TENANT, "document_id"),
            to="engagements_document",
            to_columns=(*TENANT, "id"),
        ),
    ]
