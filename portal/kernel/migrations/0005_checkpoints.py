from __future__ import annotations

from django.db import migrations, models

from portal.kernel import rls

# Chains that began before there were checkpoints get their first look at once. The owner sees no tenant's rows, so
# the wall is lowered for it alone, within this transaction.
BEGIN = """
alter table kernel_audithead no force row level security;
alter table kernel_due no force row level security;
insert into kernel_due (practice_id, kind, object_id, next_at, attempts)
  select practice_id, 'audit.checkpoint', practice_id, now(), 0 from kernel_audithead
  on conflict (kind, object_id) do nothing;
alter table kernel_audithead force row level security;
alter table kernel_due force row level security;
"""
# What is sealed under an older key is sealed anew; what it is and whose stays frozen.
THAW = """
drop trigger frozen on kernel_sealedletter;
create trigger frozen before update on kernel_sealedletter
  for each row execute function refuse_frozen('practice_id', 'created_at');
alter table kernel_sealedletter enable always trigger frozen;
"""


class Migration(migrations.Migration):
    dependencies = [("kernel", "0004_sealed_letters")]

    operations = [
        migrations.CreateModel(
            name="AuditCheckpoint",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("practice_id", models.UUIDField()),
                ("size", models.BigIntegerField()),
                ("hash", models.BinaryField(max_length=32)),
                ("signed_at", models.DateTimeField()),
                ("origin", models.CharField(max_length=300)),
                ("key_name", models.CharField(max_length=200)),
                ("key_id", models.CharField(max_length=8)),
                ("public_key", models.BinaryField(max_length=32)),
                ("signature", models.BinaryField(max_length=64)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("practice_id", "size"), name="checkpoint_one_per_size")
                ],
            },
        ),
        rls.tenant_table("kernel_auditcheckpoint", using=rls.SHARED_ROWS),
        rls.writing_only("kernel_auditcheckpoint", when=rls.ON_PRACTICE_SIDE),
        rls.append_only("kernel_auditcheckpoint"),
        migrations.RunSQL(BEGIN, migrations.RunSQL.noop),
        migrations.RunSQL(THAW, migrations.RunSQL.noop),
    ]
