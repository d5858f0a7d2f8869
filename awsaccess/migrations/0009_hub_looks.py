"""Hubs that were set up before it was looked which role answers get their first look at once; the sweep goes on from there."""

from __future__ import annotations

from django.db import migrations

# The owner sees no tenant's rows, so the wall is lowered for it alone, within this transaction.
BEGIN = """
alter table awsaccess_hub no force row level security;
alter table kernel_due no force row level security;
insert into kernel_due (practice_id, kind, object_id, next_at, attempts)
  select practice_id, 'hub.look', id, now(), 0 from awsaccess_hub
  on conflict (kind, object_id) do nothing;
alter table awsaccess_hub force row level security;
alter table kernel_due force row level security;
"""


class Migration(migrations.Migration):
    dependencies = [("awsaccess", "0008_visits"), ("kernel", "0005_checkpoints")]

    operations = [migrations.RunSQL(BEGIN, migrations.RunSQL.noop)]
