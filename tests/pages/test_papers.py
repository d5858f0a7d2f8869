"""The receipt, the certificate, the template and the list of projects."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from typing import Any

import pytest

from accounts.lifecycle import ContactRole
from awsaccess.lifecycle import GrantStatus
from awsaccess.models import ExitProof, Grant
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


def test_the_command_beside_it_names_the_same_file_and_stack() -> None:
    scene = stage.agreed()
    text = read(scene.browser().get(scene.path("connect/"))).text
    assert f"--template-file access-{scene.engagement.code}.json" in text
    assert f"--stack-name latchkey-{scene.engagement.code}" in text
    assert "--region eu-west-1" in text


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
