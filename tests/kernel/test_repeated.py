"""What a repeated read finds is what its queryset finds, then and now, for whoever asks."""

from __future__ import annotations

import uuid
from uuid import UUID

import pytest
from django.core.exceptions import ObjectDoesNotExist
from django.db import connection, transaction
from django.db.models import QuerySet
from django.db.transaction import TransactionManagementError
from django.test.utils import CaptureQueriesContext

from engagements.models import Assignment
from portal.kernel import tenancy
from portal.kernel.database.repeated import Repeated, any_id, any_text
from tests.pages import stage


def build(key: UUID) -> QuerySet[Assignment]:
    return Assignment.objects.select_related("consultant").filter(engagement=key).order_by("starts_at")


def test_it_finds_what_the_queryset_finds_with_what_was_joined_and_follows_the_key(db: None) -> None:
    scene, read = stage.invited(), Repeated(build, mark=any_id())
    own, names = scene.engagement.pk, [scene.maya.name, "Tomasz Lis"]
    for key, told in ((own, names), (uuid.uuid4(), []), (own, names)):
        with tenancy.use(scene.scope):
            with CaptureQueriesContext(connection) as asked:
                found = read.rows(key)
                assert [one.consultant.name for one in found] == told
            assert len(asked) == 1
            usual = list(build(key))
        assert [vars(one).keys() for one in found] == [vars(one).keys() for one in usual]
        assert found == usual


def test_it_keeps_no_row(db: None) -> None:
    scene = stage.invited()
    read = Repeated(build, mark=any_id())
    with tenancy.use(scene.scope):
        before = read.first(scene.engagement.pk)
        assert before is not None
        Assignment.objects.filter(pk=before.pk).update(role="observer")
        after = read.first(scene.engagement.pk)
    assert (before.role, after and after.role) == ("lead", "observer")


def test_the_wall_stands_before_it_as_before_any_read(db: None) -> None:
    scene = stage.invited()
    read = Repeated(build, mark=any_id())
    with tenancy.use(scene.scope):
        assert read.rows(scene.engagement.pk)
    assert read.rows(scene.engagement.pk) == []
    with tenancy.use(tenancy.practice_scope(uuid.uuid4())):
        assert read.first(scene.engagement.pk) is None


def test_one_row_is_there_or_is_missed(db: None) -> None:
    scene = stage.invited()
    read = Repeated(lambda key: Assignment.objects.filter(pk=key), mark=any_id())
    with tenancy.use(scene.scope):
        (row, *_) = build(scene.engagement.pk)
        assert read.get(row.pk) == row
        with pytest.raises(ObjectDoesNotExist):
            read.get(uuid.uuid4())


def test_it_holds_what_it_reads_for_writing_and_only_where_that_lasts(real_db: None) -> None:
    scene = stage.invited()
    read = Repeated(
        lambda key: Assignment.objects.select_for_update(nowait=True).filter(engagement=key), mark=any_id()
    )
    own = scene.engagement.pk
    with tenancy.use(scene.scope):
        with transaction.atomic(), CaptureQueriesContext(connection) as asked:
            assert read.rows(own) == list(build(own))
        assert asked[0]["sql"].endswith("FOR UPDATE NOWAIT")
        with pytest.raises(TransactionManagementError):
            read.rows(own)


def test_a_read_that_leaves_its_key_out_is_no_read(db: None) -> None:
    with pytest.raises(ValueError, match="stands nowhere"):
        Repeated(lambda _key: Assignment.objects.all(), mark=any_text()).rows("any")
