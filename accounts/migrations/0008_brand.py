import uuid

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

from portal.kernel import rls


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0007_sign_in_services"),
    ]

    operations = [
        migrations.CreateModel(
            name="BrandAsset",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("token_sha256", models.CharField(db_index=True, max_length=64)),
                ("kind", models.CharField(choices=[("css", "Sheet"), ("png", "Logo")], max_length=3)),
                ("body", models.BinaryField()),
                ("made_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
        ),
        migrations.AddField(
            model_name="practice",
            name="brand_colour",
            field=models.CharField(blank=True, default="", max_length=7),
        ),
        migrations.AddField(
            model_name="practice",
            name="brand_colour_dark",
            field=models.CharField(blank=True, default="", max_length=7),
        ),
        migrations.AddField(
            model_name="practice",
            name="brand_logo",
            field=models.CharField(blank=True, default="", max_length=64),
        ),
        migrations.AddField(
            model_name="practice",
            name="brand_sheet",
            field=models.CharField(blank=True, default="", max_length=64),
        ),
        migrations.AddField(
            model_name="practice",
            name="logo_height",
            field=models.PositiveSmallIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="practice",
            name="logo_width",
            field=models.PositiveSmallIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="practice",
            name="privacy_url",
            field=models.CharField(blank=True, default="", max_length=300),
        ),
        migrations.AddField(
            model_name="practice",
            name="sender_name",
            field=models.CharField(blank=True, default="", max_length=120),
        ),
        migrations.AddConstraint(
            model_name="practice",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("brand_colour__regex", "^(#[0-9a-f]{6})?$"),
                    ("brand_colour_dark__regex", "^(#[0-9a-f]{6})?$"),
                ),
                name="practice_colours_are_colours",
            ),
        ),
        migrations.AddField(
            model_name="brandasset",
            name="practice",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.practice"
            ),
        ),
        migrations.AddConstraint(
            model_name="brandasset",
            constraint=models.UniqueConstraint(
                fields=("practice", "token_sha256"), name="brand_asset_kept_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="brandasset",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["css", "png"])), name="brand_asset_known_kind"
            ),
        ),
        # Both sides of the practice see its look, and so does whoever knows a hash: mails and pages have it as an address.
        rls.tenant_table("accounts_brandasset", using=f"({rls.SHARED_ROWS}) or {rls.OWN_LINK}"),
        rls.writing_only("accounts_brandasset", when=rls.ON_PRACTICE_SIDE),
        rls.append_only("accounts_brandasset"),
    ]
