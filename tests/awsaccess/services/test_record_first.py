"""Nothing leaves before its event is committed: with the record's table shut, and with the process shot in between."""

from __future__ import annotations

import os
import signal

import pytest
from django.db import connection

from awsaccess.lifecycle import AccessEvent, VisitStatus
from awsaccess.services.visits import OutcomeUnwritten, visit_orphan
from portal.kernel import audit, clock, tenancy
from tests.awsaccess.services.cast import Case, enter, make_practice, verified
from tests.awsaccess.services.worlds import InMemory
from tests.conftest import SqlAs

SHUT = "revoke insert on kernel_auditevent from portal_web"
OPEN = "grant insert on kernel_auditevent to portal_web"


@pytest.fixture
def case(real_db: None, memory: InMemory) -> Case:
    return verified(make_practice("northgate"), memory)


def test_with_the_record_shut_sts_is_not_called(case: Case, memory: InMemory, sql_as: SqlAs) -> None:
    asked = dict(memory.door.counts)
    sql_as("superuser").execute(SHUT)
    with pytest.raises(audit.Unrecorded, match="aws:visit:intended"):
        enter(case)
    assert dict(memory.door.counts) == asked
    assert case.visits() == []


def test_a_record_that_shuts_while_aws_is_asked_gives_nothing_out(
    case: Case, memory: InMemory, sql_as: SqlAs
) -> None:
    superuser = sql_as("superuser")
    memory.door.before("signin_token", lambda: superuser.execute(SHUT))
    with pytest.raises(OutcomeUnwritten):
        enter(case)
    assert case.visit().status == VisitStatus.INTENDED
    superuser.execute(OPEN)
    orphaned(case)


@pytest.mark.parametrize("step", ["assume", "caller_identity", "signin_token"])
def test_a_process_shot_on_the_way_leaves_an_intent_that_both_sides_see(
    case: Case, memory: InMemory, step: str
) -> None:
    connection.close()  # a child must not talk over its parent's connection
    child = os.fork()
    if child == 0:
        memory.door.before(step, lambda: os.kill(os.getpid(), signal.SIGKILL))
        enter(case)
        os._exit(0)
    _pid, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    visit = case.visit()
    assert (visit.status, visit.access_key_id, visit.ends_at) == (VisitStatus.INTENDED, "", None)
    assert case.kinds()[-1] == AccessEvent.VISIT_INTENDED
    orphaned(case)


def orphaned(case: Case) -> None:
    """The sweep finds it, and the client sees until when a session may exist."""
    with tenancy.use(case.firm.practice_side):
        visit_orphan(visit_id=case.visit().pk)
    with tenancy.use(case.firm.client_side):
        visit = case.visit()
    assert visit.status == VisitStatus.ORPHANED
    assert visit.latest_end > clock.now()
    assert case.kinds()[-1] == AccessEvent.VISIT_ORPHANED
