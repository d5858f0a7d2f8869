"""People and organisations behind the wall, as the web role."""

from __future__ import annotations

import datetime as dt
import hashlib

import psycopg
import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from accounts.lifecycle import ContactRole, MemberRole
from accounts.models import Client, Contact, Invitation, Membership, Practice, User, new_code
from portal.kernel import clock, tenancy
from tests.conftest import SqlAs
from tests.factories import Firm, make_firm

# Tables that are read before a tenant is known, or that hold no tenant's data. A new one is a decision.
GLOBAL_TABLES = {
    "account_emailaddress",  # allauth's own; read before anybody is signed in, and kept empty
    "account_emailconfirmation",  # as above
    "accounts_browsersession",
    "accounts_user",
    "accounts_user_groups",
    "accounts_user_user_permissions",
    "auth_group",
    "auth_group_permissions",
    "auth_permission",
    "django_content_type",
    "django_migrations",
    "kernel_signingcertificate",  # public halves of keys, by which anybody's paper is known
}
TOKEN_SHA256 = hashlib.sha256(b"a link").hexdigest()


@pytest.fixture
def north(db: None) -> Firm:
    return make_firm("north")


@pytest.fixture
def harbour(db: None) -> Firm:
    return make_firm("harbour")


def invite(firm: Firm) -> Invitation:
    with tenancy.use(tenancy.practice_scope(firm.practice.pk)):
        return Invitation.objects.create(
            practice=firm.practice,
            client=firm.client,
            contact=firm.contact,
            invited_by=firm.owner,
            token_sha256=TOKEN_SHA256,
            landing_path="/e/sample/",
            expires_at=clock.now() + dt.timedelta(days=7),
        )


def test_addresses_are_one_whatever_their_case(north: Firm) -> None:
    assert north.owner.email == "owner@north.example"
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.create(email="OWNER@north.example", name="Twin")


def test_a_person_has_a_first_name_and_no_password(north: Firm) -> None:
    assert (north.owner.first_name, str(north.owner)) == ("Maya", "Maya Okafor")
    assert not north.owner.has_usable_password()


def test_a_practice_sees_its_own_people_only(north: Firm, harbour: Firm) -> None:
    with tenancy.use(tenancy.practice_scope(north.practice.pk)):
        assert list(Practice.objects.all()) == [north.practice]
        assert list(Client.objects.all()) == [north.client]
        assert [row.user_id for row in Membership.objects.all()] == [north.owner.pk]
        assert list(Contact.objects.all()) == [north.contact]


def test_a_client_sees_its_practice_and_consultants_but_no_other_client(north: Firm) -> None:
    with tenancy.use(tenancy.practice_scope(north.practice.pk)):
        other = Client.objects.create(practice=north.practice, name="Other")
    with tenancy.use(tenancy.client_scope(north.practice.pk, north.client.pk)):
        assert list(Practice.objects.all()) == [north.practice]
        assert Membership.objects.count() == 1
        assert not Client.objects.filter(pk=other.pk).exists()


def test_a_person_finds_their_own_places_before_any_is_chosen(north: Firm, harbour: Firm) -> None:
    with tenancy.use(tenancy.user_scope(north.approver.pk)):
        assert list(Contact.objects.all()) == [north.contact]
        assert Membership.objects.count() == 0
        assert Client.objects.count() == 0


def test_a_client_cannot_make_itself_a_consultant(north: Firm) -> None:
    with (
        tenancy.use(tenancy.client_scope(north.practice.pk, north.client.pk, user_id=north.approver.pk)),
        pytest.raises(DatabaseError, match="row-level security"),
        transaction.atomic(),
    ):
        Membership.objects.create(practice=north.practice, user=north.approver, role=MemberRole.OWNER)


def test_a_person_cannot_raise_their_own_role(north: Firm) -> None:
    with tenancy.use(tenancy.user_scope(north.approver.pk)):
        assert Contact.objects.update(title="Boss") == 0
        assert Contact.objects.all().delete()[0] == 0


def test_a_link_opens_its_own_invitation_and_nothing_else(north: Firm) -> None:
    invitation = invite(north)
    with tenancy.use(tenancy.bearer_scope(TOKEN_SHA256)):
        assert list(Invitation.objects.all()) == [invitation]
        assert Contact.objects.count() == Client.objects.count() == Practice.objects.count() == 0
    with tenancy.use(tenancy.bearer_scope("0" * 64)):
        assert Invitation.objects.count() == 0
    assert Invitation.objects.count() == 0


def test_an_invitation_keeps_its_token_and_its_contact(north: Firm) -> None:
    invite(north)
    with (
        tenancy.use(tenancy.practice_scope(north.practice.pk)),
        pytest.raises(DatabaseError, match="frozen"),
        transaction.atomic(),
    ):
        Invitation.objects.update(token_sha256="1" * 64)


def test_a_contact_cannot_belong_to_another_practices_client(north: Firm, harbour: Firm) -> None:
    with (
        tenancy.use(tenancy.practice_scope(north.practice.pk)),
        pytest.raises(IntegrityError, match="wall"),
        transaction.atomic(),
    ):
        Contact.objects.create(
            practice=north.practice, client_id=harbour.client.pk, user=north.owner, role=ContactRole.VIEWER
        )


def test_every_table_is_walled_or_known_to_be_global(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "select relname from pg_class c join pg_namespace n on n.oid = relnamespace "
            "where nspname = 'public' and relkind in ('r', 'p') and not (relrowsecurity and relforcerowsecurity)"
        )
        assert {name for (name,) in cursor.fetchall()} == GLOBAL_TABLES


def test_the_admins_own_log_is_open_to_nobody(real_db: None, sql_as: SqlAs) -> None:
    for role in ("portal_web", "portal_worker", "portal_audit_ro"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            sql_as(role).execute("select 1 from django_admin_log")


def test_codes_and_names(north: Firm) -> None:
    assert len({new_code() for _ in range(200)}) == 200
    invitation = Invitation(contact=north.contact)
    membership = Membership(role=MemberRole.OWNER, practice=north.practice)
    assert str(north.practice) == "North"
    assert str(north.client) == "Client of north"
    assert str(north.contact) == f"approver at {north.client.pk}"
    assert str(membership) == f"owner of {north.practice.pk}"
    assert str(invitation) == f"invitation of {north.contact.pk}"
