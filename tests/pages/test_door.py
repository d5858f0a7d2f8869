"""The door on the client's side: who rings stands there, pressing decides, and a mail or a look opens nothing."""

from __future__ import annotations

import re

import pytest

from accounts.lifecycle import ContactRole
from engagements.lifecycle import DoorbellStatus
from engagements.models import Doorbell
from engagements.services.doorbells import doorbell_ring
from engagements.services.pauses import engagement_pause
from portal.kernel import actor, tenancy
from portal.kernel.step_up import Act
from portal.pages.doors_open import LET_IN
from tests.pages.stage import Stage, active, invited
from tests.signing_in import prove

pytestmark = pytest.mark.django_db


def ring(stage: Stage, reason: str = "compare server sizes") -> Doorbell:
    maya = actor.person(stage.maya.pk, name=stage.maya.name, email=stage.maya.email)
    with tenancy.use(stage.scope):
        return doorbell_ring(
            engagement=stage.fresh(), consultant=stage.maya, reason=reason, kind="console", actor=maya
        )


def status(stage: Stage, asked: Doorbell) -> str:
    with tenancy.use(stage.scope):
        return Doorbell.objects.get(pk=asked.pk).status


def test_who_rings_stands_on_the_status_page_and_at_the_door() -> None:
    stage = active(doorbell=True)
    browser = stage.browser()
    assert stage.path("door/") not in browser.get(stage.path()).content.decode()
    assert "Nobody is at the door" in browser.get(stage.path("door/")).content.decode()
    ring(stage)
    front = browser.get(stage.path()).content.decode()
    assert "Maya Okafor asks to come in" in front
    assert stage.path("door/") in front
    shown = browser.get(stage.path("door/")).content.decode()
    assert "compare server sizes" in shown
    assert "Let them in" in shown
    assert "Not now" in shown


def test_looking_lets_nobody_in() -> None:
    stage = active(doorbell=True)
    asked, browser = ring(stage), stage.browser()
    for _ in range(3):
        browser.get(stage.path("door/"))
        browser.head(stage.path("door/"))
        browser.get(stage.path("door/"), {"ring": str(asked.pk), "answer": "in"})
    assert status(stage, asked) == DoorbellStatus.RINGING


def test_letting_in_takes_a_proof_and_then_one_press() -> None:
    stage = active(doorbell=True)
    asked, browser = ring(stage), stage.browser()
    press = {"ring": str(asked.pk), "answer": "in"}
    first = browser.post(stage.path("door/"), press)
    assert (first.status_code, status(stage, asked)) == (200, DoorbellStatus.RINGING)
    assert 'id="step-up"' in first.content.decode()
    prove(browser, Act(name=LET_IN, object_id=asked.pk))
    assert browser.post(stage.path("door/"), press).status_code == 302
    assert status(stage, asked) == DoorbellStatus.LET_IN
    assert "Let in, and can open AWS until" in browser.get(stage.path("door/")).content.decode()


def test_a_proof_for_one_ring_lets_nobody_else_in() -> None:
    stage = active(doorbell=True)
    asked, browser = ring(stage), stage.browser()
    prove(browser, Act(name=LET_IN, object_id=stage.engagement.pk))
    browser.post(stage.path("door/"), {"ring": str(asked.pk), "answer": "in"})
    assert status(stage, asked) == DoorbellStatus.RINGING


def test_not_now_takes_no_proof() -> None:
    stage = active(doorbell=True)
    asked, browser = ring(stage), stage.browser()
    assert browser.post(stage.path("door/"), {"ring": str(asked.pk), "answer": "not-now"}).status_code == 302
    assert status(stage, asked) == DoorbellStatus.NOT_NOW
    shown = browser.get(stage.path("door/")).content.decode()
    assert re.search(r"Not let in\.\s+Sam Carter answered\.", shown)


def test_asking_for_a_new_code_is_no_answer() -> None:
    stage = active(doorbell=True)
    asked = ring(stage)
    stage.browser().post(stage.path("door/"), {"ring": str(asked.pk), "step_up_mail": "yes"})
    assert status(stage, asked) == DoorbellStatus.RINGING


@pytest.mark.parametrize("key", ["", "x", "00000000-0000-0000-0000-000000000000"])
def test_a_ring_that_is_none_is_not_there(key: str) -> None:
    stage = active(doorbell=True)
    assert stage.browser().post(stage.path("door/"), {"ring": key, "answer": "not-now"}).status_code == 404


def test_who_only_reads_sees_it_and_is_told_who_can() -> None:
    stage = active(doorbell=True)
    ring(stage)
    viewer = stage.browser(stage.colleague(ContactRole.VIEWER))
    front = viewer.get(stage.path()).content.decode()
    assert "Somebody who may agree for your company can let them in." in front
    assert stage.path("door/") not in front
    assert viewer.get(stage.path("door/")).status_code == 403


def test_while_paused_nobody_is_at_the_door() -> None:
    stage = active(doorbell=True)
    ring(stage)
    with tenancy.use(stage.client_scope):
        engagement_pause(engagement=stage.engagement, actor=stage.sam_acts)
    shown = stage.browser().get(stage.path("door/")).content.decode()
    assert "The access is off" in shown
    assert "Let them in" not in shown


def test_the_term_stands_on_the_paper_only_where_it_holds() -> None:
    words = "Open the door for each visit"
    stage = invited(doorbell=True, break_glass=True)
    shown = stage.browser().get(stage.path()).content.decode()
    assert words in shown
    assert "Only in an emergency" in shown


def test_the_paper_of_others_says_nothing_of_doors() -> None:
    stage = invited()
    assert "Open the door" not in stage.browser().get(stage.path()).content.decode()
