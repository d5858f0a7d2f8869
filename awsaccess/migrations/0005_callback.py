"""What stacks report by call-back, and what was dropped instead: tables, walls, and the hub's topics and queue."""

from __future__ import annotations

import uuid

import django.db.models.deletion
from django.db import migrations, models

from portal.kernel import rls

TENANT = ("practice_id", "client_id")
OF_A_GRANT_SEEN = "grant_id in (select id from awsaccess_grant)"  # which the grants' own policy has narrowed


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0006_sessions"),
        ("awsaccess", "0003_assigned"),
        ("engagements", "0005_practice_profiles"),
    ]

    operations = [
        migrations.CreateModel(
            name="Callback",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("Create", "Create"), ("Update", "Update"), ("Delete", "Delete")],
                        max_length=6,
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("open", "Open"),
                            ("granted", "Granted"),
                            ("refused", "Refused"),
                            ("lapsed", "Lapsed"),
                        ],
                        default="open",
                        max_length=8,
                    ),
                ),
                ("stack_id", models.CharField(max_length=300)),
                ("request_id", models.CharField(max_length=128)),
                ("logical_id", models.CharField(max_length=255)),
                ("physical_id", models.CharField(max_length=1024)),
                ("sealed_url", models.BinaryField(default=bytes)),
                ("told_at", models.DateTimeField()),
                ("answer_by", models.DateTimeField()),
                ("answered_at", models.DateTimeField(null=True)),
                ("reason", models.CharField(blank=True, default="", max_length=300)),
            ],
        ),
        migrations.CreateModel(
            name="DeadLetter",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("at", models.DateTimeField()),
                ("message_id", models.CharField(max_length=100)),
                (
                    "reason",
                    models.CharField(
                        choices=[
                            ("too-large", "It is longer than any message of CloudFormation's."),
                            ("not-utf8", "It is not text in UTF-8."),
                            ("too-deep", "It is nested deeper than any message of CloudFormation's."),
                            ("not-json", "It is not JSON."),
                            ("a-name-twice", "It has a name twice."),
                            ("not-from-sns", "It is not a notification of SNS."),
                            ("other-topic", "It did not come by a topic of this hub."),
                            (
                                "not-a-request",
                                "It is not a request of CloudFormation's for a custom resource.",
                            ),
                            ("other-resource", "It is for a custom resource of another kind."),
                            ("bad-stack", "It names no stack."),
                            ("other-region", "Its stack is in another region than its topic."),
                            (
                                "bad-response-url",
                                "It wants its answer at an address that is not CloudFormation's.",
                            ),
                            ("bad-token", "Its token has another form than ours."),
                            ("bad-role", "It names no role of the account its stack is in."),
                            ("unknown-token", "Its token belongs to no offer."),
                            ("spent-token", "Its token was used by another stack."),
                            (
                                "other-account",
                                "Its stack is in another account than the one that was agreed.",
                            ),
                            ("replayed", "It was there before."),
                            ("too-many", "There were too many of them in a short time."),
                        ],
                        max_length=20,
                    ),
                ),
                ("size", models.PositiveIntegerField()),
                ("body_sha256", models.CharField(max_length=64)),
            ],
        ),
        migrations.AddField(
            model_name="grant",
            name="callback_sha256",
            field=models.CharField(blank=True, default="", max_length=64),
        ),
        migrations.AddField(
            model_name="grant",
            name="callback_stack",
            field=models.CharField(blank=True, default="", max_length=300),
        ),
        migrations.AddField(
            model_name="hub",
            name="queue_url",
            field=models.CharField(blank=True, default="", max_length=256),
        ),
        migrations.AddField(
            model_name="hub",
            name="topic_arns",
            field=models.JSONField(blank=True, default=dict),
        ),
        migrations.AddConstraint(
            model_name="grant",
            constraint=models.UniqueConstraint(
                condition=models.Q(("callback_sha256", ""), _negated=True),
                fields=("practice", "callback_sha256"),
                name="grant_one_per_callback_token",
            ),
        ),
        migrations.AddField(
            model_name="callback",
            name="client",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.client"
            ),
        ),
        migrations.AddField(
            model_name="callback",
            name="grant",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="callbacks", to="awsaccess.grant"
            ),
        ),
        migrations.AddField(
            model_name="callback",
            name="practice",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.practice"
            ),
        ),
        migrations.AddField(
            model_name="deadletter",
            name="practice",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.practice"
            ),
        ),
        migrations.AddIndex(
            model_name="callback",
            index=models.Index(fields=["grant", "-told_at"], name="callback_newest"),
        ),
        migrations.AddConstraint(
            model_name="callback",
            constraint=models.CheckConstraint(
                condition=models.Q(("status__in", ["open", "granted", "refused", "lapsed"])),
                name="callback_known_status",
            ),
        ),
        migrations.AddConstraint(
            model_name="callback",
            constraint=models.UniqueConstraint(
                fields=("practice", "stack_id", "request_id"), name="callback_one_per_request"
            ),
        ),
        migrations.AddIndex(
            model_name="deadletter",
            index=models.Index(fields=["practice", "-at"], name="deadletter_newest"),
        ),
        rls.tenant_table("awsaccess_callback", using=rls.CLIENT_ROWS),
        rls.writing_only("awsaccess_callback", when=rls.ON_PRACTICE_SIDE),
        rls.reading_only("awsaccess_callback", when=OF_A_GRANT_SEEN),
        rls.composite_key(
            "awsaccess_callback",
            (*TENANT, "grant_id"),
            to="awsaccess_grant",
            to_columns=(*TENANT, "id"),
        ),
        rls.frozen_columns(
            "awsaccess_callback",
            *(*TENANT, "grant_id", "kind", "stack_id", "request_id", "logical_id", "physical_id"),
            *("told_at", "answer_by"),
        ),
        rls.tenant_table("awsaccess_deadletter", using=rls.PRACTICE_ROWS),
        rls.append_only("awsaccess_deadletter"),
    ]
