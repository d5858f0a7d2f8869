"""What the console says and does of how a client agrees: options of the draft, questions, colleagues, records."""

from __future__ import annotations

import json

import pytest

from accounts.lifecycle import ContactRole
from engagements.services.talk import colleague_name, question_ask
from portal.kernel import tenancy
from portal.kernel.models import OutboxMessage
from tests.pages import stage
from tests.pages.reading import read
from tests.pages.stage import Stage

pytestmark = pytest.mark.usefixtures("db")


def page_of(scene: Stage, tail: str = "") -> str:
    return f"/console/engagements/engagement/{scene.engagement.code}/{tail}"


def ask(scene: Stage) -> None:
    with tenancy.use(scene.client_scope):
        question_ask(
            engagement=scene.engagement,
            contact=scene.contact,
            text="What will it cost?",
            actor=scene.sam_acts,
        )


def name(scene: Stage, email: str) -> None:
    with tenancy.use(scene.client_scope):
        colleague_name(
            engagement=scene.engagement, contact=scene.contact, name="Lee", email=email, actor=scene.sam_acts
        )


def test_a_question_is_read_and_answered_in_the_console() -> None:
    scene = stage.invited()
    browser = scene.browser(scene.maya)
    assert "Questions" not in read(browser.get(page_of(scene))).text
    assert browser.get(page_of(scene, "answer/")).status_code == 302
    ask(scene)
    assert "What will it cost?" in read(browser.get(page_of(scene))).text
    form = browser.get(page_of(scene, "answer/"))
    assert "Sam Carter: “What will it cost?”" in read(form).text
    assert browser.post(page_of(scene, "answer/"), {"confirm": "yes", "answer": ""}).status_code == 422
    sent = browser.post(page_of(scene, "answer/"), {"confirm": "yes", "answer": "Nothing."}, follow=True)
    assert "Whoever asked gets it by mail" in read(sent).text
    assert "Nothing." in read(browser.get(page_of(scene))).text
    with tenancy.use(scene.scope):
        assert OutboxMessage.objects.filter(kind="engagements.answer").count() == 1


@pytest.mark.parametrize(
    ("email", "hint"),
    [("lee@brightwater.example", False), ("lee@elsewhere.example", True)],
)
def test_a_named_colleague_is_shown_with_the_way_to_add_them(email: str, *, hint: bool) -> None:
    scene = stage.invited()
    name(scene, email)
    page = read(scene.browser(scene.maya).get(page_of(scene)))
    assert "Somebody else has to agree" in page.text
    assert email in page.text
    assert "Not added yet" in page.text
    assert ("not at brightwater.example" in page.text) is hint
    assert page.links["Add a contact"].endswith(f"/{scene.client.code}/add-contact/")


def test_a_colleague_who_was_added_is_shown_as_added() -> None:
    scene = stage.invited()
    name(scene, f"{ContactRole.VIEWER.value}@brightwater.example")
    scene.colleague(ContactRole.VIEWER)
    text = read(scene.browser(scene.maya).get(page_of(scene))).text
    assert "Added" in text
    assert "Not added yet" not in text


def test_the_records_of_consent_are_one_file() -> None:
    scene = stage.agreed()
    browser = scene.browser(scene.maya)
    page = read(browser.get(page_of(scene)))
    assert page.links["Download the records of consent"] == page_of(scene, "consents.json")
    answer = browser.get(page_of(scene, "consents.json"))
    (record,) = json.loads(answer.content)
    assert record == json.loads(scene.consents()[0].record)
    assert f"consents-{scene.engagement.code}.json" in answer.headers["Content-Disposition"]


def test_before_anybody_agreed_the_file_is_empty() -> None:
    scene = stage.invited()
    answer = scene.browser(scene.maya).get(page_of(scene, "consents.json"))
    assert json.loads(answer.content) == []


def test_how_they_have_to_agree_is_chosen_in_the_draft_and_shown() -> None:
    scene = stage.set_stage()
    browser = scene.browser(scene.maya)
    form = read(browser.get(page_of(scene, "edit/"))).fields
    wanted = {**form, "confirm": "yes", "approvals_needed": "2", "code_at_agreement": "on"}
    assert browser.post(page_of(scene, "edit/"), wanted).status_code == 302
    found = scene.fresh()
    assert (found.approvals_needed, found.code_at_agreement) == (2, True)
    assert "2 people, a code by email" in read(browser.get(page_of(scene))).text


def test_by_risk_is_what_stands_there_first_and_two_are_asked_of_a_client_who_has_them() -> None:
    scene = stage.set_stage()
    scene.colleague(ContactRole.APPROVER)
    browser = scene.browser(scene.maya)
    blank = browser.get("/console/engagements/engagement/add/").content.decode()
    assert '<option value="" selected>By risk: one to look, two to change things</option>' in blank
    form = read(browser.get(page_of(scene, "edit/"))).fields
    by_risk = {**form, "confirm": "yes", "approvals_needed": "", "profile": "serverless_build"}
    assert browser.post(page_of(scene, "edit/"), by_risk).status_code == 302
    assert scene.fresh().approvals_needed == 2
    assert "2 people" in read(browser.get(page_of(scene))).text
