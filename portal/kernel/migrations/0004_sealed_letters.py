from django.db import migrations, models

from portal.kernel import rls


class Migration(migrations.Migration):
    dependencies = [("kernel", "0003_due")]

    operations = [
        migrations.CreateModel(
            name="SealedLetter",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("practice_id", models.UUIDField()),
                ("sealed", models.BinaryField()),
                ("created_at", models.DateTimeField()),
            ],
        ),
        rls.tenant_table("kernel_sealedletter", using=rls.PRACTICE_ROWS),
        rls.frozen_columns("kernel_sealedletter", "practice_id", "sealed", "created_at"),
    ]
