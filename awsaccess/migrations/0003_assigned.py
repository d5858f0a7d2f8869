"""A consultant sees the AWS side of the engagements they are assigned to (SECURITY T2, ADR 8)."""

from __future__ import annotations

from django.db import migrations

from portal.kernel import rls

SEEN = "(select sees_all_engagements()) or engagement_id in (select engagements_worked_on())"
OF_A_GRANT_SEEN = "grant_id in (select id from awsaccess_grant)"  # which the grants' own policy has narrowed


class Migration(migrations.Migration):
    dependencies = [("awsaccess", "0002_walls"), ("engagements", "0004_assigned")]
    operations = [
        *(rls.reading_only(f"awsaccess_{table}", when=SEEN) for table in ("grant", "visit", "exitproof")),
        rls.reading_only("awsaccess_verification", when=OF_A_GRANT_SEEN),
    ]
