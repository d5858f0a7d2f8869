import uuid

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

from portal.kernel import rls


class Migration(migrations.Migration):
    dependencies = [("accounts", "0004_factors")]

    operations = [
        migrations.CreateModel(
            name="StepUp",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("session_sha256", models.CharField(max_length=64)),
                ("action", models.CharField(max_length=80)),
                ("object_id", models.UUIDField()),
                ("method", models.CharField(max_length=20)),
                (
                    "made_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                ("used_at", models.DateTimeField(null=True)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("used_at__isnull", True)),
                        fields=["user", "action", "object_id"],
                        name="step_up_unused",
                    )
                ]
            },
        ),
        rls.tenant_table("accounts_stepup", using=rls.OWN_USER),
        rls.frozen_columns(
            "accounts_stepup", "user_id", "session_sha256", "action", "object_id", "method", "made_at"
        ),
        # Used is used: no statement makes a proof fresh again, and none takes one away.
        migrations.RunSQL(
            f"""
            revoke delete, truncate on accounts_stepup from {rls.WEB}, {rls.WORKER};
            create trigger used_once before update on accounts_stepup for each row
              when (old.used_at is not null) execute function refuse_change();
            create trigger no_delete before delete on accounts_stepup for each row execute function refuse_change();
            alter table accounts_stepup enable always trigger used_once, enable always trigger no_delete;
            """,
            "drop trigger used_once on accounts_stepup; drop trigger no_delete on accounts_stepup;",
        ),
    ]
