"""The link that confirms an order is mailed in the language of the page."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("engagements", "0010_hands")]
    operations = [
        migrations.AddField("order", "language", models.CharField(blank=True, default="", max_length=10)),
    ]
