"""The doorbell in the console: ring, wait, and then, not before, open AWS."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client as Browser

from awsaccess.aws.fake import FakeAwsGateway
from engagements.lifecycle import DoorbellStatus
from engagements.models import Doorbell
from engagements.services.doorbells import doorbell_answer
from portal.kernel import tenancy
from portal.kernel.models import OutboxMessage
from tests.console.cast import House, house, open_the_door
from tests.pages.stage import active

pytestmark = pytest.mark.django_db
WHY = "compare server sizes"


@pytest.fixture
def home(db: None) -> House:
    return house(active(doorbell=True, break_glass=True))


@pytest.fixture
def aws(home: House, monkeypatch: pytest.MonkeyPatch) -> FakeAwsGateway:
    return open_the_door(home.stage, monkeypatch)


def ring(browser: Browser, home: House) -> Any:  # Any: the test client's own type
    return browser.post(home.url("ring/"), {"confirm": "yes", "reason": WHY, "kind": "console"}, follow=True)


def rings(home: House) -> list[Doorbell]:
    with tenancy.use(home.stage.scope):
        return list(Doorbell.objects.order_by("rung_at"))


def let_in(home: House) -> None:
    with tenancy.use(home.stage.client_scope):
        doorbell_answer(
            doorbell=Doorbell.objects.get(),
            contact=home.stage.contact,
            let_in=True,
            actor=home.stage.sam_acts,
        )


def enter(
    browser: Browser, home: House, slug: str, kind: str = "console"
) -> Any:  # Any: the test client's own type
    shown = browser.get(home.url(slug)).content.decode()
    once = re.search(r'name="once" value="([^"]+)"', shown)
    form = {"confirm": "yes", "reason": "the shop is down", "service": "ec2", "minutes": "30", "kind": kind}
    return browser.post(home.url(slug), {**form, "once": once[1] if once else ""})


def test_there_is_no_way_in_before_the_client_says_yes(home: House, aws: FakeAwsGateway) -> None:
    page = home.assigned.get(home.url()).content.decode()
    assert home.url("ring/") in page
    assert home.url("open/") not in page
    assert home.assigned.get(home.url("open/")).status_code == 302
    assert enter(home.assigned, home, "open/").status_code == 302
    assert (home.visits(), aws.calls) == ([], [])


def test_ring_wait_and_go_in(home: House, aws: FakeAwsGateway) -> None:
    answer = ring(home.assigned, home).content.decode()
    assert "You rang at Brightwater Dental" in answer
    assert "No answer yet" in answer
    assert home.url("ring/") not in answer
    assert home.url("open/") not in answer
    let_in(home)
    page = home.assigned.get(home.url()).content.decode()
    assert "Let in: open AWS now" in page
    assert "by Sam Carter" in page
    assert home.url("open/") in page
    assert home.url("open/") not in home.owner.get(home.url()).content.decode()  # it was not she who rang
    assert f'value="{WHY}"' in home.assigned.get(home.url("open/")).content.decode()
    assert enter(home.assigned, home, "open/").status_code == 200
    (visit,) = home.visits()
    assert visit.reason == WHY
    assert [one.status for one in rings(home)] == [DoorbellStatus.USED]


def test_an_emergency_goes_in_and_says_so(home: House, aws: FakeAwsGateway) -> None:
    shown = home.assigned.get(home.url("emergency/")).content.decode()
    assert "What is the emergency" in shown
    assert enter(home.assigned, home, "emergency/").status_code == 200
    assert [one.status for one in rings(home)] == [DoorbellStatus.FORCED]
    assert "Emergency: nobody was asked" in home.assigned.get(home.url()).content.decode()


def test_an_emergency_gives_keys_as_well_once_and_tells_the_client_at_once(
    home: House, aws: FakeAwsGateway
) -> None:
    answer = enter(home.assigned, home, "emergency/", kind="cli")
    shown = answer.content.decode()
    assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store")
    assert "Keys for the command line" in shown
    (visit,) = home.visits()
    assert (visit.kind, visit.status, visit.reason) == ("cli", "issued", "the shop is down")
    assert visit.access_key_id in shown
    (door,) = rings(home)
    assert (door.status, door.kind, visit.doorbell_id) == (DoorbellStatus.FORCED, "cli", door.pk)
    with tenancy.use(home.stage.scope):
        assert OutboxMessage.objects.filter(kind="engagements.came_in").count() == 1
    assert not [call for call in aws.calls if call.method == "signin_token"]


@pytest.mark.parametrize("kind", ["", "telnet"])
def test_an_emergency_by_no_known_door_opens_nothing(home: House, aws: FakeAwsGateway, kind: str) -> None:
    assert enter(home.assigned, home, "emergency/", kind=kind).status_code == 422
    assert (rings(home), home.visits(), aws.calls) == ([], [], [])


@pytest.mark.parametrize("slug", ["ring/", "emergency/"])
@pytest.mark.parametrize(
    ("person", "status"), [("auditor", 403), ("unassigned", 404), ("stranger", 404), ("contact", 404)]
)
def test_nobody_else_rings_or_goes_in(
    home: House, aws: FakeAwsGateway, person: str, status: int, slug: str
) -> None:
    browser = getattr(home, person)
    assert browser.post(home.url(slug), {"confirm": "yes", "reason": WHY}).status_code == status
    assert (rings(home), home.visits(), aws.calls) == ([], [], [])


def test_a_draft_says_both_terms_and_no_exception_without_its_rule(home: House) -> None:
    form = {
        "client": str(home.stage.client.pk),
        "lead": str(home.stage.maya.pk),
        "title": "Second look",
        "purpose": "to look again",
        "profile": "cost_review",
        "ends_at": "2126-11-21T18:00",
        "break_glass": "on",
    }
    address = "/console/engagements/engagement/add/"
    answer = home.owner.post(address, form)
    assert (answer.status_code, b"nothing to leave out" in answer.content) == (422, True)
    page = home.owner.post(address, {**form, "doorbell": "on"}, follow=True).content.decode()
    assert "each visit let in by the client, except in an emergency" in page
