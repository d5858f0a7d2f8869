import uuid

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

from portal.kernel import rls

# Who knows the practice's code finds its service, before anybody has said who they are. The secret in it is sealed.
OWN_DOOR = (
    "((select current_setting('app.side', true)) = 'bearer' "
    "and door_sha256 = (select nullif(current_setting('app.token', true), '')))"
)


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0006_sessions"),
    ]

    operations = [
        migrations.CreateModel(
            name="SignInService",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("door_sha256", models.CharField(max_length=64, unique=True)),
                ("issuer", models.CharField(max_length=300)),
                ("oauth_client", models.CharField(max_length=300)),
                ("client_secret", models.BinaryField()),
                ("domains", models.JSONField()),
                ("is_enabled", models.BooleanField(default=False)),
                ("is_required", models.BooleanField(default=False)),
                ("revision", models.PositiveIntegerField(default=1)),
                (
                    "practice",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.practice"
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="PinnedAccount",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("subject", models.CharField(max_length=255)),
                ("made_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "practice",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.practice"
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "service",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="accounts",
                        to="accounts.signinservice",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("service", "user"), name="pinned_account_one_per_person"),
                    models.UniqueConstraint(
                        fields=("service", "subject"), name="pinned_account_one_per_subject"
                    ),
                ],
            },
        ),
        rls.tenant_table("accounts_signinservice", using=f"({rls.PRACTICE_ROWS}) or {OWN_DOOR}"),
        rls.writing_only("accounts_signinservice", when=rls.ON_PRACTICE_SIDE),
        rls.frozen_columns("accounts_signinservice", "practice_id", "door_sha256"),
        rls.wall_target("accounts_signinservice", "practice_id", "id"),
        rls.tenant_table("accounts_pinnedaccount", using=rls.PRACTICE_ROWS),
        rls.composite_key(
            "accounts_pinnedaccount",
            ("practice_id", "service_id"),
            to="accounts_signinservice",
            to_columns=("practice_id", "id"),
        ),
        rls.composite_key(
            "accounts_pinnedaccount",
            ("practice_id", "user_id"),
            to="accounts_membership",
            to_columns=("practice_id", "user_id"),
        ),
        rls.frozen_columns("accounts_pinnedaccount", "practice_id", "service_id", "user_id", "subject"),
    ]
