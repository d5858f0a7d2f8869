from __future__ import annotations

from django.db import migrations, models

from portal.kernel import rls


class Migration(migrations.Migration):
    dependencies = [("kernel", "0007_bodies_behind_the_wall")]

    operations = [
        migrations.CreateModel(
            name="SigningCertificate",
            fields=[
                ("sha256", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("der", models.BinaryField()),
                ("known_at", models.DateTimeField()),
            ],
        ),
        # Public and of no tenant, so everybody reads it. Whoever breaks into the web process can add none.
        rls.append_only("kernel_signingcertificate"),
        migrations.RunSQL(
            f"revoke insert on kernel_signingcertificate from {rls.WEB}",
            f"grant insert on kernel_signingcertificate to {rls.WEB}",
        ),
    ]
