"""When something is wrong: what happened, whether anything is at risk, and one way on (UX §4)."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import pytest
from django.test import Client as Browser

from accounts.lifecycle import ContactRole
from awsaccess.lifecycle import GrantStatus, Verdict, VisitKind, VisitStatus
from awsaccess.models import Grant
from engagements.models import Engagement, Offer
from portal.kernel import clock, tenancy
from tests.pages import stage
from tests.pages.reading import Page, read
from tests.pages.stage import Stage

pytestmark = pytest.mark.usefixtures("db")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A problem that a check proved, and its words: title, whether anything is at risk, what AWS's page is for."""

    checks: dict[str, str]
    status: GrantStatus
    title: str
    risk: str
    mend: str


CASES = {
    "trusts anyone": Case(
        checks={"found": "ok", "lock": "fail"},
        status=GrantStatus.UNSAFE,
        title="Someone changed the lock",
        risk="Others might be able to use this access, so we use it no more.",
        mend="Put it back",
    ),
    "wrong account": Case(
        checks={"found": "fail"},
        status=GrantStatus.UNSAFE,
        title="That’s another account",
        risk="We expected account 4417 0926 5583. Nothing is switched on.",
        mend="Remove it in AWS",
    ),
    "not what was agreed": Case(
        checks={"found": "ok", "lock": "ok", "scope": "fail"},
        status=GrantStatus.DRIFTED,
        title="The access is not what you agreed to",
        risk="Nobody gets in until it is put back.",
        mend="Put it back",
    ),
    "another end": Case(
        checks={"found": "ok", "lock": "ok", "scope": "ok", "ends": "fail"},
        status=GrantStatus.DRIFTED,
        title="Someone changed the end date",
        risk="Nobody gets in until it is put back.",
        mend="Put it back",
    ),
    "refused": Case(
        checks={"found": "fail"},
        status=GrantStatus.UNREACHABLE,
        title="AWS no longer lets them in",
        risk="Nothing is at risk: nobody gets in.",
        mend="Look at it in AWS",
    ),
}
TECHNICAL = "AssumeRolePolicyDocument: Principal is *"


def shown(scene: Stage, page: str = "") -> Page:
    response = scene.browser().get(scene.path(page))
    assert response.status_code == 200
    return read(response)


def set_grant(scene: Stage, **changes: object) -> None:
    with tenancy.use(scene.scope):
        Grant.objects.filter(engagement=scene.engagement).update(**changes)


@pytest.mark.parametrize("name", CASES)
def test_an_access_with_a_problem_is_never_called_on(name: str) -> None:
    case = CASES[name]
    scene = stage.broken(case.checks, status=case.status, problem=TECHNICAL)
    page = shown(scene)
    assert page.h1 == case.title
    assert page.title.startswith(case.title)
    assert case.risk in page.text
    assert "Access is on" not in page.text
    assert "Automatic check passed" not in page.text


@pytest.mark.parametrize("name", CASES)
def test_a_problem_has_one_next_step_and_a_human(name: str) -> None:
    case = CASES[name]
    page = shown(stage.broken(case.checks, status=case.status, problem=TECHNICAL))
    assert page.filled == ["Check again"]
    assert "cloudformation" in page.links[f"{case.mend} (opens in a new tab)"]
    assert page.links["Talk to Maya"] == "mailto:maya@northgate.example"


@pytest.mark.parametrize("name", CASES)
def test_the_live_card_says_the_same(name: str) -> None:
    case = CASES[name]
    scene = stage.agreed()
    set_grant(scene, status=case.status, checks=case.checks, problem=TECHNICAL)
    page = shown(scene)
    assert case.title in page.text
    assert case.risk in page.text
    assert "Check again" in page.buttons
    assert "Access is on" not in page.text


def test_a_red_row_names_the_check_that_failed() -> None:
    scene = stage.agreed()
    set_grant(scene, status=GrantStatus.UNSAFE, checks={"found": "ok", "lock": "fail"}, problem="x")
    text = shown(scene).text
    assert "Access role found in your account Yes" in text
    assert "Only Northgate Cloud can use it No" in text
    assert "It can only look, as you agreed Waiting" in text


@pytest.mark.parametrize("page", ["", "connect/"])
def test_the_details_stand_behind_a_disclosure(page: str) -> None:
    case = CASES["trusts anyone"]
    scene = stage.broken(case.checks, status=case.status, problem=TECHNICAL)
    response = scene.browser().get(scene.path(page))
    assert TECHNICAL in read(response).text
    before, _, after = response.content.decode().partition(TECHNICAL)
    assert before.rstrip().endswith("<pre>")
    assert after.startswith("</pre></details>")


def test_a_refusal_without_a_proven_cause_names_none() -> None:
    case = CASES["refused"]
    text = shown(stage.broken(case.checks, status=case.status, problem=TECHNICAL)).text
    assert TECHNICAL not in text
    assert "The access may be deleted, changed, or blocked." in text


def test_a_problem_during_a_pause_is_told_as_well() -> None:
    scene = stage.paused()
    set_grant(scene, status=GrantStatus.UNSAFE, checks={"found": "ok", "lock": "fail"}, problem="x")
    page = shown(scene)
    assert page.h1 == "Access is paused"
    assert "Someone changed the lock Others might be able to use this access" in page.text
    assert "Switch it on again" not in page.links
    assert len(page.filled) == 1


