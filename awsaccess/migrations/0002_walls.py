"""Who sees and who writes the AWS side; what is frozen once written."""

from __future__ import annotations

from django.db import migrations

from portal.kernel import rls

TENANT = ("practice_id", "client_id")
CLIENT_TABLES = ("grant", "verification", "visit", "exitproof")


def to_grant(table: str, *more: str) -> migrations.RunSQL:
    """A row belongs to the tenant (and engagement) of its grant."""
    columns = (*TENANT, *more, "grant_id")
    return rls.composite_key(
        f"awsaccess_{table}", columns, to="awsaccess_grant", to_columns=(*TENANT, *more, "id")
    )


class Migration(migrations.Migration):
    dependencies = [("awsaccess", "0001_access"), ("engagements", "0003_moves")]
    operations = [
        rls.tenant_table("awsaccess_hub", using=rls.PRACTICE_ROWS),
        *(rls.tenant_table(f"awsaccess_{table}", using=rls.CLIENT_ROWS) for table in CLIENT_TABLES),
        # What AWS said is written by the practice's side of the portal alone; a client confirms a deletion.
        *(
            rls.writing_only(f"awsaccess_{table}", when=rls.ON_PRACTICE_SIDE)
            for table in ("grant", "verification", "visit")
        ),
        rls.wall_target("awsaccess_grant", *TENANT, "id"),
        rls.wall_target("awsaccess_grant", *TENANT, "engagement_id", "id"),
        rls.composite_key(
            "awsaccess_grant",
            (*TENANT, "engagement_id", "offer_id"),
            to="engagements_offer",
            to_columns=(*TENANT, "engagement_id", "id"),
        ),
        to_grant("verification"),
        to_grant("visit", "engagement_id"),
        to_grant("exitproof", "engagement_id"),
        rls.composite_key(
            "awsaccess_visit",
            ("practice_id", "consultant_id"),
            to="accounts_membership",
            to_columns=("practice_id", "user_id"),
        ),
        rls.append_only("awsaccess_verification"),
        rls.frozen_columns("awsaccess_hub", "practice_id"),
        rls.frozen_columns(
            "awsaccess_grant",
            *(*TENANT, "engagement_id", "offer_id"),
            *("partition", "role_name", "external_id"),
        ),
        rls.frozen_columns(
            "awsaccess_visit",
            *(*TENANT, "engagement_id", "grant_id", "consultant_id", "consultant_name"),
            *("reason", "kind", "session_name", "intended_at", "worst_case_until"),
        ),
        rls.frozen_columns("awsaccess_exitproof", *TENANT, "engagement_id", "grant_id", "begun_at"),
    ]
