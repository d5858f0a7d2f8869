from django.db import migrations

from portal.kernel import rls


class Migration(migrations.Migration):
    """The admin's own log: what is done in the console stands in the record instead."""

    dependencies = [("kernel", "0005_checkpoints"), ("admin", "0003_logentry_add_action_flag_choices")]

    operations = [rls.closed_table("django_admin_log")]
