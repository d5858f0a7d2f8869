"""What a page costs in queries, and that looking at it changes nothing at all."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from psycopg import sql

from engagements.models import Engagement
from portal.kernel import tenancy
from tests.conftest import SqlAs
from tests.pages import stage
from tests.pages.stage import Stage
from tests.pages.test_moving import STAGES

PAGES = (
    "",
    "agree/",
    "decline/",
    "connect/",
    "live/",
    "pause/",
    "resume/",
    "door/",
    "visits/",
    "end/",
    "receipt/",
    "consent.json",
    "question/",
    "colleague/",
    "certificate/",
    "template/",
    "check/",
    "deleted/",
)
FRAGMENT = {"HX-Request": "true"}
# What a page asks of the database; four of them find out who is asking, and two what for.
BUDGETS: dict[str, tuple[Callable[[], Stage], str, int]] = {
    "consent": (stage.invited, "", 8),
    "connect": (stage.agreed, "", 8),
    "status": (stage.visited, "", 10),
    "paused": (stage.paused, "", 10),
    "closing": (stage.closing, "", 10),
    "closed": (stage.closed, "", 9),
    "receipt": (stage.agreed, "receipt/", 8),
    "live": (stage.agreed, "live/", 8),
    "live, closing": (stage.closing, "live/", 9),
    "template": (stage.agreed, "template/", 7),
}
CHECKSUM = "SELECT coalesce(md5(string_agg(row::text, '|' ORDER BY row::text)), '') FROM {} AS row"


def queries_of(scene: Stage, path: str) -> int:
    """How many queries one signed-in look costs. Fragments are asked for as htmx does."""
    browser = scene.browser()
    with CaptureQueriesContext(connection) as captured:
        assert browser.get(path, headers=FRAGMENT if path.endswith("live/") else {}).status_code == 200
    return len(captured)


@pytest.mark.usefixtures("db")
@pytest.mark.parametrize("name", BUDGETS)
def test_a_page_keeps_to_its_budget(name: str) -> None:
    make, page, most = BUDGETS[name]
    scene = make()
    assert queries_of(scene, scene.path(page)) == most


@pytest.mark.usefixtures("db")
def test_more_visits_cost_no_more_queries() -> None:
    scene = stage.visited()
    for number in range(20):
        stage.make_visit(scene, minutes_ago=number * 60 + 1, reason="look at the bill")
    assert queries_of(scene, scene.path()) == BUDGETS["status"][2]


@pytest.mark.usefixtures("db")
def test_more_projects_cost_no_more_queries() -> None:
    scene = stage.visited()
    before = queries_of(scene, "/e/")
    with tenancy.use(scene.scope):
        for number in range(20):
            Engagement.objects.create(
                practice=scene.practice,
                client=scene.client,
                title=f"Review {number}",
                purpose="to look",
                status="closed",
                invited_at=scene.engagement.invited_at,
                ends_at=scene.engagement.ends_at,
            )
    assert queries_of(scene, "/e/") == before == 6


def checksums(sql_as: SqlAs) -> dict[str, str]:
    """One for each table, read past every wall."""
    connected = sql_as("superuser")
    tables = connected.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    found: dict[str, str] = {}
    for (table,) in tables:
        row = connected.execute(sql.SQL(CHECKSUM).format(sql.Identifier(table))).fetchone()
        assert row is not None
        found[table] = row[0]
    return found


@pytest.mark.parametrize("status", STAGES)
def test_no_look_changes_anything(real_db: None, sql_as: SqlAs, status: str) -> None:
    scene = STAGES[status]()
    browser = scene.browser()
    before = checksums(sql_as)
    assert before["engagements_engagement"]
    assert browser.get("/e/").status_code == 200
    assert browser.get(scene.path("live/"), headers=FRAGMENT).status_code in {200, 286}
    for page in PAGES:
        assert browser.get(scene.path(page)).status_code < 500, page
        assert browser.head(scene.path(page)).status_code < 500, page
    assert checksums(sql_as) == before
