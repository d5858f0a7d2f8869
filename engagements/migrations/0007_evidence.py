"""How a client agrees: by several people, with a mailed code, after questions; each agreement with its record."""

from __future__ import annotations

import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from portal.kernel import rls

TENANT = ("practice_id", "client_id")
TABLES = ("agreementcode", "remark", "referral")
SEEN = "(select sees_all_engagements()) or engagement_id in (select engagements_worked_on())"  # as in 0004


def walls(table: str) -> list[migrations.RunSQL]:
    """Of its practice and client, of an engagement of theirs, and hidden as that is."""
    name = f"engagements_{table}"
    return [
        rls.tenant_table(name, using=rls.CLIENT_ROWS),
        rls.composite_key(
            name,
            (*TENANT, "engagement_id"),
            to="engagements_engagement",
            to_columns=(*TENANT, "id"),
        ),
        rls.reading_only(name, when=SEEN),
    ]


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0006_sessions"),
        ("engagements", "0006_offers"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="AgreementCode",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("mark", models.CharField(max_length=64)),
                ("made_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                ("tries", models.PositiveSmallIntegerField(default=0)),
                ("used_at", models.DateTimeField(null=True)),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="Referral",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("name", models.CharField(max_length=120)),
                ("email", models.EmailField(max_length=254)),
                ("made_at", models.DateTimeField()),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="Remark",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("is_from_client", models.BooleanField()),
                ("text", models.CharField(max_length=1000)),
                ("said_at", models.DateTimeField()),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.AddField(
            model_name="consent",
            name="record",
            field=models.TextField(default=""),
        ),
        migrations.AddField(
            model_name="engagement",
            name="approvals_needed",
            field=models.PositiveSmallIntegerField(default=1),
        ),
        migrations.AddField(
            model_name="engagement",
            name="code_at_agreement",
            field=models.BooleanField(default=False),
        ),
        migrations.AlterField(
            model_name="consent",
            name="offer",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="consents", to="engagements.offer"
            ),
        ),
        migrations.AddConstraint(
            model_name="consent",
            constraint=models.UniqueConstraint(fields=("offer", "contact"), name="consent_one_per_person"),
        ),
        migrations.AddConstraint(
            model_name="engagement",
            constraint=models.CheckConstraint(
                condition=models.Q(("approvals_needed__range", (1, 3))),
                name="engagement_approvals_one_to_three",
            ),
        ),
        migrations.AddField(
            model_name="agreementcode",
            name="client",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.client"
            ),
        ),
        migrations.AddField(
            model_name="agreementcode",
            name="contact",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.contact"
            ),
        ),
        migrations.AddField(
            model_name="agreementcode",
            name="engagement",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="engagements.engagement"
            ),
        ),
        migrations.AddField(
            model_name="agreementcode",
            name="offer",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="engagements.offer"
            ),
        ),
        migrations.AddField(
            model_name="agreementcode",
            name="practice",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.practice"
            ),
        ),
        migrations.AddField(
            model_name="referral",
            name="client",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.client"
            ),
        ),
        migrations.AddField(
            model_name="referral",
            name="contact",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.contact"
            ),
        ),
        migrations.AddField(
            model_name="referral",
            name="engagement",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="referrals",
                to="engagements.engagement",
            ),
        ),
        migrations.AddField(
            model_name="referral",
            name="practice",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.practice"
            ),
        ),
        migrations.AddField(
            model_name="remark",
            name="author",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="remark",
            name="client",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.client"
            ),
        ),
        migrations.AddField(
            model_name="remark",
            name="engagement",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="remarks",
                to="engagements.engagement",
            ),
        ),
        migrations.AddField(
            model_name="remark",
            name="practice",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.practice"
            ),
        ),
        *(wall for table in TABLES for wall in walls(table)),
        rls.composite_key(
            "engagements_agreementcode",
            (*TENANT, "engagement_id", "offer_id"),
            to="engagements_offer",
            to_columns=(*TENANT, "engagement_id", "id"),
        ),
        *(
            rls.composite_key(
                f"engagements_{table}",
                (*TENANT, "contact_id"),
                to="accounts_contact",
                to_columns=(*TENANT, "id"),
            )
            for table in ("agreementcode", "referral")
        ),
        rls.append_only("engagements_remark"),
        rls.append_only("engagements_referral"),
        rls.frozen_columns(
            "engagements_agreementcode",
            *(*TENANT, "engagement_id", "offer_id", "contact_id", "mark", "made_at", "expires_at"),
        ),
        # The trigger's list of columns is fixed when it is made: once more, with the new one.
        migrations.RunSQL("drop trigger frozen on engagements_consent", migrations.RunSQL.noop),
        rls.frozen_columns(
            "engagements_consent",
            *(*TENANT, "engagement_id", "offer_id", "contact_id", "account_id"),
            *("shown_html", "shown_sha256", "offer_sha256", "evidence", "record", "given_at"),
            *("choice", "template_sha256", "agreed_sha256"),
        ),
    ]
