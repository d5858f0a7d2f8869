from django.db import migrations

from portal.kernel import rls


class Migration(migrations.Migration):
    """A plain key ignores row security: the words of an event could have been hung on another practice's event."""

    dependencies = [("kernel", "0006_closed_tables")]

    operations = [
        rls.wall_target("kernel_auditevent", "practice_id", "id"),
        rls.composite_key(
            "kernel_auditbody",
            ("practice_id", "event_id"),
            to="kernel_auditevent",
            to_columns=("practice_id", "id"),
        ),
    ]
