"""What was done in a visit, as the client reads it: counts in words, calls on demand, gaps said, and why there is none."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.lifecycle import ContactRole
from awsaccess.lifecycle import Gap, ReportStatus
from awsaccess.models import Visit, VisitReport
from portal.kernel import clock, tenancy
from tests.console.cast import house
from tests.pages.stage import Stage, active, make_visit, visited

pytestmark = pytest.mark.django_db


def kept(number: int, action: str, deed: str) -> dict[str, str]:
    return {
        "id": f"e-{number}",
        "at": "2026-11-21T10:00:00+00:00",
        "action": action,
        "region": "eu-west-1",
        "deed": deed,
        "error": "",
    }


def reported(stage: Stage, **over: Any) -> Visit:  # Any: a report's columns
    make_visit(stage, minutes_ago=90, reason="compare server sizes")
    told = {
        "status": ReportStatus.COMPLETE,
        "fetched_at": clock.now(),
        "events": [
            kept(1, "ec2:DescribeInstances", "looked"),
            kept(2, "ec2:DescribeInstances", "looked"),
            kept(3, "ec2:StopInstances", "changed"),
            kept(4, "kms:Decrypt", "denied"),
        ],
    }
    with tenancy.use(stage.scope):
        visit = Visit.objects.get(engagement=stage.engagement)
        VisitReport.objects.create(
            practice=stage.practice,
            client=stage.client,
            engagement=stage.engagement,
            visit=visit,
            **{**told, **over},
        )
    return visit


def shown(stage: Stage) -> str:
    return stage.browser().get(stage.path("visits/")).content.decode()


def test_what_was_done_is_told_in_four_words_with_the_calls_behind() -> None:
    stage = active()
    visit = reported(stage)
    page = shown(stage)
    for words in ("Looked at", "Changed", "Deleted", "Tried, and AWS refused", "compare server sizes"):
        assert words in page
    assert "ec2:DescribeInstances  ×2  eu-west-1" in page
    assert "is not in AWS’s event history" in page
    front = stage.browser().get(stage.path()).content.decode()
    assert "1 change or deletion." in front
    assert f"{stage.path('visits/')}#v-{visit.pk}" in front


def test_what_stands_out_stands_out() -> None:
    stage = active()
    reported(stage, flagged=["kms:Decrypt"])
    assert "This stands out" in shown(stage)


def test_nothing_grave_frightens_nobody() -> None:
    stage = active()
    reported(stage)
    assert "This stands out" not in shown(stage)


def test_gaps_are_said() -> None:
    stage = active()
    gaps = [{"gap": gap.value, "regions": ["eu-north-1"]} for gap in Gap]
    reported(stage, gaps=gaps, status=ReportStatus.MISSING)
    page = shown(stage)
    assert "These regions gave no answer: eu-north-1." in page
    assert "nothing more will come" in page


def test_a_visit_that_changed_nothing_says_so_once_that_is_sure() -> None:
    stage = active()
    reported(stage, events=[kept(1, "ec2:DescribeInstances", "looked")])
    assert "Nothing was changed." in stage.browser().get(stage.path()).content.decode()


@pytest.mark.parametrize(
    ("status", "words"),
    [(ReportStatus.WAITING, "after AWS has ended the visit"), (ReportStatus.FIRST, "This is a first look")],
)
def test_how_far_it_has_come_is_told(status: ReportStatus, words: str) -> None:
    stage = active()
    reported(stage, status=status, events=[], fetched_at=None)
    assert words in shown(stage)


def test_without_the_line_the_page_says_why_there_is_no_report() -> None:
    page = shown(visited())
    assert "does not let us look into your account’s event history" in page


def test_who_was_not_let_in_did_nothing() -> None:
    stage = active()
    make_visit(stage, minutes_ago=5, reason="look", status="refused")
    assert "Nobody got in" in shown(stage)


def test_before_the_first_visit_there_is_nothing() -> None:
    assert "Nobody has been inside yet." in shown(active())


def test_less_than_agreed_is_told_on_both_pages() -> None:
    stage = active()
    make_visit(stage, minutes_ago=5, reason="look", narrowing={"read_only": True, "region": "eu-west-1"})
    assert "look only, only in eu-west-1" in shown(stage)
    assert (
        "Less than agreed: look only, only in eu-west-1."
        in stage.browser().get(stage.path()).content.decode()
    )


def test_the_consultant_reads_the_same_in_the_console() -> None:
    stage = active()
    visit = reported(stage, flagged=["kms:Decrypt"])
    home = house(stage)
    page = home.assigned.get(f"/console/awsaccess/visit/{visit.pk}/").content.decode()
    for words in ("What was done", "ec2:DescribeInstances  ×2  eu-west-1", "Stands out", "kms:Decrypt"):
        assert words in page
    assert home.unassigned.get(f"/console/awsaccess/visit/{visit.pk}/").status_code == 404


def test_another_client_and_who_only_helps_read_nothing() -> None:
    stage = active()
    reported(stage)
    assert stage.browser(stage.neighbour()).get(stage.path("visits/")).status_code == 404
    helper = stage.browser(stage.colleague(ContactRole.AWS_ADMIN))
    assert helper.get(stage.path("visits/")).status_code == 403
