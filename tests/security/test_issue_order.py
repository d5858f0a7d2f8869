"""Nothing leaves before its record is committed (SECURITY §5): no record, no call; killed between, a visible orphan."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pytest
from django.db import OperationalError
from django.test import Client as Browser

from awsaccess import selectors
from awsaccess.lifecycle import VisitStatus
from awsaccess.services import visits
from awsaccess.services.visits import OutcomeUnwritten
from portal.kernel import audit, clock, due, tenancy
from tests.awsaccess.services.cast import Case, enter, make_practice, verified
from tests.awsaccess.services.worlds import InMemory, Simulated
from tests.conftest import SqlAs
from tests.console.cast import house, open_the_door
from tests.console.test_opening import asked as asked_form
from tests.factories import Firm
from tests.pages.stage import active
from tests.security.haul import Haul
from tests.signing_in import prove_at

ROOT: Final = Path(__file__).resolve().parents[2]
SESSION_TOKENS_BEGIN: Final = "FQoGZXIvYXdz"  # all of them, here as at AWS
LONG: Final = 60.0  # seconds; what is waited for comes within a few
# Any way in which the record cannot be written: no event, no details, no end of the chain, no rows at all.
UNWRITABLE: Final = (
    "revoke insert on kernel_auditevent from portal_web",
    "revoke insert on kernel_auditbody from portal_web",
    "revoke update on kernel_audithead from portal_web",
    "alter table kernel_auditevent rename to kernel_auditevent_gone",
    "alter table kernel_auditevent add check (kind <> 'aws:visit:intended') not valid",
)


@pytest.fixture
def firm(real_db: None) -> Firm:
    return make_practice("northgate")


def asked(memory: InMemory) -> int:
    return len([call for call in memory.fake.calls if call.method == "assume"])


@pytest.mark.parametrize("unwritable", UNWRITABLE)
def test_while_the_record_cannot_be_written_sts_is_asked_nothing(
    firm: Firm, memory: InMemory, sql_as: SqlAs, unwritable: str
) -> None:
    case = verified(firm, memory)
    before = asked(memory)
    sql_as("superuser").execute(unwritable)
    with pytest.raises(audit.Unrecorded):
        enter(case)
    assert asked(memory) == before
    assert sql_as("superuser").execute("select count(*) from awsaccess_visit").fetchone() == (0,)


@pytest.mark.parametrize("unwritable", UNWRITABLE)
def test_the_console_says_in_words_that_nothing_happened(
    real_db: None,
    sql_as: SqlAs,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    unwritable: str,
) -> None:
    home = house(active())
    aws = open_the_door(home.stage, monkeypatch)
    before, form = len(aws.calls), asked_form(home.assigned, home)
    prove_at(home.assigned, home.url("open/"))
    sql_as("superuser").execute(unwritable)
    answer = Browser.post(home.assigned, home.url("open/"), form)  # proved before the record was shut
    shown = answer.content.decode()
    assert answer.status_code == 503
    assert "it didn&#x27;t happen" in shown
    assert "Please try again in a minute" in shown
    reference = re.search(r"<code>([0-9a-f]{8})</code>", shown)
    assert reference is not None
    assert f"reference {reference[1]}: no record, no act" in caplog.text
    assert len(aws.calls) == before
    assert home.visits() == []


def test_a_commit_that_fails_asks_aws_nothing(
    firm: Firm, memory: InMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, before = verified(firm, memory), asked(memory)

    def away(**_asked: object) -> None:
        raise OperationalError("the connection went away")

    monkeypatch.setattr(visits, "visit_intend", away)
    with pytest.raises(audit.Unrecorded):
        enter(case)
    assert asked(memory) == before


def test_when_the_outcome_cannot_be_written_nobody_gets_what_aws_gave(
    firm: Firm, memory: InMemory, sql_as: SqlAs
) -> None:
    case = verified(firm, memory)

    def fill_the_disk() -> None:
        sql_as("superuser").execute("revoke insert on kernel_auditevent from portal_web")

    memory.door.before("signin_token", fill_the_disk)
    with pytest.raises(OutcomeUnwritten) as caught:
        enter(case)
    (token,) = memory.fake.signins
    assert token not in str(caught.value)
    assert (case.visit().status, case.visit().access_key_id) == (VisitStatus.INTENDED, "")


# Killed between AWS's answer and our commit.


@pytest.fixture
def killed(firm: Firm, simulated: Simulated, database_name: str) -> Case:
    """A web process got credentials from AWS and is killed while it waits for the sign-in token."""
    case = verified(firm, simulated)
    simulated.sandbox.control("DELETE", "calls")
    simulated.sandbox.control("POST", "faults", service="signin", latency=LONG)
    ids = (firm.practice.pk, case.engagement.pk, firm.owner.pk)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.security.one_visit", *map(str, ids)],
        cwd=ROOT,
        env=_environment(simulated, database_name),
    )
    assert clock.wait_until(lambda: "getSigninToken" in _actions(simulated), seconds=LONG)
    process.send_signal(signal.SIGKILL)
    assert process.wait(20) == -signal.SIGKILL
    assert "AssumeRole" in _actions(simulated)
    assert (simulated.sandbox.as_hub().session_token or "").startswith(SESSION_TOKENS_BEGIN)
    return case


def _environment(simulated: Simulated, database_name: str) -> dict[str, str]:
    place = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{database_name}").geturl()
    return {
        **os.environ,
        "PORTAL_PROCESS": "web",
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "DATABASE_URL": place,
        "AWS_ENDPOINT_URL": simulated.sandbox.base_url,
        "FEDERATION_BASE_URL": simulated.sandbox.base_url,
        "CONSOLE_BASE_URL": simulated.sandbox.base_url,
    }


def _actions(simulated: Simulated) -> set[str]:
    return {row["action"] for row in simulated.sandbox.control("GET", "calls")}


def sweep_ripe(as_worker: Callable[[], AbstractContextManager[None]], sql_as: SqlAs) -> None:
    """Two minutes later."""
    sql_as("superuser").execute("update kernel_due set next_at = now() where kind = 'visit.orphan'")
    with as_worker():
        with tenancy.use(tenancy.SYSTEM):
            turns = due.claim()
        for turn in turns:
            if turn.kind == "visit.orphan":
                due.take(turn)


def test_killed_between_sts_and_commit_both_sides_see_an_orphan_and_there_is_no_credential(
    killed: Case, as_worker: Callable[[], AbstractContextManager[None]], sql_as: SqlAs
) -> None:
    intent = killed.visit()
    assert (intent.status, intent.access_key_id, intent.issued_at) == (VisitStatus.INTENDED, "", None)
    sweep_ripe(as_worker, sql_as)
    for scope in (killed.firm.practice_side, killed.firm.client_side):
        with tenancy.use(scope):
            (orphan,) = selectors.open_visits(killed.engagement, now=clock.now())
            assert (orphan.status, orphan.latest_end) == (VisitStatus.ORPHANED, intent.worst_case_until)
    assert killed.kinds().count("aws:visit:orphaned") == 1
    haul = Haul()
    haul.take_database(sql_as("superuser"))
    assert (
        haul.where("FQoGZXIvYXdz") == haul.where('"ASIA') == set()
    )  # how session tokens and their keys begin
    assert haul.where("look at the bill") >= {"table awsaccess_visit"}
