"""Moving an access to another hub role: the same rows and steps as the exchange of an external ID."""

from __future__ import annotations

from django.db import migrations, models

from portal.kernel import rls

FROZEN = (
    *("practice_id", "client_id", "grant_id", "old_external_id", "new_external_id"),
    *("begun_at", "begun_by_id"),
)
BEFORE = rls.frozen_columns("awsaccess_rotation", *FROZEN)
EMPTY = models.CharField(blank=True, db_default="", default="", max_length=2048)
ID = models.CharField(blank=True, db_default="", default="", max_length=64)
OF_ID = models.Q(old_hub_role_arn="", new_hub_role_arn="") & ~models.Q(old_external_id="")
OF_HUB = models.Q(old_external_id="", new_external_id="") & ~models.Q(old_hub_role_arn="")


class Migration(migrations.Migration):
    dependencies = [("awsaccess", "0009_hub_looks")]

    operations = [
        migrations.AddField("grant", "moved_hub_role_arn", EMPTY),
        migrations.AddField("rotation", "old_hub_role_arn", EMPTY),
        migrations.AddField("rotation", "new_hub_role_arn", EMPTY),
        migrations.AlterField("rotation", "old_external_id", ID),
        migrations.AlterField("rotation", "new_external_id", ID),
        migrations.AddConstraint(
            model_name="rotation",
            constraint=models.UniqueConstraint(
                condition=models.Q(("new_external_id", ""), _negated=True),
                fields=("new_external_id",),
                name="rotation_one_per_new_id",
            ),
        ),
        migrations.AddConstraint(
            model_name="rotation",
            constraint=models.CheckConstraint(
                condition=(OF_ID & ~models.Q(new_external_id="")) | (OF_HUB & ~models.Q(new_hub_role_arn="")),
                name="rotation_of_id_or_hub",
            ),
        ),
        migrations.RunSQL(BEFORE.reverse_sql or migrations.RunSQL.noop, BEFORE.sql),
        rls.frozen_columns("awsaccess_rotation", *FROZEN, "old_hub_role_arn", "new_hub_role_arn"),
    ]
