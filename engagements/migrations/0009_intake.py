import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import accounts.models
import engagements.models
from portal.kernel import rls

TEMPLATE = ("practice_id", "template_id")
LEAD = ("practice_id", "lead_id")


def to_template_and_lead(table: str) -> list[migrations.RunSQL]:
    """Both are of the same practice."""
    return [
        rls.composite_key(
            table, TEMPLATE, to="engagements_engagementtemplate", to_columns=("practice_id", "id")
        ),
        rls.composite_key(table, LEAD, to="accounts_membership", to_columns=("practice_id", "user_id")),
    ]


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0008_brand"),
        ("engagements", "0008_documents"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="EngagementTemplate",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("code", models.CharField(default=accounts.models.new_code, max_length=12)),
                ("name", models.CharField(max_length=60)),
                ("title", models.CharField(max_length=120)),
                ("purpose", models.CharField(max_length=300)),
                ("profile", models.CharField(max_length=40)),
                ("days", models.PositiveSmallIntegerField()),
                ("account_name", models.CharField(blank=True, default="", max_length=120)),
                ("number", models.PositiveIntegerField(default=1)),
                ("retired_at", models.DateTimeField(null=True)),
                (
                    "practice",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.practice"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="IntakePage",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("token_sha256", models.CharField(db_index=True, max_length=64)),
                ("welcome", models.CharField(blank=True, default="", max_length=300)),
                ("is_open", models.BooleanField(default=False)),
                (
                    "lead",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "practice",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.practice"
                    ),
                ),
                (
                    "template",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="engagements.engagementtemplate",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="Shop",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("code", models.CharField(default=engagements.models.new_shop_code, max_length=32)),
                ("token_sha256", models.CharField(db_index=True, max_length=64)),
                ("name", models.CharField(max_length=60)),
                (
                    "kind",
                    models.CharField(choices=[("signed", "Signed"), ("stripe", "Stripe")], max_length=6),
                ),
                ("secret", models.BinaryField(default=bytes)),
                ("made_at", models.DateTimeField()),
                ("secret_set_at", models.DateTimeField(null=True)),
                ("heard_at", models.DateTimeField(null=True)),
                ("closed_at", models.DateTimeField(null=True)),
                (
                    "lead",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "practice",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.practice"
                    ),
                ),
                (
                    "template",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="engagements.engagementtemplate",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Order",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("event_id", models.CharField(blank=True, default="", max_length=255)),
                ("name", models.CharField(max_length=120)),
                ("company", models.CharField(blank=True, default="", max_length=120)),
                ("email", models.EmailField(max_length=254)),
                ("account_id", models.CharField(blank=True, default="", max_length=12)),
                ("order_number", models.CharField(max_length=60)),
                ("token_sha256", models.CharField(blank=True, db_index=True, default="", max_length=64)),
                ("made_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField(null=True)),
                ("confirmed_at", models.DateTimeField(null=True)),
                ("problem", models.CharField(blank=True, default="", max_length=300)),
                (
                    "engagement",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="order",
                        to="engagements.engagement",
                    ),
                ),
                (
                    "lead",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "practice",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.practice"
                    ),
                ),
                (
                    "template",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="engagements.engagementtemplate",
                    ),
                ),
                (
                    "shop",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="orders",
                        to="engagements.shop",
                    ),
                ),
            ],
        ),
        migrations.AddConstraint(
            model_name="engagementtemplate",
            constraint=models.UniqueConstraint(fields=("practice", "code"), name="template_one_per_code"),
        ),
        migrations.AddConstraint(
            model_name="engagementtemplate",
            constraint=models.CheckConstraint(
                condition=models.Q(("days__gte", 1), ("days__lte", 366)), name="template_days_are_possible"
            ),
        ),
        migrations.AddConstraint(
            model_name="shop",
            constraint=models.UniqueConstraint(fields=("practice", "code"), name="shop_one_per_code"),
        ),
        migrations.AddConstraint(
            model_name="shop",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["signed", "stripe"])), name="shop_known_kind"
            ),
        ),
        migrations.AddIndex(
            model_name="order",
            index=models.Index(fields=["practice", "-made_at"], name="orders_newest_first"),
        ),
        migrations.AddConstraint(
            model_name="order",
            constraint=models.UniqueConstraint(
                condition=models.Q(("shop__isnull", False)),
                fields=("practice", "shop", "event_id"),
                name="order_taken_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="order",
            constraint=models.CheckConstraint(
                condition=models.Q(("account_id__regex", "^([0-9]{12})?$")), name="order_account_is_12_digits"
            ),
        ),
        rls.tenant_table("engagements_engagementtemplate", using=rls.PRACTICE_ROWS),
        # Visitors and shops know an address, and nothing else of the practice: each finds the one row behind it.
        rls.tenant_table("engagements_intakepage", using=f"({rls.PRACTICE_ROWS}) or {rls.OWN_LINK}"),
        rls.tenant_table("engagements_shop", using=f"({rls.PRACTICE_ROWS}) or {rls.OWN_LINK}"),
        rls.tenant_table("engagements_order", using=f"({rls.PRACTICE_ROWS}) or {rls.OWN_LINK}"),
        rls.wall_target("engagements_engagementtemplate", "practice_id", "id"),
        rls.wall_target("engagements_shop", "practice_id", "id"),
        rls.wall_target("engagements_engagement", "practice_id", "id"),
        *to_template_and_lead("engagements_intakepage"),
        *to_template_and_lead("engagements_shop"),
        *to_template_and_lead("engagements_order"),
        rls.composite_key(
            "engagements_order",
            ("practice_id", "shop_id"),
            to="engagements_shop",
            to_columns=("practice_id", "id"),
        ),
        rls.composite_key(
            "engagements_order",
            ("practice_id", "engagement_id"),
            to="engagements_engagement",
            to_columns=("practice_id", "id"),
        ),
        rls.frozen_columns("engagements_engagementtemplate", "practice_id", "code"),
        rls.frozen_columns("engagements_intakepage", "practice_id", "token_sha256"),
        rls.frozen_columns("engagements_shop", "practice_id", "code", "token_sha256", "kind", "made_at"),
        rls.frozen_columns(
            "engagements_order",
            *("practice_id", "shop_id", "event_id", "template_id", "name", "company", "email"),
            *("account_id", "order_number", "token_sha256", "made_at", "expires_at"),
        ),
    ]
