"""The receipt, the certificate, the template and the list of projects."""

from __future__ import annotations

import csv
import datetime as dt
import html
import io
import json
import re
from dataclasses import replace
from typing import Any

import pytest

from accounts.lifecycle import ContactRole
from awsaccess.lifecycle import GrantStatus
from awsaccess.models import ExitProof, Grant, Visit
from engagements.models import Engagement
from portal.kernel import clock, tenancy
from tests.pages import stage
from tests.pages.reading import Page, read
from tests.pages.stage import Stage
from tests.pages.test_fronts import declined

pytestmark = pytest.mark.usefixtures("db")


def paper(scene: Stage, name: str) -> Page:
    response = scene.browser().get(scene.path(f"{name}/"))
    assert response.status_code == 200
    return read(response)


def test_a_receipt_tells_who_when_where_and_to_which_bytes() -> None:
    scene = stage.agreed()
    page = paper(scene, "receipt")
    assert page.h1 == "Your receipt"
    (consent,) = scene.consents()
    for words in (
        f"Reference {scene.engagement.code.upper()}-1",
        "Sam Carter, Operations Manager Brightwater Dental · sam@brightwater.example",
        consent.given_at.astimezone(dt.UTC).isoformat(timespec="seconds"),
        "4417 0926 5583",
        "Internet address 192.0.2.7",
        "Firefox/145.0",
        consent.shown_sha256,
        consent.offer_sha256,
        "This is a simple electronic signature.",
        "What they can’t do",
    ):
        assert words in page.text
    assert page.links["Download the template"] == scene.path("template/")


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (
            "code at 2026-11-19T14:20:00+00:00",
            "A code sent by email, Thursday 19 November 2026, 14:20 2026-11-19T14:20:00+00:00",
        ),
        ("invitation", "The link in the invitation"),
        ("passkey", "Signed in by passkey"),
        ("", "Signed in by not recorded"),
    ],
)
def test_a_receipt_tells_how_they_signed_in(told: str, words: str) -> None:
    scene = stage.agreed(evidence=replace(stage.EVIDENCE, sign_in=told))
    assert words in paper(scene, "receipt").text


def test_a_receipt_stays_and_says_when_it_was_taken_back() -> None:
    scene = stage.agreed()
    scene.browser().post(scene.path("end/"))
    page = paper(scene, "receipt")
    assert page.text.count("Taken back") == 2


def test_evidence_that_is_missing_is_not_made_up() -> None:
    scene = stage.agreed(evidence=replace(stage.EVIDENCE, ip="", user_agent=""))
    text = paper(scene, "receipt").text
    assert "Internet address not recorded Browser not recorded" in text


@pytest.mark.parametrize("make", [stage.invited, declined])
def test_before_an_agreement_there_is_no_receipt(make: Any) -> None:  # Any: a scene's maker
    scene = make()
    response = scene.browser().get(scene.path("receipt/"))
    assert response.status_code == 404
    assert read(response).h1 == "Page not found"


@pytest.mark.parametrize("name", ["receipt", "certificate"])
def test_papers_are_not_for_those_who_only_help_with_aws(name: str) -> None:
    scene = stage.closed()
    browser = scene.browser(scene.colleague(ContactRole.AWS_ADMIN))
    response = browser.get(scene.path(f"{name}/"))
    assert response.status_code == 403
    page = read(response)
    assert page.h1 == "This paper is for your colleagues"
    assert page.links["Go back"] == scene.path()


@pytest.mark.parametrize("name", ["receipt", "certificate", "template"])
def test_papers_of_another_client_do_not_exist(name: str) -> None:
    scene = stage.closed()
    assert scene.browser(scene.neighbour()).get(scene.path(f"{name}/")).status_code == 404


def test_before_the_end_the_certificate_leads_to_how_it_stands() -> None:
    scene = stage.closing()
    assert scene.browser().get(scene.path("certificate/")).headers["Location"] == scene.path()


