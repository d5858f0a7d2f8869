"""The second wall (SECURITY T2): PostgreSQL itself hides an engagement from a consultant whom nobody put on it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from contextlib import AbstractContextManager
from uuid import UUID

import pytest
from django.apps import apps
from django.db import connection, transaction
from django.db.models import ForeignKey, Model

from accounts.lifecycle import MemberRole
from accounts.models import Membership, User
from awsaccess.models import Callback, Grant, Rotation, Verification, Visit, VisitReport
from engagements.lifecycle import AssignmentRole, ChangeStatus, WishStatus
from engagements.models import (
    AccountWish,
    AgreementCode,
    Assignment,
    Consent,
    Doorbell,
    Engagement,
    Handover,
    Order,
    Referral,
    Remark,
    ScopeChange,
    Variant,
)
from engagements.services.documents import receipt_make
from engagements.services.drafts import engagement_draft
from portal.kernel import clock, tenancy
from tests.console.cast import member
from tests.factories import acting
from tests.pages import stage
from tests.pages.stage import Stage

# It says who works on what, with ids alone, and is what the wall itself reads.
READ_BY_THE_WALL = {Assignment}
# It comes before any engagement, and only owners read it; what becomes of it is a draft behind the wall.
BEFORE_IT = {Order}
Rows = dict[str, int]


def about_engagements() -> set[type[Model]]:
    """Every table that belongs to an engagement, or to a role of one, whatever comes next."""
    return {
        model
        for model in apps.get_models()
        for field in model._meta.get_fields()
        if isinstance(field, ForeignKey) and field.related_model in {Engagement, Grant}
    } | {Engagement}


WALLED = sorted(about_engagements() - READ_BY_THE_WALL - BEFORE_IT, key=lambda model: model.__name__)


@pytest.fixture
def scene(real_db: None, as_worker: Callable[[], AbstractContextManager[None]]) -> Stage:
    """A row in each of the tables."""
    found = stage.closing()
    with as_worker(), tenancy.use(found.scope):  # no other role makes papers
        receipt_make(consent_id=Consent.objects.get().pk)
    with tenancy.use(found.scope):
        grant = Grant.objects.get()
        Verification.objects.create(
            practice=found.practice,
            client=found.client,
            grant=grant,
            at=clock.now(),
            verdict="ok",
            findings={},
        )
        of = {"practice": found.practice, "client": found.client, "engagement": found.engagement}
        now = clock.now()
        Callback.objects.create(
            practice=found.practice,
            client=found.client,
            grant=grant,
            kind="Create",
            stack_id="a-stack",
            request_id="a-request",
            logical_id="Callback",
            physical_id="a-call-back",
            told_at=now,
            answer_by=now,
        )
        Rotation.objects.create(
            practice=found.practice,
            client=found.client,
            grant=grant,
            old_external_id="old",
            new_external_id="new",
            begun_at=now,
        )
        Doorbell.objects.create(
            **of,
            consultant=found.maya,
            consultant_name="Maya Okafor",
            reason="look again",
            kind="console",
            rung_at=now,
            expires_at=now,
        )
        VisitReport.objects.create(**of, visit=Visit.objects.all()[0])
        Handover.objects.create(
            **of, contact=found.contact, name="Lee", email="lee@brightwater.example", asked_at=now
        )
        AgreementCode.objects.create(
            **of, offer=grant.offer, contact=found.contact, mark="m", made_at=now, expires_at=now
        )
        Variant.objects.create(**of, offer=grant.offer, choice=["one"], template="{}", template_sha256="")
        ScopeChange.objects.create(
            **of, offer=grant.offer, before=grant.offer, status=ChangeStatus.TAKEN_BACK, asked_at=now
        )
        Remark.objects.create(**of, author=found.sam, is_from_client=True, text="Why?", said_at=now)
        Referral.objects.create(
            **of, contact=found.contact, name="Lee", email="lee@brightwater.example", made_at=now
        )
    with tenancy.use(found.client_scope):  # nobody else may wish
        AccountWish.objects.create(
            **of,
            contact=found.contact,
            account_id="222222222222",
            instead_of="441709265583",
            status=WishStatus.REFUSED,
            asked_at=now,
        )
    return found


def as_person(scene: Stage, user: User) -> tenancy.Scope:
    return tenancy.practice_scope(scene.practice.pk, user_id=user.pk)


def seen(scope: tenancy.Scope) -> Rows:
    """How many rows plain SQL finds, so that no manager can have helped."""
    with tenancy.use(scope), connection.cursor() as cursor:
        found = {}
        for model in WALLED:
            cursor.execute(f"select count(*) from {model._meta.db_table}")  # noqa: S608  # our own names
            found[model.__name__] = cursor.fetchone()[0]
    return found


def put_on(scene: Stage, user: User, **times: dt.datetime) -> None:
    with tenancy.use(scene.scope):
        Assignment.objects.create(
            practice=scene.practice,
            client=scene.client,
            engagement=scene.engagement,
            consultant=user,
            role=AssignmentRole.OBSERVER,
            **{"starts_at": clock.now() - dt.timedelta(minutes=1), **times},
        )


def test_there_is_something_to_hide(scene: Stage) -> None:
    assert {model.__name__ for model in WALLED} >= {"Engagement", "Offer", "Consent", "Grant", "Visit"}
    assert all(seen(scene.scope).values())


@pytest.mark.parametrize("role", [MemberRole.OWNER, MemberRole.AUDITOR])
def test_owners_and_auditors_see_all(scene: Stage, role: MemberRole) -> None:
    assert seen(as_person(scene, member(scene, "Ada Novak", role))) == seen(scene.scope)


def test_a_consultant_sees_nothing_until_put_on_it_and_then_all(scene: Stage) -> None:
    ines = member(scene, "Ines Duarte", MemberRole.CONSULTANT)
    assert not any(seen(as_person(scene, ines)).values())
    put_on(scene, ines)
    assert seen(as_person(scene, ines)) == seen(scene.scope)


@pytest.mark.parametrize("time", ["before", "after"])
def test_only_while_it_lasts(scene: Stage, time: str) -> None:
    ines, now = member(scene, "Ines Duarte", MemberRole.CONSULTANT), clock.now()
    day = dt.timedelta(days=1)
    if time == "before":
        put_on(scene, ines, starts_at=now + day)
    else:
        put_on(scene, ines, starts_at=now - 2 * day, ends_at=now - day)
    assert not any(seen(as_person(scene, ines)).values())


def test_who_left_sees_nothing_even_while_a_part_was_forgotten(scene: Stage) -> None:
    ines = member(scene, "Ines Duarte", MemberRole.CONSULTANT)
    put_on(scene, ines)
    with tenancy.use(scene.scope):
        Membership.objects.filter(user=ines).update(ended_at=clock.now())
    assert not any(seen(as_person(scene, ines)).values())
    with tenancy.use(scene.scope):
        Membership.objects.filter(user=scene.maya).update(ended_at=clock.now())
    assert not any(seen(as_person(scene, scene.maya)).values())


def test_a_stranger_to_the_practice_sees_nothing_in_it(scene: Stage) -> None:
    assert not any(seen(as_person(scene, scene.sam)).values())
    assert not any(seen(tenancy.practice_scope(scene.practice.pk, user_id=UUID(int=7))).values())


def test_the_clients_people_see_what_they_saw(scene: Stage) -> None:
    assert seen(scene.client_scope) == seen(scene.scope)


def test_what_is_hidden_is_neither_changed_nor_deleted(scene: Stage) -> None:
    ines = member(scene, "Ines Duarte", MemberRole.CONSULTANT)
    with tenancy.use(as_person(scene, ines)):
        assert Engagement.objects.update(title="Mine") == 0
        assert Grant.objects.update(problem="x") == 0
        assert Engagement.objects.all()._raw_delete(connection.alias) == 0  # past the collector
    assert scene.fresh().title == "Cost review"


def test_a_consultant_drafts_and_then_sees_it(scene: Stage) -> None:
    ines = member(scene, "Ines Duarte", MemberRole.CONSULTANT)
    with tenancy.use(as_person(scene, ines)):
        made = engagement_draft(
            client=scene.client,
            lead=ines,
            title="Security check",
            purpose="to see which doors are open",
            profile="cost_review",
            ends_at=clock.now() + dt.timedelta(days=3),
            actor=acting(ines),
        )
        assert list(Engagement.objects.all()) == [made]


def test_each_table_of_an_engagement_has_the_wall(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("select tablename, cmd from pg_policies where policyname like '%%_seen'")
        found = set(cursor.fetchall())
    wanted = {model._meta.db_table for model in WALLED}
    assert found == {(table, command) for table in wanted for command in ("SELECT", "UPDATE", "DELETE")}


def test_the_wall_costs_no_look_for_each_row(scene: Stage) -> None:
    ines = member(scene, "Ines Duarte", MemberRole.CONSULTANT)
    with (
        tenancy.use(as_person(scene, ines)),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("explain select id from engagements_engagement")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "InitPlan" in plan
    assert "hashed SubPlan" in plan
