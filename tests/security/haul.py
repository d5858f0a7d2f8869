"""What somebody would carry away: the whole database, the queue and the cache, logs, mails and pages, searched.

A secret is looked for as it is and in the spellings that our own formats give it.
"""

from __future__ import annotations

import base64
import html
import json
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import quote

import psycopg
import redis
from psycopg import sql

END: Final = b"end of the story"
TABLES: Final = "select tablename::text from pg_tables where schemaname = 'public' order by 1"


def spellings(secret: str) -> set[bytes]:
    """The secret as text, in an address, in HTML, in JSON, as base64 and as PostgreSQL prints bytes."""
    words = {
        secret,
        quote(secret, safe=""),
        html.escape(secret),
        json.dumps(secret)[1:-1],
        base64.b64encode(secret.encode()).decode().rstrip("="),
        secret.encode().hex(),
    }
    return {word.encode() for word in words}


class Haul:
    """Everything that was carried away, by the place it lay in."""

    def __init__(self) -> None:
        self.places: dict[str, list[bytes]] = defaultdict(list)

    def take(self, place: str, found: bytes | str) -> None:
        self.places[place].append(found.encode() if isinstance(found, str) else found)

    def take_database(self, superuser: psycopg.Connection[tuple[Any, ...]]) -> None:
        """Every table as COPY writes it; nothing stands between a superuser and the rows."""
        for (table,) in superuser.execute(TABLES).fetchall():
            command = sql.SQL("copy {} to stdout").format(sql.Identifier(table))
            with superuser.cursor().copy(command) as rows:
                self.take(f"table {table}", b"".join(bytes(row) for row in rows))

    def take_valkey(self, name: str, url: str) -> None:
        """Every key and value that lies there now."""
        with redis.Redis.from_url(url) as client:
            for key in client.scan_iter():
                self.take(f"valkey {name}", key + b" " + repr(_value(client, key)).encode())

    def where(self, secret: str) -> set[str]:
        """The places in which it lies."""
        words = spellings(secret)
        return {
            place
            for place, found in self.places.items()
            if any(word in text for text in found for word in words)
        }


def _value(client: redis.Redis, key: bytes) -> object:
    match client.type(key):
        case b"string":
            return client.get(key)
        case b"list":
            return client.lrange(key, 0, -1)
        case b"hash":
            return client.hgetall(key)
        case b"set":
            return client.smembers(key)
        case kind:
            assert kind in (b"zset", b"none"), kind
            return client.zrange(key, 0, -1, withscores=True) if kind == b"zset" else None


@contextmanager
def overheard(haul: Haul, name: str, url: str) -> Iterator[None]:
    """Everything that a Valkey is told while the block runs: what was there for a moment counts too."""
    pool = redis.ConnectionPool.from_url(url, socket_timeout=None)
    ear = pool.get_connection()
    ear.send_command("MONITOR")
    assert ear.read_response() == b"OK"

    def listen() -> None:
        # redis-py's own monitor() does not understand callers on a Unix socket.
        while END not in (said := ear.read_response()):
            haul.take(f"valkey {name}", said)

    listener = threading.Thread(target=listen)
    listener.start()
    try:
        yield
    finally:
        with redis.Redis.from_url(url) as other:
            other.echo(END)
        listener.join(20)
        pool.disconnect()