def test_a_certificate_tells_how_it_was_proved() -> None:
    page = paper(stage.closed(), "certificate")
    for words in (
        "Northgate Cloud can’t get into your AWS account any more. We tried, and AWS refused.",
        "Maya Okafor and Tomasz Lis Northgate Cloud Ltd",
        "2 visits",
        "AWS refused us from",
        "AWS refused us last",
        "The last visit was over by",
        "SHA-256 of the proof that we keep.",
    ):
        assert words in page.text


def test_a_certificate_without_visits_and_without_a_name_for_the_account() -> None:
    scene = stage.closed()
    with tenancy.use(scene.scope):
        scene.engagement.visits.all().update(issued_at=None)
        Engagement.objects.filter(pk=scene.engagement.pk).update(account_name="", activated_at=None)
        ExitProof.objects.update(refused_since=None)
    page = paper(scene, "certificate")
    assert "0 visits" in page.text
    assert "Brightwater Dental 4417 0926 5583" in page.text
    assert "AWS refused us from" not in page.text


def test_a_certificate_without_a_proof_claims_none() -> None:
    scene = stage.active()
    with tenancy.use(scene.scope):
        Engagement.objects.filter(pk=scene.engagement.pk).update(status="closed", closed_at=None)
    page = paper(scene, "certificate")
    assert "Proved to be gone" not in page.text
    assert "How we proved it" not in page.text


def test_the_template_is_the_one_that_was_offered() -> None:
    scene = stage.agreed()
    response = scene.browser().get(scene.path("template/"))
    assert response.headers["Content-Type"] == "application/json"
    name = f"access-{scene.engagement.code}.json"
    assert response.headers["Content-Disposition"] == f'attachment; filename="{name}"'
    assert response.content.decode() == scene.offer().template
    assert json.loads(response.content)["Resources"]


WAYS = {
    "connect.sh": "text/x-shellscript",
    "remove.sh": "text/x-shellscript",
    "main.tf.json": "application/json",
}


@pytest.mark.parametrize("name", WAYS)
def test_other_ways_name_the_same_stack_template_and_account(name: str) -> None:
    scene = stage.agreed()
    connect = scene.browser().get(scene.path("connect/")).content.decode()
    assert f'href="{scene.path(name)}"' in connect
    assert f"latchkey-{scene.engagement.code}" in connect
    response = scene.browser().get(scene.path(name))
    assert response.headers["Content-Type"] == f"{WAYS[name]}; charset=utf-8"
    assert response.headers["Content-Disposition"] == f'attachment; filename="{name}"'
    text = response.content.decode()
    assert f"latchkey-{scene.engagement.code}" in text
    assert scene.engagement.account_id in text
    assert (f"versionId={scene.offer().template_version_id}" in text) is (name != "remove.sh")


@pytest.mark.parametrize("name", WAYS)
def test_there_is_no_other_way_before_the_template_lies_ready(name: str) -> None:
    scene = stage.agreed(published=False)
    assert scene.browser().get(scene.path(name)).status_code == 404
    assert scene.path(name) not in scene.browser().get(scene.path("connect/")).content.decode()


def test_the_script_that_removes_it_is_offered_while_closing() -> None:
    scene = stage.closing()
    assert scene.path("remove.sh") in scene.browser().get(scene.path()).content.decode()


def table(scene: Stage) -> tuple[list[str], list[list[str]]]:
    """The header and the rows of the download."""
    response = scene.browser().get(scene.path("activity.csv"))
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    name = f"activity-{scene.engagement.code}.csv"
    assert response.headers["Content-Disposition"] == f'attachment; filename="{name}"'
    header, *rows = csv.reader(io.StringIO(response.content.decode("utf-8-sig"), newline=""))
    return header, rows


def test_the_table_has_one_row_for_each_thing_that_the_page_shows() -> None:
    scene = stage.visited()
    header, rows = table(scene)
    assert header == ["Day", "Time (Europe/London)", "Time (UTC)", "What happened", "Details", "Who", "Visit"]
    page = scene.browser().get(scene.path()).content.decode()
    titles = [html.unescape(found) for found in re.findall(r"<div><h3>(.*?)</h3>", page)]
    assert [row[3] for row in rows] == titles
    assert [row[2] for row in rows] == sorted((row[2] for row in rows), reverse=True)
    assert f'href="{scene.path("activity.csv")}"' in page


