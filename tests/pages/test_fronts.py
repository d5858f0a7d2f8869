"""Where an engagement stands, and who looks, decides what its one address shows."""

from __future__ import annotations

import pytest
from django.test import Client as Browser

from accounts.lifecycle import ContactRole
from accounts.models import User
from engagements.models import Engagement
from engagements.services.closing import engagement_end
from engagements.services.consents import engagement_decline
from engagements.services.moves import engagement_cancel
from engagements.services.pauses import engagement_pause
from portal.kernel import actor, clock, tenancy
from portal.pages import doors
from tests.pages import stage
from tests.pages.reading import Page, read
from tests.pages.stage import Stage

pytestmark = pytest.mark.usefixtures("db")
VIEWER, AWS_ADMIN = ContactRole.VIEWER, ContactRole.AWS_ADMIN


def seen_by(scene: Stage, user: User | None = None) -> Page:
    """The front page, before that person."""
    response = scene.browser(user).get(scene.path())
    assert response.status_code == 200
    page = read(response)
    assert page.title.startswith(page.h1)
    assert len(page.filled) <= 1, "one filled button per view"
    return page


def declined() -> Stage:
    """Sam said no."""
    scene = stage.invited()
    with tenancy.use(scene.client_scope):
        engagement_decline(
            engagement=scene.engagement, contact=scene.contact, reason="not now", actor=scene.sam_acts
        )
    return scene


def paused_by_maya() -> Stage:
    """The practice paused it, without a word."""
    scene = stage.active()
    with tenancy.use(scene.scope):
        maya = actor.person(scene.maya.pk, name=scene.maya.name, email=scene.maya.email)
        engagement_pause(engagement=scene.engagement, actor=maya)
    return scene


def test_an_invitation_shows_who_why_where_what_and_until_when() -> None:
    page = seen_by(stage.invited())
    assert page.h1 == "Review the access we’re asking for"
    for words in (
        "Maya Okafor would like to look at your AWS account to find out why the bill went up.",
        "Nothing happens until you agree here and then switch access on in AWS.",
        "Maya Okafor and Tomasz Lis Northgate Cloud Ltd",
        "Agreed in contract NC-2026-031",
        "Brightwater Production 4417 0926 5583",
        "Look only",
        "It ends by itself. You can end it sooner.",
        "Change, add or delete anything",
        "You are Sam Carter, Operations Manager",
    ):
        assert words in page.text


def test_an_approver_may_agree_ask_or_say_no() -> None:
    scene = stage.invited()
    page = seen_by(scene)
    assert page.forms == [scene.path("agree/")]
    assert page.buttons == ["Agree and continue"]
    assert page.links["say no"] == scene.path("decline/")
    assert page.links["Ask a question first"] == scene.path("question/")


def test_a_viewer_reads_the_invitation_and_cannot_answer_it() -> None:
    scene = stage.invited()
    page = seen_by(scene, scene.colleague(VIEWER))
    assert "Someone else has to agree" in page.text
    assert "What they can’t do" in page.text
    assert page.forms == []
    assert "say no" not in page.links


def test_whoever_does_the_aws_step_waits_for_the_answer() -> None:
    scene = stage.invited()
    page = seen_by(scene, scene.colleague(AWS_ADMIN))
    assert page.h1 == "Someone else has to agree"
    assert "What they can’t do" not in page.text
    assert "Your projects" not in page.links
    assert page.links["Ask Maya about it"].startswith("mailto:maya@northgate.example")


def test_an_unknown_account_is_asked_for() -> None:
    page = seen_by(stage.invited(account_id=""))
    assert "You fill in its number below." in page.text
    assert page.fields["account_id"] == ""


def test_an_agreement_leads_into_aws() -> None:
    scene = stage.agreed()
    page = seen_by(scene)
    assert page.h1 == "Switch on access in AWS"
    assert "Waiting for AWS" in page.text
    assert "4417 0926 5583" in page.text
    opened = page.links["Open AWS (opens in a new tab)"]
    assert "cloudformation" in opened
    assert f"stackName=latchkey-{scene.engagement.code}" in opened
    assert page.links["take it back"] == scene.path("end/")


def test_the_way_into_aws_can_be_sent_to_a_colleague() -> None:
    scene = stage.agreed()
    assert seen_by(scene).links["Send this to a colleague"] == scene.path("hand-over/")


def test_until_the_template_lies_ready_there_is_nothing_to_open() -> None:
    page = seen_by(stage.agreed(published=False))
    assert "We are getting the page in AWS ready for you." in page.text
    assert not [words for words in page.links if words.startswith(("Open AWS", "Send this"))]


