"""The exchange of an external ID: its rows and their walls, and what a grant has in force afterwards."""

from __future__ import annotations

import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from portal.kernel import rls

TENANT = ("practice_id", "client_id")
OF_A_GRANT_SEEN = "grant_id in (select id from awsaccess_grant)"  # which the grants' own policy has narrowed


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0008_brand"),
        ("awsaccess", "0006_verdicts"),
        ("engagements", "0009_intake"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Rotation",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("adding", "Adding"),
                            ("dropping", "Dropping"),
                            ("undoing", "Undoing"),
                            ("done", "Done"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="adding",
                        max_length=10,
                    ),
                ),
                ("old_external_id", models.CharField(max_length=64)),
                ("new_external_id", models.CharField(max_length=64, unique=True)),
                ("both_version_id", models.CharField(blank=True, default="", max_length=1024)),
                ("alone_version_id", models.CharField(blank=True, default="", max_length=1024)),
                ("begun_at", models.DateTimeField()),
                ("seen_at", models.DateTimeField(null=True)),
                ("turned_at", models.DateTimeField(null=True)),
                ("ended_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.AddField(
            model_name="grant",
            name="is_rotating",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name="grant",
            name="lock_changed_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="grant",
            name="lock_template_key",
            field=models.CharField(blank=True, db_default="", default="", max_length=200),
        ),
        migrations.AddField(
            model_name="grant",
            name="lock_version_id",
            field=models.CharField(blank=True, db_default="", default="", max_length=1024),
        ),
        migrations.AddField(
            model_name="grant",
            name="rotated_external_id",
            field=models.CharField(blank=True, db_default="", default="", max_length=64),
        ),
        migrations.AddConstraint(
            model_name="grant",
            constraint=models.UniqueConstraint(
                condition=models.Q(("rotated_external_id", ""), _negated=True),
                fields=("rotated_external_id",),
                name="grant_one_per_rotated_id",
            ),
        ),
        migrations.AddField(
            model_name="rotation",
            name="begun_by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="rotation",
            name="client",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.client"
            ),
        ),
        migrations.AddField(
            model_name="rotation",
            name="grant",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="rotations", to="awsaccess.grant"
            ),
        ),
        migrations.AddField(
            model_name="rotation",
            name="practice",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.practice"
            ),
        ),
        migrations.AddConstraint(
            model_name="rotation",
            constraint=models.CheckConstraint(
                condition=models.Q(("status__in", ["adding", "dropping", "undoing", "done", "cancelled"])),
                name="rotation_known_status",
            ),
        ),
        migrations.AddConstraint(
            model_name="rotation",
            constraint=models.UniqueConstraint(
                condition=models.Q(("status__in", ["adding", "dropping", "undoing"])),
                fields=("grant",),
                name="rotation_one_open_per_grant",
            ),
        ),
        migrations.AddField(
            model_name="hub",
            name="role_id",
            field=models.CharField(blank=True, db_default="", default="", max_length=128),
        ),
        migrations.AddField(model_name="hub", name="remade_at", field=models.DateTimeField(null=True)),
        rls.tenant_table("awsaccess_rotation", using=rls.CLIENT_ROWS),
        rls.writing_only("awsaccess_rotation", when=rls.ON_PRACTICE_SIDE),
        rls.reading_only("awsaccess_rotation", when=OF_A_GRANT_SEEN),
        rls.composite_key(
            "awsaccess_rotation",
            (*TENANT, "grant_id"),
            to="awsaccess_grant",
            to_columns=(*TENANT, "id"),
        ),
        rls.frozen_columns(
            "awsaccess_rotation",
            *(*TENANT, "grant_id", "old_external_id", "new_external_id", "begun_at", "begun_by_id"),
        ),
    ]
