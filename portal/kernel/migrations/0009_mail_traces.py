"""What became of each mail."""

from __future__ import annotations

from django.db import migrations, models

from portal.kernel import rls


class Migration(migrations.Migration):
    dependencies = [
        ("kernel", "0008_signing_certificates"),
    ]

    operations = [
        migrations.CreateModel(
            name="MailTrace",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("practice_id", models.UUIDField()),
                ("message_key", models.CharField(max_length=80)),
                ("token_sha256", models.CharField(db_index=True, max_length=64)),
                ("address", models.CharField(max_length=254)),
                ("kind", models.CharField(max_length=80)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("sending", "Sending"),
                            ("accepted", "Accepted"),
                            ("waiting", "Waiting"),
                            ("refused", "Refused"),
                            ("bounced", "Bounced"),
                        ],
                        max_length=10,
                    ),
                ),
                ("status", models.CharField(blank=True, default="", max_length=12)),
                ("said", models.CharField(blank=True, default="", max_length=200)),
                ("made_at", models.DateTimeField()),
                ("changed_at", models.DateTimeField()),
            ],
            options={
                "indexes": [
                    models.Index(fields=["practice_id", "address", "-changed_at"], name="trace_newest")
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("practice_id", "message_key"), name="trace_one_per_mail"),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state__in", ["sending", "accepted", "waiting", "refused", "bounced"])
                        ),
                        name="trace_known_state",
                    ),
                ],
            },
        ),
        # A mail that comes back names its own row by a token, and no other.
        rls.tenant_table("kernel_mailtrace", using=f"({rls.PRACTICE_ROWS}) or {rls.OWN_LINK}"),
        rls.frozen_columns(
            "kernel_mailtrace",
            *("practice_id", "message_key", "token_sha256", "address", "kind", "made_at"),
        ),
    ]