@pytest.mark.parametrize("role", [VIEWER, AWS_ADMIN])
def test_others_may_do_the_aws_step_and_not_take_the_answer_back(role: ContactRole) -> None:
    scene = stage.agreed()
    page = seen_by(scene, scene.colleague(role))
    assert page.h1 == "Switch on access in AWS"
    assert "Open AWS (opens in a new tab)" in page.links
    assert "take it back" not in page.links


def test_an_access_that_is_on_says_who_can_do_what_until_when() -> None:
    scene = stage.active()
    page = seen_by(scene)
    assert page.h1 == "Access is on"
    assert "Maya and Tomasz can look, not change. It ends on" in page.text
    assert page.links["Pause access"] == scene.path("pause/")
    assert page.links["End access"] == scene.path("end/")
    assert page.links["Your receipt"] == scene.path("receipt/")


def test_the_first_time_says_what_happens_next() -> None:
    scene = stage.active()
    page = seen_by(scene)
    assert "What happens next" in page.text
    assert "You have nothing more to do." in page.text
    assert f"Reference {scene.engagement.code.upper()}-1" in page.text
    assert "Visits show up here within a minute of each sign-in." in page.text
    assert "Last visit None yet" in page.text


def test_every_visit_is_told_with_person_reason_and_door() -> None:
    page = seen_by(stage.visited())
    assert "Maya opened the AWS console Reason: compare server sizes with last month’s use." in page.text
    assert "Tomasz used the command line Reason: download the October bill." in page.text
    assert "What happens next" not in page.text
    assert page.text.index("Maya opened") < page.text.index("Tomasz used")


def test_a_viewer_sees_the_visits_and_cannot_pause_or_end() -> None:
    scene = stage.visited()
    page = seen_by(scene, scene.colleague(VIEWER))
    assert "Maya opened the AWS console" in page.text
    assert not {"Pause access", "End access"} & set(page.links)


def test_whoever_does_the_aws_step_sees_only_that_it_is_done() -> None:
    scene = stage.visited()
    page = seen_by(scene, scene.colleague(AWS_ADMIN))
    assert page.h1 == "Access is on"
    assert "Access is on and checked" in page.text
    assert "One button opens AWS" not in page.text
    assert "There is nothing left to do in AWS." in page.text
    assert "Maya opened" not in page.text


def test_a_pause_says_who_and_why_and_which_visits_are_open() -> None:
    scene = stage.paused()
    page = seen_by(scene)
    assert page.h1 == "Access is paused"
    assert "Sam Carter paused it. Reason: our accountant has a question." in page.text
    assert "Maya Okafor may still be inside. AWS ends it at" in page.text
    assert "Tomasz Lis may still be inside" not in page.text
    assert page.links["Switch back on"] == scene.path("resume/")
    assert page.links["End access"] == scene.path("end/")
    assert "Pause access" not in page.links


def test_a_pause_by_the_practice_names_the_consultant() -> None:
    page = seen_by(paused_by_maya())
    assert "Maya Okafor paused it. Nobody can start a visit." in page.text


def test_a_pause_of_the_portal_itself_names_nobody() -> None:
    scene = stage.active()
    with tenancy.use(scene.scope):
        engagement_pause(engagement=scene.engagement, actor=actor.machine("watch"))
    assert "It was paused. Nobody can start a visit." in seen_by(scene).text


def test_a_viewer_cannot_switch_a_pause_off() -> None:
    scene = stage.paused()
    assert not {"Switch back on", "End access"} & set(seen_by(scene, scene.colleague(VIEWER)).links)


def test_whoever_does_the_aws_step_sees_that_it_is_paused() -> None:
    scene = stage.paused()
    page = seen_by(scene, scene.colleague(AWS_ADMIN))
    assert "Access is paused Nobody can start a visit." in page.text
    assert "There is nothing to do in AWS now." in page.text
    assert "We are getting the page in AWS ready for you." not in page.text


def test_closing_shows_the_task_that_is_left_and_who_is_inside() -> None:
    scene = stage.closing()
    page = seen_by(scene)
    assert page.h1 == "Close this project"
    assert "Sam Carter ended it." in page.text
    assert "0 of 3 done" in page.text
    assert "Maya Okafor may still be inside." in page.text
    assert "cloudformation" in page.links["Open it in AWS (opens in a new tab)"]
    assert page.buttons == ["I have deleted it"]
    assert page.links["Your receipt"] == scene.path("receipt/")