def test_a_viewer_reads_of_a_problem_and_leaves_it_to_others() -> None:
    case = CASES["trusts anyone"]
    scene = stage.broken(case.checks, status=case.status, problem="")
    browser = scene.browser(scene.colleague(ContactRole.VIEWER))
    page = read(browser.get(scene.path()))
    assert page.forms == []
    assert "What you can do" in page.text
    refused = browser.post(scene.path("check/"))
    assert refused.status_code == 403
    assert "or who does the step in AWS, can. Nothing was changed." in read(refused).text


@pytest.mark.parametrize("status", [GrantStatus.EXPECTED, GrantStatus.CHECKING])
def test_while_aws_is_down_or_throttles_the_wait_is_told_and_nothing_is_lost(status: GrantStatus) -> None:
    scene = stage.agreed()
    checks = {"found": "ok"} if status == GrantStatus.CHECKING else {}
    set_grant(scene, status=status, checks=checks, last_verdict=Verdict.UNKNOWN, checked_at=clock.now())
    page = shown(scene)
    assert "AWS hasn’t answered yet. We keep trying for 7 days, and email you then." in page.text
    assert "Open AWS (opens in a new tab)" in page.links
    assert page.buttons == ["Check now"]
    assert scene.fresh().status == "agreed"


def test_an_outage_of_aws_is_never_the_clients_problem() -> None:
    scene = stage.active()
    set_grant(scene, last_verdict=Verdict.UNKNOWN, checked_at=clock.now())
    assert shown(scene).h1 == "Access is on"


def test_an_active_access_that_is_looked_at_anew_is_not_called_on() -> None:
    scene = stage.active()
    set_grant(scene, status=GrantStatus.CHECKING, checks={"found": "ok"})
    page = shown(scene)
    assert page.h1 == "Checking the access"
    assert "We are asking AWS again. This takes a few seconds." in page.text


def test_a_later_check_that_passed_is_told() -> None:
    scene = stage.active()
    set_grant(scene, checked_at=clock.now() + dt.timedelta(hours=1))
    assert "Automatic check passed" in shown(scene).text


def test_a_check_of_an_access_that_was_never_switched_on_here_is_told_too() -> None:
    scene = stage.active()
    with tenancy.use(scene.scope):
        Engagement.objects.update(activated_at=None)
    text = shown(scene).text
    assert "Automatic check passed" in text
    assert "Access switched on" not in text


def test_an_access_that_can_change_things_says_so_everywhere() -> None:
    scene = stage.invited()
    documents = {**scene.offer().documents, "kind": "change", "summary": "", "words": {}}
    with tenancy.use(scene.scope):
        row = Offer.objects.get(engagement=scene.engagement)
        made = Offer(
            practice=scene.practice,
            client=scene.client,
            engagement=scene.engagement,
            number=2,
            lines=row.lines,
            documents=documents,
            template=row.template,
            template_sha256=row.template_sha256,
            offer_sha256="1" * 64,
            frozen_at=clock.now(),
        )
        made.save(force_insert=True)
    page = shown(scene)
    for words in (
        "Look and change They can look, and they can change what is listed below.",
        "Maya Okafor would like to work in your AWS account",
        "What they will be able to do",
    ):
        assert words in page.text
    with tenancy.use(scene.scope):
        Engagement.objects.update(status="active")
        Grant.objects.update(status=GrantStatus.VERIFIED, checks=stage.ALL_WELL)
    assert "Maya and Tomasz can look, and change what you agreed to." in shown(scene).text
    assert "It can do what you agreed to, no more Yes" in shown(scene, "connect/").text


def test_an_offer_without_a_summary_has_the_usual_words() -> None:
    scene = stage.active()
    set_grant(scene, verified_at=None)
    assert "All four checks passed. We’ve emailed you a receipt." in shown(scene, "connect/").text


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (VisitStatus.REFUSED, VisitKind.CONSOLE, "Maya was not let in"),
        (VisitStatus.ORPHANED, VisitKind.CLI, "Maya asked to come in"),
        (VisitStatus.INTENDED, VisitKind.CONSOLE, "Maya asked to come in"),
    ],
)
def test_a_visit_that_came_to_nothing_is_told_too(status: VisitStatus, kind: VisitKind, words: str) -> None:
    scene = stage.active()
    visit = stage.make_visit(scene, minutes_ago=5, reason="compare bills.", kind=kind)
    with tenancy.use(scene.scope):
        type(visit).objects.filter(pk=visit.pk).update(status=status, issued_at=None, ends_at=None)
    text = shown(scene).text
    assert f"{words} Reason: compare bills." in text
    assert ("We don’t know whether it worked." in text) is (status != VisitStatus.REFUSED)
    inside = shown(scene, "pause/").text
    assert ("may still be inside" in inside) is (status != VisitStatus.REFUSED)


def test_a_link_that_is_used_expired_or_made_up_has_one_page() -> None:
    response = Browser().get("/i/mfrggzdfmztwq2lknnwg23tpobyxe43u/")
    assert response.status_code == 410
    page = read(response)
    assert page.h1 == "This link has expired"
    assert "Nothing is at risk" in page.text
    assert page.filled == ["Send me a new one"]


@pytest.mark.parametrize("path", ["/e/abcdefghjk/", "/e/abcdefghjk/agree/", "/e/abcdefghjk/receipt/"])
def test_an_address_that_never_was_looks_like_one_that_is_not_yours(path: str) -> None:
    scene = stage.invited()
    yours = scene.browser(scene.neighbour()).get(
        path.replace("abcdefghjk", scene.engagement.code), follow=True
    )
    never = scene.browser().get(path, follow=True)
    assert (yours.status_code, never.status_code) == (404, 404)
    page = read(never)
    assert read(yours).h1 == page.h1 == "Page not found"
    assert len(page.filled) == 1
