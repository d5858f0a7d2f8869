"""Two people, each on a connection of their own, who act in the same instant, round after round.

A round needs an engagement that nobody has touched. One is taken through the services to where the race begins; its
rows are then copied inside PostgreSQL under new ids, so that two hundred rounds cost what two hundred races cost.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

import psycopg
from django.db import connection
from psycopg import sql

from engagements.models import Engagement, Offer
from engagements.services.choices import agreed_hash
from engagements.services.drafts import offer_hash
from portal.kernel import tenancy
from portal.kernel.errors import PortalError
from tests.awsaccess.services.cast import Case

# Two hundred where every change is judged; while working, as many as show that the race is still one.
ROUNDS: Final = int(os.environ.get("RACE_ROUNDS") or (200 if os.environ.get("CI") == "true" else 20))
WAIT_SECONDS: Final = 60
# Tables in the order of their keys; with each the columns that name a copied row. An engagement's code is its number.
TABLES: Final = {
    "engagements_engagement": ("id",),
    "engagements_assignment": ("id", "engagement_id"),
    "engagements_offer": ("id", "engagement_id"),
    "engagements_consent": ("id", "engagement_id", "offer_id"),
    "awsaccess_grant": ("id", "engagement_id", "offer_id"),
    "awsaccess_verification": ("id", "grant_id"),
}
SEALS: Final = (
    "update engagements_offer set offer_sha256 = %s where id = %s",
    (
        "update awsaccess_verification set findings = jsonb_set(findings, '{offer_sha256}', to_jsonb(%s::text), false)"
        " where grant_id in (select id from awsaccess_grant where offer_id = %s)"
    ),
)
CONSENTS: Final = "select id, choice, template_sha256 from engagements_consent where offer_id = %s"
AGREED: Final = "update engagements_consent set offer_sha256 = %s, agreed_sha256 = %s where id = %s"
# What keeps these three as they are, also from whoever plays a replica.
GUARDS: Final = (
    "select tgrelid::regclass::text, quote_ident(tgname) from pg_trigger where tgenabled = 'A' and tgrelid in"
    " ('engagements_offer'::regclass, 'engagements_consent'::regclass, 'awsaccess_verification'::regclass)"
)
# Which rows of a table belong to an engagement, where that is not told by its `engagement_id`.
BELONGS: Final = {
    "engagements_engagement": "old.id = %s",
    "awsaccess_verification": "old.grant_id in (select id from awsaccess_grant where engagement_id = %s)",
}
CODE: Final = "'r' || lpad(n::text, 9, '0')"
ALSO: Final = {
    ("engagements_engagement", "code"): CODE,
    ("engagements_offer", "documents"): f"jsonb_set(old.documents, '{{engagement_code}}', to_jsonb({CODE}))",
    ("awsaccess_grant", "role_name"): f"'latchkey-' || {CODE}",
    ("awsaccess_grant", "external_id"): "md5(old.external_id || n)::uuid::text",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One engagement that both will act on, as both have read it before."""

    case: Case
    offer: Offer

    @property
    def engagement(self) -> Engagement:
        """Shorthand."""
        return self.case.engagement


Act = Callable[[Round], object]


def rounds_of(
    case: Case, superuser: psycopg.Connection[tuple[Any, ...]], *, count: int = ROUNDS
) -> list[Round]:
    """`count` engagements that stand exactly where this one stands."""
    superuser.execute("set session_replication_role = replica")  # copies are whole by construction
    for table, names in TABLES.items():
        _copy(superuser, table, names, case.engagement.pk, count)
    _seal(superuser)
    superuser.execute("set session_replication_role = origin")
    with tenancy.use(case.firm.practice_side):
        offers = Offer.objects.filter(engagement__code__regex=r"^r[0-9]{9}$")
        found = list(offers.select_related("engagement__practice", "engagement__client").order_by("pk"))
    assert len(found) == count
    return [Round(case=replace(case, engagement=offer.engagement), offer=offer) for offer in found]