def test_an_end_that_came_by_itself_says_so() -> None:
    scene = stage.active()
    with tenancy.use(scene.scope):
        engagement_end(engagement=scene.engagement, actor=actor.machine("window"))
    assert "It ended by itself on the day you agreed." in seen_by(scene).text


def test_whoever_does_the_aws_step_helps_to_close_and_is_offered_no_paper() -> None:
    scene = stage.closing()
    page = seen_by(scene, scene.colleague(AWS_ADMIN))
    assert page.h1 == "Close this project"
    assert page.buttons == ["I have deleted it"]
    assert "Your receipt" not in page.links


@pytest.mark.parametrize("role", [ContactRole.APPROVER, VIEWER])
def test_the_end_is_a_certificate(role: ContactRole) -> None:
    scene = stage.closed()
    user = scene.sam if role == ContactRole.APPROVER else scene.colleague(role)
    page = seen_by(scene, user)
    assert page.h1 == "Certificate: access has ended"
    for words in ("2 visits", "Brightwater Production 4417 0926 5583", "Refusals counted 61", "5f" * 32):
        assert words in page.text


def test_whoever_did_the_aws_step_learns_that_it_is_over_and_reads_no_paper() -> None:
    scene = stage.closed()
    page = seen_by(scene, scene.colleague(AWS_ADMIN))
    assert page.h1 == "Access has ended"
    assert "You have nothing more to do." in page.text
    assert "5f" * 32 not in page.text
    assert "Your receipt" not in page.links


def test_a_no_is_confirmed_to_who_said_it() -> None:
    page = seen_by(declined())
    assert page.h1 == "You said no"
    assert "Nothing was created in AWS, and Maya knows." in page.text


@pytest.mark.parametrize("role", [VIEWER, AWS_ADMIN])
def test_a_no_is_told_to_colleagues_with_its_name(role: ContactRole) -> None:
    scene = declined()
    page = seen_by(scene, scene.colleague(role))
    assert page.h1 == "Sam Carter said no"
    assert "Nothing was created in AWS, and Maya knows." in page.text


def test_a_draft_does_not_exist_for_the_client() -> None:
    scene = stage.set_stage()
    assert scene.browser().get(scene.path()).status_code == 404


def test_what_was_taken_back_does_not_exist_any_more() -> None:
    scene = stage.invited()
    with tenancy.use(scene.scope):
        engagement_cancel(engagement=scene.engagement, actor=actor.machine("test"))
    assert scene.browser().get(scene.path()).status_code == 404


def test_a_draft_that_slips_through_a_read_is_still_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = stage.set_stage()

    def careless(code: str) -> Engagement:
        return Engagement.objects.select_related("practice", "client", "moved_by").get(code=code)

    monkeypatch.setattr(doors, "engagement_for_client", careless)
    assert scene.browser().get(scene.path()).status_code == 404


def test_every_page_has_somebody_to_call_and_the_genuine_address() -> None:
    page = seen_by(stage.invited())
    assert page.links["+44 20 7946 0991"] == "tel:+442079460991"
    assert page.links["maya@northgate.example"] == "mailto:maya@northgate.example"
    assert "The address bar should say testserver." in page.text


def test_while_nobody_leads_the_practice_itself_is_called() -> None:
    scene = stage.invited()
    with tenancy.use(scene.scope):
        scene.engagement.assignments.update(ends_at=clock.now())
    page = seen_by(scene)
    assert "Northgate Cloud Northgate Cloud Ltd" in page.text
    assert page.links["help@northgate.example"] == "mailto:help@northgate.example"


def test_times_are_told_in_the_zone_of_the_reader() -> None:
    scene = stage.invited()
    User.objects.filter(pk=scene.sam.pk).update(timezone="America/New_York")
    assert "New York time (E" in seen_by(scene).text


def test_a_zone_that_is_not_known_here_falls_back_to_home() -> None:
    scene = stage.invited()
    User.objects.filter(pk=scene.sam.pk).update(timezone="Mars/Olympus_Mons")
    assert "London time (" in seen_by(scene).text


def test_who_is_signed_out_signs_in_and_comes_back() -> None:
    scene = stage.invited()
    response = Browser().get(scene.path())
    assert response.status_code == 302
    assert response.headers["Location"] == f"/account/login/?next=%2Fe%2F{scene.engagement.code}%2F"


def test_no_cache_keeps_a_page() -> None:
    scene = stage.invited()
    response = scene.browser().get(scene.path())
    assert response.headers["Cache-Control"] == "no-store"
    assert "HX-Request" in response.headers["Vary"]
