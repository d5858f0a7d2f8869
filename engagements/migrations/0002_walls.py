"""Who sees and who writes the paper side; what is frozen once written."""

from __future__ import annotations

from django.db import migrations

from portal.kernel import rls

TABLES = ("engagement", "assignment", "offer", "consent")
TENANT = ("practice_id", "client_id")


def to_engagement(table: str) -> migrations.RunSQL:
    """A row belongs to the practice and client of its engagement."""
    columns = (*TENANT, "engagement_id")
    return rls.composite_key(
        f"engagements_{table}", columns, to="engagements_engagement", to_columns=(*TENANT, "id")
    )


class Migration(migrations.Migration):
    dependencies = [("engagements", "0001_paper"), ("accounts", "0002_walls")]
    operations = [
        *(rls.tenant_table(f"engagements_{table}", using=rls.CLIENT_ROWS) for table in TABLES),
        rls.writing_only("engagements_assignment", when=rls.ON_PRACTICE_SIDE),
        rls.wall_target("engagements_engagement", *TENANT, "id"),
        rls.wall_target("engagements_offer", *TENANT, "engagement_id", "id"),
        rls.composite_key(
            "engagements_engagement", TENANT, to="accounts_client", to_columns=("practice_id", "id")
        ),
        *(to_engagement(table) for table in TABLES[1:]),
        rls.composite_key(
            "engagements_assignment",
            ("practice_id", "consultant_id"),
            to="accounts_membership",
            to_columns=("practice_id", "user_id"),
        ),
        rls.composite_key(
            "engagements_consent",
            (*TENANT, "engagement_id", "offer_id"),
            to="engagements_offer",
            to_columns=(*TENANT, "engagement_id", "id"),
        ),
        rls.composite_key(
            "engagements_consent",
            (*TENANT, "contact_id"),
            to="accounts_contact",
            to_columns=(*TENANT, "id"),
        ),
        rls.frozen_columns("engagements_engagement", *TENANT, "code"),
        rls.frozen_columns(
            "engagements_offer",
            *(*TENANT, "engagement_id", "number", "lines", "documents"),
            *("template", "template_sha256", "offer_sha256", "frozen_at"),
        ),
        rls.frozen_columns(
            "engagements_consent",
            *(*TENANT, "engagement_id", "offer_id", "contact_id", "account_id"),
            *("shown_html", "shown_sha256", "offer_sha256", "evidence", "given_at"),
        ),
    ]
