"""Lists stay quick at any length, and what the first page counts is what its lists show."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from awsaccess.models import Grant, Visit
from engagements.models import Assignment, Engagement, Offer
from portal.kernel import clock, tenancy
from tests.console.cast import House, house
from tests.pages.stage import Stage, visited

pytestmark = pytest.mark.django_db
MOST_QUERIES = 12
LISTS = (
    "engagements_engagement",
    "awsaccess_grant",
    "awsaccess_visit",
    "awsaccess_hub",
    "accounts_client",
    "accounts_membership",
    "accounts_invitation",
    "kernel_auditevent",
    "kernel_outboxmessage",
)


@pytest.fixture
def home(db: None) -> House:
    return house(visited())


def more(stage: Stage, count: int, *, status: str = "active", days: int = 40) -> None:
    """So many copies of the engagement, each with its people, role and one visit."""
    now = clock.now()
    with tenancy.use(stage.scope):
        offer, grant, visit = Offer.objects.get(), Grant.objects.get(), Visit.objects.first()
        assert visit is not None
        for number in range(count):
            places = {"practice": stage.practice, "client": stage.client}
            made = Engagement.objects.create(
                **places,
                title=f"Review {number}",
                purpose="to look",
                status=status,
                ends_at=now + dt.timedelta(days=days),
            )
            Assignment.objects.create(
                **places, engagement=made, consultant=stage.maya, role="member", starts_at=now
            )
            its = _copy(offer, engagement=made)
            its_grant = _copy(
                grant, engagement=made, offer=its, external_id=f"x{number}", role_name=f"latchkey-{number}"
            )
            _copy(visit, engagement=made, grant=its_grant)


def _copy(row: Offer | Grant | Visit, **over: object) -> Offer | Grant | Visit:
    values = {
        field.attname: getattr(row, field.attname)
        for field in row._meta.concrete_fields
        if not field.primary_key
    }
    for name, value in over.items():
        values.pop(f"{name}_id", None)
        values[name] = value
    return type(row).objects.create(**values)


def queries(home: House, url: str) -> int:
    with CaptureQueriesContext(connection) as seen:
        assert home.owner.get(url).status_code == 200
    return len(
        [one for one in seen if not one["sql"].startswith(("SELECT set_config", "SAVEPOINT", "RELEASE"))]
    )


@pytest.mark.parametrize("name", LISTS)
def test_a_list_asks_no_more_for_more_rows(home: House, name: str) -> None:
    url = reverse(f"admin:{name}_changelist")
    few = queries(home, url)
    more(home.stage, 25)
    assert queries(home, url) == few <= MOST_QUERIES


def test_the_first_page_asks_no_more_for_more_rows(home: House) -> None:
    few = queries(home, reverse("admin:index"))
    more(home.stage, 25)
    assert queries(home, reverse("admin:index")) == few


def test_each_tile_counts_what_its_list_shows(home: House) -> None:
    with tenancy.use(home.stage.scope):
        for number, status in enumerate(
            ("invited", "agreed", "agreed", "paused", "closing", "closed", "draft")
        ):
            Engagement.objects.create(
                practice=home.stage.practice,
                client=home.stage.client,
                title=f"{status} {number}",
                purpose="to look",
                status=status,
                ends_at=clock.now() + dt.timedelta(days=9),
            )
    shown = home.owner.get(reverse("admin:index")).content.decode()
    tiles = re.findall(
        r'class="kpi[^"]*" href="([^"]+)"><span class="kl">([^<]+)</span><span class="kv">(\d+)<', shown
    )
    counted = {label: value for _url, label, value in tiles}
    assert (counted["Waiting for client"], counted["Paused"], counted["Being closed"]) == ("3", "1", "1")
    for url, label, value in tiles:
        if "standing=" in url:
            listed = home.owner.get(url.replace("&amp;", "&")).content.decode()
            assert f"{value} engagement" in listed or (value == "0" and "Nothing fits" in listed), label


def test_a_consultant_counts_only_what_is_theirs(home: House) -> None:
    more(home.stage, 3)
    shown = home.unassigned.get(reverse("admin:index")).content.decode()
    assert "Brightwater" not in shown
    assert "You don’t work on an engagement yet" in shown


@pytest.mark.parametrize(
    "query", ["mine=yes", "standing=on", "standing=problem", "ends=14", "standing=nonsense", "q=Bright"]
)
def test_every_filter_answers(home: House, query: str) -> None:
    assert home.owner.get(f"{reverse('admin:engagements_engagement_changelist')}?{query}").status_code == 200


def test_what_needs_somebody_stands_first_by_harm(home: House) -> None:
    with tenancy.use(home.stage.scope):
        Grant.objects.update(status="unreachable", problem="AWS refused us.")
    shown = home.owner.get(reverse("admin:index")).content.decode()
    assert "Brightwater Dental: refused by AWS" in shown
    assert "See what’s wrong" in shown
    assert ">Open AWS<" not in shown
