"""The AWS side behind the wall, as the web role: who sees which row, and what the database itself refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from uuid import uuid4

import psycopg
import pytest
from django.db import DatabaseError, IntegrityError, models, transaction

from accounts.models import User
from awsaccess.models import ExitProof, Grant, Hub, Verification, Visit
from portal.kernel import clock, tenancy
from tests.awsaccess.services.cast import (
    Case,
    begin_closing,
    closing,
    drafted,
    end_by_client,
    enter,
    make_practice,
    verified,
    watched,
)
from tests.awsaccess.services.worlds import InMemory
from tests.conftest import SqlAs
from tests.factories import Firm, freeze_offer, make_client

OF_A_CLIENT: Final[tuple[type[models.Model], ...]] = (Grant, Verification, Visit, ExitProof)
ALL: Final[tuple[type[models.Model], ...]] = (Hub, *OF_A_CLIENT)
FROZEN: Final = {
    "practice_id": uuid4,
    "client_id": uuid4,
    "engagement_id": uuid4,
    "grant_id": uuid4,
    "offer_id": uuid4,
    "consultant_id": uuid4,
}


def seen(scope: tenancy.Scope, model: type[models.Model]) -> int:
    with tenancy.use(scope):
        return model._default_manager.count()


@pytest.fixture
def case(north: Firm, memory: InMemory) -> Case:
    """One row of everything: a grant with its checks, a visit, an exit proof."""
    case = closed_with_a_visit(north, memory)
    assert all(seen(north.practice_side, model) == 1 for model in ALL)
    return case


def closed_with_a_visit(firm: Firm, memory: InMemory) -> Case:
    case = verified(firm, memory)
    enter(case)
    end_by_client(case)
    begin_closing(case)
    return case


# Who sees.


@pytest.mark.parametrize("model", OF_A_CLIENT)
def test_both_sides_see_their_own_rows_and_nobody_else_any(
    north: Firm, harbour: Firm, case: Case, model: type[models.Model]
) -> None:
    neighbour = make_client(north, "Neighbour")
    assert seen(north.practice_side, model) == seen(north.client_side, model) == 1
    strangers = (
        harbour.practice_side,
        harbour.client_side,
        tenancy.client_scope(north.practice.pk, neighbour.pk),
        tenancy.client_scope(harbour.practice.pk, north.client.pk),
        tenancy.user_scope(north.approver.pk),
        tenancy.user_scope(north.owner.pk),
        tenancy.bearer_scope("0" * 64),
        tenancy.platform_scope(),
        tenancy.SYSTEM,
        tenancy.NOBODY,
    )
    assert [seen(scope, model) for scope in strangers] == [0] * len(strangers)


def test_a_hub_is_its_practices_alone(north: Firm, harbour: Firm) -> None:
    assert seen(north.practice_side, Hub) == 1
    assert seen(north.client_side, Hub) == seen(tenancy.NOBODY, Hub) == seen(tenancy.SYSTEM, Hub) == 0
    with tenancy.use(harbour.practice_side):
        assert [hub.account_id for hub in Hub.objects.all()] == ["999999999999"]


def test_a_worker_that_sweeps_sees_no_row_of_the_aws_side(
    real_db: None, memory: InMemory, sql_as: SqlAs
) -> None:
    closed_with_a_visit(make_practice("northgate"), memory)
    worker = sql_as("portal_worker")
    worker.execute("select set_config('app.side', 'system', false)")
    for model in ALL:
        query = f"select count(*) from {model._meta.db_table}"  # noqa: S608  # our own table's name
        assert worker.execute(query).fetchone() == (0,)


# Who writes.


@pytest.mark.parametrize("model", [Grant, Visit])
def test_a_client_changes_and_deletes_nothing_that_aws_said(
    north: Firm, case: Case, model: type[models.Model]
) -> None:
    with tenancy.use(north.client_side):
        rows = model._default_manager.all()
        assert rows.update(status="verified" if model is Grant else "refused") == 0
        assert rows._raw_delete(rows.db) == 0
    assert seen(north.practice_side, model) == 1


def test_a_client_cannot_declare_itself_verified(north: Firm, memory: InMemory) -> None:
    case = watched(north)
    with tenancy.use(north.client_side):
        assert Grant.objects.update(status="verified", last_ok_at=clock.now()) == 0
    assert case.grant().status == "expected"


def test_a_client_cannot_plant_a_check_of_its_own(north: Firm, memory: InMemory) -> None:
    grant = watched(north).grant()
    with (
        tenancy.use(north.client_side),
        pytest.raises(DatabaseError, match="row-level security"),
        transaction.atomic(),
    ):
        Verification.objects.create(
            practice=north.practice,
            client=north.client,
            grant=grant,
            at=clock.now(),
            verdict="ok",
            findings={},
        )


@pytest.mark.parametrize("scope", ["client_side", "practice_side"])
def test_a_hub_of_another_practice_cannot_be_written(north: Firm, scope: str) -> None:
    other = make_practice("harbour", with_hub=False)
    with (
        tenancy.use(getattr(north, scope)),
        pytest.raises(DatabaseError, match="row-level security"),
        transaction.atomic(),
    ):
        Hub.objects.create(
            practice=other.practice, account_id="1" * 12, role_arn="x", region="x", template_bucket="x"
        )


# What keeps the value it was made with.


def frozen_of(model: type[models.Model]) -> list[tuple[str, object]]:
    now = clock.now() if model in {Visit, ExitProof} else None
    more: dict[type[models.Model], dict[str, object]] = {
        Hub: {},
        Grant: {"partition": "aws-cn", "role_name": "other", "external_id": str(uuid4())},
        Visit: {
            "consultant_name": "Somebody",
            "reason": "another",
            "kind": "cli",
            "session_name": "x-y",
            "intended_at": now,
            "worst_case_until": now,
        },
        ExitProof: {"begun_at": now},
    }
    columns = {field.attname for field in model._meta.concrete_fields}
    ids: list[tuple[str, object]] = [(name, make()) for name, make in FROZEN.items() if name in columns]
    return [*ids, *more[model].items()]


@pytest.mark.parametrize("model", [Hub, Grant, Visit, ExitProof])
def test_what_a_row_is_about_never_changes(north: Firm, case: Case, model: type[models.Model]) -> None:
    for column, value in frozen_of(model):
        with (
            tenancy.use(north.practice_side),
            pytest.raises(DatabaseError, match=f"{column} is frozen"),
            transaction.atomic(),
        ):
            model._default_manager.update(**{column: value})


@pytest.mark.parametrize("act", [lambda rows: rows.update(verdict="ok"), lambda rows: rows.delete()])
def test_a_check_is_never_edited(
    north: Firm, case: Case, act: Callable[[models.QuerySet[Verification]], Any]
) -> None:
    with (
        tenancy.use(north.practice_side),
        pytest.raises(DatabaseError, match=r"permission denied|append-only"),
        transaction.atomic(),
    ):
        act(Verification.objects.all())


def test_not_even_the_owner_of_the_database_edits_a_check(
    real_db: None, memory: InMemory, sql_as: SqlAs
) -> None:
    verified(make_practice("northgate"), memory)
    for statement in ("update awsaccess_verification set verdict = 'ok'", "truncate awsaccess_verification"):
        with pytest.raises(psycopg.Error, match="append-only"):
            sql_as("superuser").execute(statement)


# What cannot be.


def refused_update(firm: Firm, name: str, **changes: object) -> None:
    with tenancy.use(firm.practice_side), pytest.raises(IntegrityError, match=name), transaction.atomic():
        Grant.objects.update(**changes)


def test_no_status_and_no_account_of_another_kind(north: Firm, case: Case) -> None:
    refused_update(north, "grant_known_status", status="open")
    for account in ("44170926558", "44170926558x", "٤٤١٧٠٩٢٦٥٥٨٣"):
        refused_update(north, "grant_account_is_12_digits", account_id=account)
    with tenancy.use(north.practice_side), pytest.raises(IntegrityError), transaction.atomic():
        Visit.objects.update(status="open")
    with tenancy.use(north.practice_side), pytest.raises(IntegrityError), transaction.atomic():
        Hub.objects.update(account_id="1")


def make_grant(firm: Firm, like: Grant, **over: Any) -> Grant:  # Any: columns
    facts: dict[str, Any] = {
        "practice": firm.practice,
        "client": firm.client,
        "engagement_id": like.engagement_id,
        "offer_id": like.offer_id,
        "partition": like.partition,
        "account_id": like.account_id,
        "role_name": like.role_name,
        "external_id": str(uuid4()),
    }
    with tenancy.use(firm.practice_side), transaction.atomic():
        return Grant.objects.create(**{**facts, **over})


def test_an_external_id_is_never_used_twice_even_by_another_practice(
    north: Firm, harbour: Firm, memory: InMemory
) -> None:
    taken = watched(north).grant().external_id
    theirs = watched(harbour)
    offer = freeze_offer(harbour, theirs.engagement)
    with pytest.raises(IntegrityError, match="external_id"):
        make_grant(harbour, theirs.grant(), offer_id=offer.pk, external_id=taken)


def test_an_offer_has_one_grant(north: Firm, memory: InMemory) -> None:
    with pytest.raises(IntegrityError, match="offer_id"):
        make_grant(north, watched(north).grant())


def test_a_verified_role_belongs_to_one_grant_across_all_practices(
    north: Firm, harbour: Firm, memory: InMemory
) -> None:
    ours = verified(north, memory).grant()
    theirs = watched(harbour)
    offer = freeze_offer(harbour, theirs.engagement)
    twin = make_grant(harbour, theirs.grant(), offer_id=offer.pk, role_name=ours.role_name)
    with (
        tenancy.use(harbour.practice_side),
        pytest.raises(IntegrityError, match="grant_one_per_verified_role"),
        transaction.atomic(),
    ):
        Grant.objects.filter(pk=twin.pk).update(status="verified")


def test_a_grant_cannot_take_the_offer_of_another_engagement(north: Firm, memory: InMemory) -> None:
    first, second = watched(north), drafted(north)
    offer = freeze_offer(north, second.engagement)
    with pytest.raises(IntegrityError, match="wall"):
        make_grant(north, first.grant(), offer_id=offer.pk)


def test_a_grant_cannot_point_across_the_wall(north: Firm, harbour: Firm, memory: InMemory) -> None:
    ours, theirs = watched(north).grant(), watched(harbour)
    offer = freeze_offer(harbour, theirs.engagement)
    with pytest.raises(IntegrityError, match="wall"):
        make_grant(harbour, theirs.grant(), engagement_id=ours.engagement_id, offer_id=offer.pk)


def make_visit(case: Case, **over: Any) -> Visit:  # Any: columns
    grant, now = case.grant(), clock.now()
    facts: dict[str, Any] = {
        "practice": case.firm.practice,
        "client": case.firm.client,
        "engagement": case.engagement,
        "grant": grant,
        "consultant": case.firm.owner,
        "consultant_name": "Maya",
        "reason": "x",
        "kind": "console",
        "session_name": "maya-x",
        "intended_at": now,
        "worst_case_until": now,
    }
    with tenancy.use(case.firm.practice_side), transaction.atomic():
        return Visit.objects.create(**{**facts, **over})


def test_a_visit_belongs_to_its_grants_engagement_and_a_consultant_of_its_practice(
    north: Firm, harbour: Firm, memory: InMemory
) -> None:
    first, second = watched(north), watched(north)
    outsider = User.objects.create_user("outsider@northgate.example", name="Out", is_staff=True)
    for over in (
        {"engagement": second.engagement},
        {"grant": second.grant()},
        {"consultant": harbour.owner},
        {"consultant": north.approver},
        {"consultant": outsider},
    ):
        with pytest.raises(IntegrityError, match="wall"):
            make_visit(first, **over)
    assert str(make_visit(first)) == "Maya, intended"


def test_a_check_belongs_to_its_grants_client(north: Firm, memory: InMemory) -> None:
    case, neighbour = closing(north, memory), make_client(north, "Neighbour")
    with (
        tenancy.use(north.practice_side),
        pytest.raises(IntegrityError, match="wall"),
        transaction.atomic(),
    ):
        Verification.objects.create(
            practice=north.practice,
            client=neighbour,
            grant=case.grant(),
            at=clock.now(),
            verdict="ok",
            findings={},
        )
    assert str(case.verifications()[0]).startswith("ok at ")
