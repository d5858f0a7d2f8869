"""Wakes on PostgreSQL's NOTIFY, and every second, and hands due rows to the workers; beat's tick finds what it misses.

Somebody who waits at the live card notices each second that a check comes late.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg
from django.db import Error as DjangoDatabaseError
from django.db import connection
from psycopg import sql

from portal.kernel import outbox
from portal.kernel.tasks import due_sweep_task, outbox_due_sweep_task

ROUND_SECONDS: Final = 1.0
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
                for _ in ears.notifies(timeout=ROUND_SECONDS, stop_after=1):
                    pass
                drain()  # what was promised just now, and what came due by itself


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


def drain() -> None:
    """Hand on until nothing is due, or the broker does not answer."""
    while outbox_due_sweep_task.run() or due_sweep_task.run():
        pass
