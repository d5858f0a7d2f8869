from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_walls")]

    operations = [
        migrations.AddField(
            model_name="invitation",
            name="letter_kind",
            field=models.CharField(default="accounts.invitation", max_length=80),
        ),
    ]
