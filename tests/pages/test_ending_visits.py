"""The page on which a client ends visits that are open: the question, the step in AWS, the honest clock, the way back."""

from __future__ import annotations

import datetime as dt

import pytest
from django.test import Client as Browser

from accounts.lifecycle import ContactRole
from awsaccess.lifecycle import PROPAGATION
from awsaccess.models import Grant, Visit
from awsaccess.services.turning import DENIAL
from portal.kernel import clock, tenancy
from portal.kernel.models import Due, OutboxMessage
from tests.pages import stage
from tests.pages.reading import Page, read
from tests.pages.stage import Stage

pytestmark = pytest.mark.usefixtures("db")
END = "open-visits/end/"


def opened() -> Stage:
    """Access is on, and one visit of an hour began twenty minutes ago."""
    scene = stage.visited()
    move(scene, role_seen_at=clock.now() - dt.timedelta(days=1))
    return scene


def move(scene: Stage, **changes: object) -> None:
    with tenancy.use(scene.scope):
        Grant.objects.filter(engagement=scene.engagement).update(**changes)


def page(scene: Stage, browser: Browser | None = None, query: str = "") -> Page:
    response = (browser or scene.browser()).get(scene.path("open-visits/") + query)
    assert response.status_code == 200
    return read(response)


def asked(scene: Stage, *, ago: dt.timedelta = dt.timedelta(minutes=1)) -> dt.datetime:
    """The template that denies lies in the bucket."""
    moment = (clock.now() - ago).replace(microsecond=0)
    move(scene, deny_before=moment, deny_version_id="v7")
    return moment


def test_the_page_tells_who_is_inside_and_until_when_at_the_latest() -> None:
    shown = page(opened())
    assert shown.h1 == "End open visits"
    assert "Maya Okafor may still be inside." in shown.text
    assert "The last open visit is over at" in shown.text
    assert "AWS ends it by itself." in shown.text
    assert "has no right to do so, on purpose" in shown.text


def test_pressing_promises_the_template_without_a_fresh_sign_in() -> None:
    scene = opened()
    browser = scene.browser()
    answer = browser.post(scene.path(END))
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith(scene.path("open-visits/?pressed="))
    with tenancy.use(scene.scope):
        assert OutboxMessage.objects.filter(kind=DENIAL).count() == 1
    waiting = browser.get(answer.headers["Location"])
    assert "We are preparing the change for AWS." in read(waiting).text
    assert b'hx-trigger="every 10s"' in waiting.content
    assert b"?pressed=" in waiting.content


def test_a_press_of_long_ago_is_not_believed() -> None:
    scene = opened()
    assert scene.path(END) in page(scene, query="?pressed=1000000000").forms
    assert scene.path(END) in page(scene, query="?pressed=soon").forms


def test_while_the_template_is_on_its_way_it_says_so() -> None:
    scene = opened()
    move(scene, deny_before=clock.now())
    assert "We are preparing the change for AWS." in page(scene).text


def test_the_step_in_aws_is_one_link_with_a_script_and_the_address_beside_it() -> None:
    scene = opened()
    asked(scene)
    shown = page(scene)
    link = next(url for words, url in shown.links.items() if words.startswith("Open AWS"))
    assert f"#/stacks/update/template?stackId=latchkey-{scene.engagement.code}&templateURL=" in link
    assert "versionId%3Dv7" in link
    assert "end-sessions.json?versionId=v7" in shown.text
    assert "Check now" in shown.buttons
    script = scene.browser().get(scene.path("end-visits.sh"))
    told = script.content.decode()
    assert script.headers["Content-Disposition"] == 'attachment; filename="end-visits.sh"'
    assert "account=441709265583" in told
    assert "end-sessions.json?versionId=v7" in told


def test_checking_looks_at_aws_at_once_and_comes_back_to_the_page() -> None:
    scene = opened()
    asked(scene)
    move(scene, checked_at=clock.now() - dt.timedelta(minutes=5))
    answer = scene.browser().post(scene.path(END), {"check": "yes"})
    assert answer.headers["Location"] == scene.path("open-visits/")
    with tenancy.use(scene.scope):
        assert Due.objects.filter(kind="grant.check").exists()


