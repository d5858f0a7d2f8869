"""Whoever never chose a language has none yet: their browser's counts until then."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0008_brand")]
    operations = [
        migrations.AlterField("user", "language", models.CharField(blank=True, default="", max_length=10)),
    ]
