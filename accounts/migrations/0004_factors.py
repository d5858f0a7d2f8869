import django.db.models.functions.datetime
from django.db import migrations, models

from portal.kernel import rls

OWN_COUNTER = (
    "((select current_setting('app.side', true)) = 'bearer' "
    "and key = (select nullif(current_setting('app.token', true), '')))"
)


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0003_invitation_letter_kind"),
        ("mfa", "0003_authenticator_type_uniq"),
        ("admin", "0003_logentry_add_action_flag_choices"),
    ]

    operations = [
        migrations.CreateModel(
            name="Attempts",
            fields=[
                ("key", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("tries", models.PositiveIntegerField(default=0)),
                (
                    "since",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
            ],
        ),
        rls.tenant_table("accounts_attempts", using=OWN_COUNTER),
        # allauth's table knows no practice: a person's factors are their own, wherever they sit.
        rls.tenant_table("mfa_authenticator", using=rls.OWN_USER),
        # The stock admin's history has no tenant and stores names. Nothing writes it (SECURITY §3.5); nobody reads it.
        rls.tenant_table("django_admin_log", using="false"),
        rls.frozen_columns("mfa_authenticator", "user_id", "type"),
    ]
