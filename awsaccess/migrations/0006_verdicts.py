"""What a check leaves behind: how long it took, how often in a row nothing was proved, and since when the role stands.

The database fills the new columns itself, so that the release before this one can go on writing rows.
"""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("awsaccess", "0005_callback")]
    operations = [
        migrations.AddField("grant", "deny_before", models.DateTimeField(null=True)),
        migrations.AddField(
            "grant",
            "deny_version_id",
            models.CharField(blank=True, db_default="", default="", max_length=1024),
        ),
        migrations.AddField("grant", "denied_before", models.DateTimeField(null=True)),
        migrations.AddField("grant", "is_narrower", models.BooleanField(db_default=False, default=False)),
        migrations.AddField("grant", "role_seen_at", models.DateTimeField(null=True)),
        migrations.AddField("grant", "unknowns", models.PositiveIntegerField(db_default=0, default=0)),
        migrations.AddField(
            "verification", "latency_ms", models.PositiveIntegerField(db_default=0, default=0)
        ),
    ]
