"""The whole suite is run with marked secrets, and every test is listened to: none of them may be told anywhere.

`tests/security/test_canary.py` names for one story the exact place of each secret. Here it is the other way round: whatever
a test does, a mark that turns up in a log line, a page, a mail, a committed row or the cache fails that test.
"""

from __future__ import annotations

import logging
import os
import re
from email.message import EmailMessage, Message
from typing import Any, Final
from urllib.parse import urlsplit

import psycopg
import redis
from psycopg import sql

# What the tests' settings and the gateway in memory give out in the place of secrets begins or reads like this.
MARKS: Final = (
    "fake-secret-",
    "fake-session-token-",
    "fake-signin-token-",
    "test-secret-key-that-is-long-enough",
    "5ea1" * 4,
)
# Told once, in the body of the answer to whoever asked for just that (SECURITY §5).
ONCE: Final = re.compile(r"POST /console/engagements/engagement/[^/]+/(?:keys|open|emergency)/")
TABLES: Final = "select tablename::text from pg_tables where schemaname = 'public' order by 1"
# Most tables are empty at the end of a test, and all of them are read in one statement.
ROWS: Final = sql.SQL("select string_agg(one::text, chr(10)) as rows from {} as one")

_told: list[str] = []


def heed(place: str, text: str | bytes) -> None:
    """Remember `place` with each mark that this text has."""
    words = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    _told.extend(f"{place}: {mark}…" for mark in MARKS if mark in words)


def take() -> list[str]:
    """What was told since this was last asked, and forget it."""
    told = list(_told)
    _told.clear()
    return told


class Ear(logging.Handler):
    """Hears every line as production writes it: with its filters, in its form."""

    def emit(self, record: logging.LogRecord) -> None:
        """Never raises: a line that cannot be written is no line."""
        try:
            heed(f"log {record.name}", self.format(record))
        except (TypeError, ValueError):
            self.handleError(record)


def ear() -> Ear:
    """Set up as `portal.settings.LOGGING` has it."""
    from django.utils.module_loading import import_string

    from portal.settings import LOGGING

    settings: Any = LOGGING  # Any: Django's own form
    line, made = settings["formatters"]["line"], Ear()
    made.setFormatter(import_string(line["()"])(line["fmt"]))
    for name in settings["handlers"]["stderr"]["filters"]:
        made.addFilter(import_string(settings["filters"][name]["()"])())
    return made


def heed_answer(method: str, path: str, answer: Any) -> None:
    """Any: the test client's own answer. Body and headers; what is told once may be told there."""
    asked = f"{method} {path}"
    heed(f"headers of {asked}", repr(sorted(answer.headers.items())))
    if not answer.streaming and not ONCE.fullmatch(asked):
        heed(f"page {asked}", answer.content)


def heed_letter(letter: EmailMessage | Message) -> None:
    """Its headers and each part, decoded."""
    heed("mail", repr(letter.items()))
    for part in letter.walk():
        said = None if part.is_multipart() else part.get_payload(decode=True)
        if isinstance(said, bytes):
            heed("mail", said)


def search_rows(database: str) -> None:
    """Everything that was committed in a database of the tests."""
    admin = urlsplit(os.environ["LATCHKEY_TEST_ADMIN_URL"])
    with psycopg.connect(admin._replace(path=f"/{database}").geturl(), autocommit=True) as superuser:
        tables = [sql.Identifier(name) for (name,) in superuser.execute(TABLES).fetchall()]
        every = sql.SQL(" union all ").join(ROWS.format(table) for table in tables)
        for (rows,) in superuser.execute(every).fetchall():
            heed("rows", rows or "")


def search_cache() -> None:
    """Keys and values that lie in Valkey now."""
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        for key in client.scan_iter():
            heed("cache", key + b" " + (client.dump(key) or b""))