def test_a_block_that_was_seen_counts_after_aws_has_had_its_two_minutes() -> None:
    scene = opened()
    move(scene, denied_before=asked(scene))
    shown = page(scene)
    assert "AWS takes up to two minutes until it holds everywhere." in shown.text
    assert "Maya Okafor may still be inside." in shown.text
    move(scene, denied_before=asked(scene, ago=PROPAGATION + dt.timedelta(seconds=5)))
    shown = page(scene)
    assert "AWS denies everything to 1 visit that began before" in shown.text
    assert (
        "Maya"
        not in shown.text.split("End them now")[0].split("Who may still be inside")[1].split("Leave")[0]
    )


def test_a_visit_that_began_after_the_block_can_be_ended_by_another_one() -> None:
    scene = opened()
    move(scene, denied_before=asked(scene, ago=dt.timedelta(minutes=10)))
    stage.make_visit(scene, minutes_ago=1, reason="look again", name="Tomasz Lis")
    shown = page(scene)
    assert "Tomasz Lis may still be inside." in shown.text
    assert "Maya Okafor may still be inside." not in shown.text
    assert "End open visits" in shown.buttons


def test_once_all_are_over_the_block_can_be_taken_away() -> None:
    scene = stage.active()
    move(scene, role_seen_at=clock.now())
    assert "You have nothing to do." in page(scene).text
    move(scene, denied_before=asked(scene))
    shown = page(scene)
    assert "Take the block away again" in shown.text
    link = next(url for words, url in shown.links.items() if words.startswith("Open AWS"))
    assert "access.json%3FversionId%3Dv1" in link
    assert b"connect.sh" in scene.browser().get(scene.path("end-visits.sh")).content


def test_while_closing_the_clock_stays_at_the_latest_end_and_says_why() -> None:
    scene = stage.closing()
    move(scene, role_seen_at=clock.now() - dt.timedelta(days=1))
    assert "End open visits" in read(scene.browser().get(scene.path())).links
    asked(scene)
    shown = page(scene)
    assert "we no longer look inside it" in shown.text
    assert "Check now" not in shown.buttons
    with tenancy.use(scene.scope):
        Grant.objects.update(denied_before=clock.now())
    with clock.frozen(clock.now() + dt.timedelta(hours=2)):
        assert "You have nothing to do." in page(scene).text


def test_before_any_role_was_seen_there_is_nothing_to_end() -> None:
    scene = stage.visited()
    assert "You have nothing to do." in page(scene).text
    assert scene.browser().get(scene.path("end-visits.sh")).status_code == 404


@pytest.mark.parametrize("make", [stage.agreed, stage.closed])
def test_where_nobody_can_be_inside_the_addresses_lead_to_the_project(make: object) -> None:
    assert callable(make)
    scene = make()
    assert scene.browser().get(scene.path("open-visits/")).headers["Location"] == scene.path()
    assert scene.browser().post(scene.path(END)).headers["Location"] == scene.path()


def test_readers_see_the_clock_and_press_nothing() -> None:
    scene = opened()
    viewer = scene.browser(scene.colleague(ContactRole.VIEWER))
    shown = page(scene, viewer)
    assert "Maya Okafor may still be inside." in shown.text
    assert shown.buttons == []
    assert viewer.post(scene.path(END)).status_code == 403


def test_the_status_page_leads_there_while_somebody_may_be_inside() -> None:
    scene = opened()
    assert read(scene.browser().get(scene.path())).links["End open visits"] == scene.path("open-visits/")
    with tenancy.use(scene.scope):
        Visit.objects.update(ends_at=clock.now())
    assert "End open visits" not in read(scene.browser().get(scene.path())).links


def test_a_pause_shows_it_beside_the_visits_that_are_still_open() -> None:
    scene = stage.paused()
    assert "End open visits" in read(scene.browser().get(scene.path())).links
