"""The steps on the card while a stack with call-back is waited for: only what is known is told."""

from __future__ import annotations

import datetime as dt
import re
from uuid import uuid4

import pytest

from awsaccess.lifecycle import CallbackStatus, GrantStatus
from awsaccess.models import Callback, Grant
from portal.kernel import clock, tenancy
from tests.pages import stage
from tests.pages.stage import Stage
from tests.pages.test_live import ask, body, digest, move

pytestmark = pytest.mark.usefixtures("db")
LINE = re.compile(r"<span>([^<]*)</span><span class=\"small\">([^<]*)</span>")


def reporting() -> Stage:
    """Agreed; the template's stack reports."""
    scene = stage.agreed()
    move(scene, callback_sha256="0" * 64)
    return scene


def reported(scene: Stage, status: CallbackStatus, kind: str = "Create", reason: str = "") -> None:
    with tenancy.use(scene.scope):
        grant = Grant.objects.get(engagement=scene.engagement)
        now = clock.now()
        Callback.objects.create(
            practice_id=grant.practice_id,
            client_id=grant.client_id,
            grant=grant,
            kind=kind,
            status=status,
            stack_id="arn:aws:cloudformation:eu-west-1:441709265583:stack/latchkey/6f2d0000-0000-4000-8000-000000000000",
            request_id=str(uuid4()),
            logical_id="x",
            physical_id="x",
            told_at=now,
            answer_by=now + dt.timedelta(minutes=4),
            reason=reason,
        )


def steps(scene: Stage) -> list[tuple[str, str]]:
    found = re.search(r'<ol class="checks"[^>]*id="live-steps".*?</ol>', body(ask(scene)), re.DOTALL)
    return LINE.findall(found[0]) if found else []


def test_before_anything_is_known_aws_is_waited_for() -> None:
    assert steps(reporting()) == [
        ("AWS makes the role when you press “Create stack”", "Now"),
        ("AWS tells us by itself", "Then"),
        ("We check that only Northgate Cloud gets in", "Then"),
    ]


def test_a_report_is_new_on_the_page() -> None:
    scene = reporting()
    seen = digest(scene)
    assert ask(scene, seen=seen).status_code == 204
    reported(scene, CallbackStatus.OPEN)
    assert ask(scene, seen=seen).status_code == 200
    assert steps(scene) == [
        ("AWS has made the role", "Done"),
        ("AWS told us", "Done"),
        ("We are checking the role", "Now"),
    ]


def test_a_role_that_was_found_by_trying_needs_no_report() -> None:
    scene = reporting()
    move(scene, status=GrantStatus.CHECKING, checks={"found": "ok"})
    assert [answer for _, answer in steps(scene)] == ["Done", "Not needed", "Now"]


def test_a_refusal_is_told_with_its_reason_and_it_begins_anew() -> None:
    scene = reporting()
    reported(scene, CallbackStatus.REFUSED, reason="The role is not as agreed.")
    assert "We told AWS no, so AWS takes the stack back. The role is not as agreed." in body(ask(scene))
    assert [answer for _, answer in steps(scene)] == ["Now", "Then", "Then"]


def test_a_deletion_is_no_report() -> None:
    scene = reporting()
    reported(scene, CallbackStatus.GRANTED, kind="Delete")
    assert [answer for _, answer in steps(scene)] == ["Now", "Then", "Then"]


def test_without_call_back_there_are_no_steps() -> None:
    assert steps(stage.agreed()) == []


def test_at_the_end_there_are_no_steps() -> None:
    scene = reporting()
    seen = digest(scene)
    reported(scene, CallbackStatus.GRANTED)
    move(scene, status=GrantStatus.VERIFIED, checks=stage.ALL_WELL, verified_at=clock.now())
    assert ask(scene, seen=seen).status_code == 286
    assert steps(scene) == []
