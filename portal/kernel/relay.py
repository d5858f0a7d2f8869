"""Wakes on PostgreSQL's NOTIFY, or when the next look is due, and hands due rows to the workers.

Beat's tick finds what it misses. Somebody who waits at the live card would notice each second that a check comes late.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg
from django.db import Error as DjangoDatabaseError
from django.db import connection
from psycopg import sql

from portal.kernel import due, outbox, tenancy
from portal.kernel.tasks import due_sweep_task, outbox_due_sweep_task

ROUND_SECONDS: Final = 1.0
LONGEST_WAIT_SECONDS: Final = 60.0
WAIT_AFTER_LOSS_SECONDS: Final = 5.0
log = logging.getLogger(__name__)


class Relay(threading.Thread):
    """One thread in each worker process. Several relays share the rows as several sweeps do."""

    def __init__(self) -> None:
        super().__init__(name="relay", daemon=True)
        self._over = threading.Event()

    def run(self) -> None:
        """Listen until `stop`; a lost connection is made anew."""
        while not self._over.is_set():
            try:
                self._listen()
            except (psycopg.Error, DjangoDatabaseError) as error:
                log.warning("relay lost the database (%s); it listens again soon", type(error).__name__)
                self._over.wait(WAIT_AFTER_LOSS_SECONDS)
            finally:
                connection.close()  # this thread's own

    def stop(self) -> None:
        """Ask the thread to end after its round."""
        self._over.set()

    def _listen(self) -> None:
        with _ears() as ears:
            drain()  # what was promised while nobody listened
            while not self._over.is_set():
                self._await_work(ears)
                drain()

    def _await_work(self, ears: psycopg.Connection[tuple[object, ...]]) -> None:
        """Until something is promised, a look is due, or `stop`. Looks far ahead are left to beat: they wait well."""
        due_at = time.monotonic() + next_wait()
        while not self._over.is_set() and (left := due_at - time.monotonic()) > 0:
            for _ in ears.notifies(timeout=min(ROUND_SECONDS, left), stop_after=1):
                return


@contextmanager
def _ears() -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """A connection that only listens, so that no notification is lost while the other one works."""
    parameters = connection.get_connection_params()
    wanted = {
        key: parameters[key] for key in ("host", "port", "user", "password", "dbname") if key in parameters
    }
    with psycopg.connect(**wanted, autocommit=True, connect_timeout=5) as ears:
        ears.execute(sql.SQL("LISTEN {}").format(sql.Identifier(outbox.CHANNEL)))
        yield ears


def next_wait() -> float:
    """Seconds until a look is due; `LONGEST_WAIT_SECONDS` if none is before."""
    with tenancy.use(tenancy.SYSTEM):
        return min(LONGEST_WAIT_SECONDS, due.seconds_to_next())


def drain() -> None:
    """Hand on until nothing is due, or the broker does not answer."""
    while outbox_due_sweep_task.run() or due_sweep_task.run():
        pass
