"""Functions and grants of the wall, before any table exists."""

from django.db import migrations

from portal.kernel import rls


class Migration(migrations.Migration):
    initial = True
    operations = [rls.ground()]