def test_each_visit_is_one_row_with_its_number_and_its_person() -> None:
    scene = stage.visited()
    with tenancy.use(scene.scope):
        visits = {str(visit.pk): visit.consultant_name for visit in Visit.objects.all()}
    _, rows = table(scene)
    assert {row[6]: row[5] for row in rows if row[6]} == visits
    assert len([row for row in rows if row[6]]) == len(visits) > 0


def test_a_person_who_is_called_like_a_formula_is_text() -> None:
    scene = stage.active()
    stage.make_visit(scene, minutes_ago=5, reason="=1+1", name="=cmd|'/c calc'!A1")
    _, rows = table(scene)
    assert {row[5] for row in rows if row[6]} == {"'=cmd|'/c calc'!A1"}


def test_a_template_that_was_never_offered_does_not_exist() -> None:
    scene = stage.set_stage()
    assert scene.browser().get(scene.path("template/")).status_code == 404


@pytest.mark.parametrize(
    ("make", "tag", "link"),
    [
        (stage.invited, "Invited", "Review the access"),
        (stage.agreed, "Agreed", "Switch it on in AWS"),
        (stage.active, "Access on", "See what happens"),
        (stage.paused, "Paused", "See what happens"),
        (stage.closing, "Ended", "Finish closing"),
        (stage.closed, "Ended", "See the certificate"),
        (declined, "Ended", "See your answer"),
    ],
)
def test_the_list_has_one_word_for_each_project(make: Any, tag: str, link: str) -> None:  # Any: as above
    scene = make()
    page = read(scene.browser().get("/e/"))
    assert page.h1 == "Your projects"
    assert f"· Brightwater Production {tag} {link}" in page.text
    assert page.links["Cost review"] == page.links[link] == scene.path()


def test_the_list_never_calls_a_broken_access_on() -> None:
    scene = stage.broken({"found": "ok", "lock": "fail"}, status=GrantStatus.UNSAFE, problem="x")
    text = read(scene.browser().get("/e/")).text
    assert "Problem See what happens" in text
    assert "Access on" not in text


def test_a_pause_outranks_a_problem_in_the_list() -> None:
    scene = stage.paused()
    with tenancy.use(scene.scope):
        Grant.objects.update(status=GrantStatus.DRIFTED)
    assert "Paused See what happens" in read(scene.browser().get("/e/")).text


def test_the_list_without_a_name_for_the_account_shows_the_end_alone() -> None:
    scene = stage.active()
    with tenancy.use(scene.scope):
        Engagement.objects.update(account_name="")
    assert "·" not in read(scene.browser().get("/e/")).text


def test_a_list_without_projects_says_what_will_be_there() -> None:
    scene = stage.set_stage()
    text = read(scene.browser().get("/e/")).text
    assert "Nothing here yet. A project shows up as soon as you are invited to one." in text


def test_nobody_sees_the_list_of_another_client() -> None:
    scene = stage.active()
    text = read(scene.browser(scene.neighbour()).get("/e/")).text
    assert "Cost review" not in text


def test_the_list_needs_a_sign_in() -> None:
    scene = stage.active()
    browser = scene.browser()
    browser.logout()
    assert browser.get("/e/").headers["Location"] == "/account/login/?next=%2Fe%2F"


def test_a_list_is_only_read() -> None:
    assert stage.active().browser().post("/e/").status_code == 405


def test_ended_at_is_the_end_when_it_came_by_itself() -> None:
    scene = stage.closed()
    with tenancy.use(scene.scope):
        Engagement.objects.update(closing_at=None, ends_at=clock.now() - dt.timedelta(days=400))
    year = (clock.now() - dt.timedelta(days=400)).year
    assert f" {year}" in paper(scene, "certificate").text