def _copy(
    superuser: psycopg.Connection[tuple[Any, ...]],
    table: str,
    renewed: Sequence[str],
    engagement_id: UUID,
    count: int,
) -> None:
    columns = [
        str(name)
        for (name,) in superuser.execute(
            "select column_name::text from information_schema.columns"
            " where table_schema = 'public' and table_name = %s",
            [table],
        ).fetchall()
    ]
    values = {name: f'old."{name}"' for name in columns}
    values |= {name: f"md5(old.\"{name}\"::text || ':' || n)::uuid" for name in renewed}
    values |= {column: words for (where, column), words in ALSO.items() if where == table}
    belongs = BELONGS.get(table, "old.engagement_id = %s")
    statement = (
        f"insert into {table} ({', '.join(f'{chr(34)}{name}{chr(34)}' for name in values)})"  # noqa: S608  # our own names
        f" select {', '.join(values.values())} from {table} old, generate_series(1, %s) n where {belongs}"
    )
    superuser.execute(sql.SQL(statement), [count, engagement_id])


def _seal(superuser: psycopg.Connection[tuple[Any, ...]]) -> None:
    """A copied offer says another code, so it has another hash; what people agreed to and a check found has it too."""
    found = superuser.execute(
        "select o.id, o.lines, o.documents, o.template_sha256 from engagements_offer o"
        " join engagements_engagement e on e.id = o.engagement_id where e.code ~ '^r[0-9]{9}$'"
    ).fetchall()
    guards = superuser.execute(GUARDS).fetchall()
    for table, name in guards:
        superuser.execute(f"alter table {table} disable trigger {name}")
    for offer_id, lines, documents, template_sha256 in found:
        digest = offer_hash(lines, documents, template_sha256)
        for statement in SEALS:
            superuser.execute(sql.SQL(statement), [digest, offer_id])
        for consent_id, choice, chosen_sha256 in superuser.execute(CONSENTS, [offer_id]).fetchall():
            agreed = agreed_hash(digest, choice, chosen_sha256)
            superuser.execute(AGREED, [digest, agreed, consent_id])
    for table, name in guards:
        superuser.execute(f"alter table {table} enable always trigger {name}")


def duel(
    rounds: Sequence[Round], first: Act, second: Act, *, somewhere_within: bool = False
) -> list[tuple[str, str]]:
    """What each got in each round: `done`, or the name of the refusal.

    Both begin each round in the same instant. Where the first act takes several transactions, the second would always
    come before the last of them: `somewhere_within`, it begins at any moment of the first one's way, by chance.
    """
    barrier, pause, chance = threading.Barrier(2), threading.Event(), random.Random(1)  # noqa: S311  # chance, no secret
    results: list[list[str]] = [[], []]
    broken: list[BaseException] = []
    took = [0.0]

    def run(place: int, act: Act) -> None:
        try:
            connection.ensure_connection()
            for one in rounds:
                barrier.wait(WAIT_SECONDS)
                if place and somewhere_within:
                    pause.wait(chance.uniform(0, 1.5 * took[-1]))
                begun = time.monotonic()
                results[place].append(_outcome(act, one))
                if not place:
                    took.append(time.monotonic() - begun)
        except BaseException as error:  # noqa: BLE001  # a thread's own error would be lost
            broken.append(error)
            barrier.abort()
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate((first, second))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if broken:
        raise broken[0]
    return list(zip(*results, strict=True))


def _outcome(act: Act, one: Round) -> str:
    try:
        act(one)
    except PortalError as error:
        return type(error).__name__
    return "done"


def told(results: Sequence[tuple[str, str]]) -> str:
    """How the rounds ended, for the run's last lines."""
    counted = Counter(" / ".join(pair) for pair in results)
    return ", ".join(f"{ended} {times}" for ended, times in sorted(counted.items()))
