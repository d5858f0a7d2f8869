"""Who sees and who writes people and organisations."""

from __future__ import annotations

from django.db import migrations

from portal.kernel import rls

OWN_CLIENT_ROW = f"{rls.PRACTICE} and ({rls.ON_PRACTICE_SIDE} or id = (select app_uuid('app.client')))"
PRACTICE_WRITES = rls.ON_PRACTICE_SIDE
OWN_CONTACT = f"({rls.CLIENT_ROWS}) or {rls.OWN_USER}"


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_people"), ("kernel", "0002_audit_and_outbox")]
    operations = [
        rls.tenant_table("accounts_practice", using="id = (select app_uuid('app.practice'))"),
        rls.writing_only("accounts_practice", when=PRACTICE_WRITES),
        rls.tenant_table("accounts_membership", using=f"({rls.SHARED_ROWS}) or {rls.OWN_USER}"),
        rls.writing_only("accounts_membership", when=PRACTICE_WRITES),
        rls.tenant_table("accounts_client", using=OWN_CLIENT_ROW),
        rls.writing_only("accounts_client", when=PRACTICE_WRITES),
        rls.tenant_table("accounts_contact", using=OWN_CONTACT),
        rls.writing_only("accounts_contact", when=PRACTICE_WRITES),
        rls.tenant_table("accounts_invitation", using=f"({rls.CLIENT_ROWS}) or {rls.OWN_LINK}"),
        rls.wall_target("accounts_client", "practice_id", "id"),
        rls.wall_target("accounts_contact", "practice_id", "client_id", "id"),
        rls.composite_key(
            "accounts_contact",
            ("practice_id", "client_id"),
            to="accounts_client",
            to_columns=("practice_id", "id"),
        ),
        rls.composite_key(
            "accounts_invitation",
            ("practice_id", "client_id", "contact_id"),
            to="accounts_contact",
            to_columns=("practice_id", "client_id", "id"),
        ),
        rls.frozen_columns("accounts_membership", "practice_id", "user_id"),
        rls.frozen_columns("accounts_client", "practice_id", "code"),
        rls.frozen_columns("accounts_contact", "practice_id", "client_id", "user_id"),
        rls.frozen_columns(
            "accounts_invitation", "practice_id", "client_id", "contact_id", "token_sha256", "landing_path"
        ),
    ]
