"""Saying no, pausing, going on, ending, having deleted: each a press, once, and never astray."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from accounts.lifecycle import HANDS, ContactRole
from accounts.models import Contact
from awsaccess.models import ExitProof, Grant
from awsaccess.services.leaving import deletion_confirm
from engagements.services.closing import engagement_end
from portal.kernel import actor, tenancy
from portal.kernel.errors import NotAllowed
from portal.kernel.models import Due, OutboxMessage
from tests.pages import stage
from tests.pages.conftest import Overtake
from tests.pages.reading import read
from tests.pages.stage import Stage
from tests.pages.test_fronts import declined

pytestmark = pytest.mark.usefixtures("db")
STAGES: dict[str, Callable[[], Stage]] = {
    "invited": stage.invited,
    "agreed": stage.agreed,
    "active": stage.active,
    "paused": stage.paused,
    "closing": stage.closing,
    "closed": stage.closed,
    "declined": declined,
}
# Where a page may be asked, and where it is answered.
OPEN_IN = {
    "agree": {"invited"},
    "decline": {"invited"},
    "pause": {"active"},
    "resume": {"paused"},
    "end": {"agreed", "active", "paused"},
    "deleted": {"closing"},
}
QUESTIONS = {
    "decline": (stage.invited, "Say no to this access", "Say no", "Go back", "declined"),
    "pause": (stage.visited, "Pause access", "Pause access", "Go back", "paused"),
    "resume": (stage.paused, "Switch access back on", "Switch back on", "Keep it paused", "active"),
    "end": (stage.visited, "End access", "End access", "Keep it", "closing"),
}


def letters(scene: Stage) -> list[str]:
    """The kinds of everything that is promised."""
    with tenancy.use(scene.scope):
        return list(OutboxMessage.objects.order_by("pk").values_list("kind", flat=True))


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_question_has_one_filled_button_and_one_way_back(name: str) -> None:
    make, heading, button, back, _after = QUESTIONS[name]
    scene = make()
    response = scene.browser().get(scene.path(f"{name}/"))
    assert response.status_code == 200
    page = read(response)
    assert page.h1 == heading
    assert page.title.startswith(heading)
    assert (page.buttons, page.links[back]) == ([button], scene.path())


@pytest.mark.parametrize("name", QUESTIONS)
def test_one_press_answers_it(name: str) -> None:
    make, _heading, _button, _back, after = QUESTIONS[name]
    scene = make()
    response = scene.browser().post(scene.path(f"{name}/"))
    assert response.headers["Location"] == scene.path()
    assert scene.fresh().status == after


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_second_press_changes_nothing_more(name: str) -> None:
    make, *_words, after = QUESTIONS[name]
    scene = make()
    browser = scene.browser()
    browser.post(scene.path(f"{name}/"))
    promised = letters(scene)
    assert browser.post(scene.path(f"{name}/")).headers["Location"] == scene.path()
    assert scene.fresh().status == after
    assert letters(scene) == promised


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_press_that_was_overtaken_is_told_so(name: str, overtake: Overtake) -> None:
    make, *_words, after = QUESTIONS[name]
    scene = make()
    browser = scene.browser()
    overtake(scene)
    browser.post(scene.path(f"{name}/"))
    promised = letters(scene)
    here = f"http://testserver{scene.path(f'{name}/')}"
    response = browser.post(scene.path(f"{name}/"), headers={"Referer": here})
    assert response.status_code == 409
    page = read(response)
    assert page.h1 == "This has changed in the meantime"
    assert "Nothing was done twice." in page.text
    assert page.links["See how it stands now"] == scene.path(f"{name}/")
    assert scene.fresh().status == after
    assert letters(scene) == promised


@pytest.mark.parametrize("name", QUESTIONS)
@pytest.mark.parametrize("role", [ContactRole.VIEWER, ContactRole.AWS_ADMIN])
def test_only_an_approver_may(name: str, role: ContactRole) -> None:
    make, *_words = QUESTIONS[name]
    scene = make()
    before = scene.fresh().status
    browser = scene.browser(scene.colleague(role))
    for response in (browser.get(scene.path(f"{name}/")), browser.post(scene.path(f"{name}/"))):
        assert response.status_code == 403
        page = read(response)
        assert page.h1 == "Someone else has to do this"
        assert "Nothing was changed." in page.text
        assert page.links["Go back"] == scene.path()
    assert scene.fresh().status == before


@pytest.mark.parametrize("status", STAGES)
def test_at_the_wrong_time_every_page_leads_to_how_it_stands(status: str) -> None:
    scene = STAGES[status]()
    browser = scene.browser()
    promised = letters(scene)
    for name in (name for name, stages in OPEN_IN.items() if status not in stages):
        response = browser.post(scene.path(f"{name}/"), follow=True)
        assert response.status_code == 200, name
        hops = [hop for hop, _status in response.redirect_chain]
        assert set(hops) <= {scene.path(), scene.path("connect/")}, name
        if name != "deleted":
            assert browser.get(scene.path(f"{name}/"), follow=True).status_code == 200, name
    assert scene.fresh().status == status
    assert letters(scene) == promised


@pytest.mark.parametrize("status", ["invited", "paused", "closing", "closed", "declined"])
def test_the_aws_step_is_only_there_while_there_is_something_to_switch_on(status: str) -> None:
    scene = STAGES[status]()
    assert scene.browser().get(scene.path("connect/")).headers["Location"] == scene.path()


@pytest.mark.parametrize("name", ["check", "deleted"])
def test_what_only_acts_has_no_page(name: str) -> None:
    scene = stage.closing()
    response = scene.browser().get(scene.path(f"{name}/"))
    assert (response.status_code, response.headers["Allow"]) == (405, "POST")


@pytest.mark.parametrize("name", ["decline", "pause"])
def test_a_reason_is_kept_if_there_is_one(name: str) -> None:
    make, *_words = QUESTIONS[name]
    scene = make()
    scene.browser().post(scene.path(f"{name}/"), {"reason": "our accountant has a question"})
    assert scene.fresh().moved_note == "our accountant has a question"


@pytest.mark.parametrize("name", ["decline", "pause"])
def test_a_reason_that_is_too_long_is_told_and_kept(name: str) -> None:
    make, *_words = QUESTIONS[name]
    scene = make()
    before = scene.fresh().status
    long = "because " * 40
    response = scene.browser().post(scene.path(f"{name}/"), {"reason": long})
    assert response.status_code == 422
    page = read(response)
    assert page.title.startswith("Error: ")
    assert page.fields["reason"] == long.strip()
    assert "at most 300" in next(words for words, href in page.links.items() if href == "#id_reason")
    assert scene.fresh().status == before


def test_saying_no_says_that_nothing_exists_in_aws() -> None:
    scene = stage.invited()
    page = read(scene.browser().get(scene.path("decline/")))
    assert "Nothing was created in AWS. Maya gets an email that you said no." in page.text
    assert "You don’t have to give a reason." in page.text


def test_the_practice_hears_of_a_no() -> None:
    scene = stage.invited()
    scene.browser().post(scene.path("decline/"))
    assert "engagements.declined" in letters(scene)


def test_pausing_tells_who_is_inside_first() -> None:
    scene = stage.visited()
    page = read(scene.browser().get(scene.path("pause/")))
    assert "Maya Okafor may still be inside. AWS ends it at" in page.text
    assert "Nobody is inside" not in page.text


def test_pausing_tells_that_nobody_is_inside() -> None:
    scene = stage.active()
    page = read(scene.browser().get(scene.path("pause/")))
    assert "Nobody is inside your account now." in page.text


def test_going_on_says_who_paused_and_what_stays_the_same() -> None:
    scene = stage.paused()
    page = read(scene.browser().get(scene.path("resume/")))
    assert "Sam Carter paused it. Reason: our accountant has a question." in page.text
    assert "The same as you agreed to." in page.text
    assert "The same end as before." in page.text


def test_ending_lists_what_happens_and_what_stays() -> None:
    scene = stage.visited()
    page = read(scene.browser().get(scene.path("end/")))
    for words in (
        "You don’t have to ask us, and you don’t have to say why.",
        "No new visits from now on.",
        "Maya Okafor may still be inside.",
        "We prove that nobody gets in, and send you a certificate.",
        "Your receipt and the list of visits stay here for you.",
        "This can’t be undone.",
    ):
        assert words in page.text


def test_ending_before_the_aws_step_takes_the_answer_back() -> None:
    scene = stage.agreed()
    scene.browser().post(scene.path("end/"))
    assert scene.fresh().status == "closing"
    (consent,) = scene.consents()
    assert consent.withdrawn_at is not None


def test_a_viewer_does_not_say_that_it_is_deleted() -> None:
    scene = stage.closing()
    viewer = scene.colleague(ContactRole.VIEWER)
    page = read(scene.browser(viewer).get(scene.path()))
    assert page.h1
    assert page.forms == []
    assert scene.browser(viewer).post(scene.path("deleted/")).status_code == 403
    with tenancy.use(scene.client_scope):
        theirs = Contact.objects.get(user=viewer)
        acts = actor.person(viewer.pk, name=viewer.name, email=viewer.email)
        with pytest.raises(NotAllowed):
            deletion_confirm(engagement=scene.engagement, contact=theirs, actor=acts)
    with tenancy.use(scene.scope):
        assert ExitProof.objects.get(engagement=scene.engagement).confirmed_at is None


@pytest.mark.parametrize("role", sorted(HANDS))
def test_who_decides_or_does_the_aws_step_may_say_that_it_is_deleted(role: ContactRole) -> None:
    scene = stage.closing()
    user = scene.sam if role == ContactRole.APPROVER else scene.colleague(role)
    response = scene.browser(user).post(scene.path("deleted/"))
    assert response.headers["Location"] == scene.path()
    with tenancy.use(scene.scope):
        proof = ExitProof.objects.select_related("confirmed_by").get(engagement=scene.engagement)
        assert proof.confirmed_by == user
        assert Due.objects.filter(kind="grant.closing").count() == 1
    assert scene.fresh().status == "closing"


def test_saying_so_twice_keeps_the_first_time() -> None:
    scene = stage.closing()
    browser = scene.browser()
    browser.post(scene.path("deleted/"))
    with tenancy.use(scene.scope):
        first = ExitProof.objects.get(engagement=scene.engagement).confirmed_at
    assert browser.post(scene.path("deleted/")).headers["Location"] == scene.path()
    with tenancy.use(scene.scope):
        assert ExitProof.objects.get(engagement=scene.engagement).confirmed_at == first


def test_saying_so_before_we_have_begun_to_look_loses_nothing() -> None:
    scene = stage.active()
    with tenancy.use(scene.client_scope):
        engagement_end(engagement=scene.engagement, actor=scene.sam_acts)
    response = scene.browser().post(scene.path("deleted/"))
    assert response.status_code == 409
    page = read(response)
    assert page.h1 == "One moment, please"
    assert "Nothing is at risk: no new visits can start." in page.text
    assert page.links["Back to the list"] == scene.path()


def test_saying_so_when_it_was_proved_meanwhile_leads_back(overtake: Overtake) -> None:
    scene = stage.closing()
    overtake(scene)
    with tenancy.use(scene.scope):
        proof = ExitProof.objects.get(engagement=scene.engagement)
        ExitProof.objects.filter(pk=proof.pk).update(proved_at=proof.begun_at)
    response = scene.browser().post(scene.path("deleted/"))
    assert read(response).links["Back to the list"] == scene.path()


def test_looking_again_asks_aws_soon_and_shows_how_it_stands() -> None:
    scene = stage.agreed()
    with tenancy.use(scene.scope):
        Grant.objects.filter(engagement=scene.engagement).update(account_id="441709265583")
    browser = scene.browser()
    for _ in range(2):
        assert browser.post(scene.path("check/")).headers["Location"] == scene.path()
    with tenancy.use(scene.scope):
        assert Due.objects.filter(kind="grant.check").count() == 1


@pytest.mark.parametrize("status", STAGES)
def test_looking_again_is_harmless_at_any_time(status: str) -> None:
    scene = STAGES[status]()
    response = scene.browser().post(scene.path("check/"), follow=True)
    assert response.redirect_chain == [(scene.path(), 302)]
    assert response.status_code == 200
    assert scene.fresh().status == status


@pytest.mark.parametrize("name", ["pause/", "decline/"])
def test_a_reason_typed_before_the_sign_in_was_over_is_still_there_after_the_next_one(name: str) -> None:
    scene = stage.active() if name == "pause/" else stage.invited()
    browser = scene.browser()
    browser.logout()
    browser.post(scene.path(name), {"reason": "we are <moving> house"})
    browser.force_login(scene.sam)
    assert "we are &lt;moving&gt; house" in browser.get(scene.path(name)).content.decode()


@pytest.mark.parametrize("name", ["agree", "decline", "pause", "resume", "end", "deleted", "check"])
def test_signed_out_it_leads_to_the_sign_in_and_back(name: str) -> None:
    scene = stage.visited()
    browser = scene.browser()
    browser.logout()
    response = browser.post(scene.path(f"{name}/"))
    own = "" if name in {"deleted", "check"} else f"{name}%2F"  # these two know no GET
    assert response.headers["Location"] == f"/account/login/?next=%2Fe%2F{scene.engagement.code}%2F{own}"
    assert scene.fresh().status == "active"


def test_an_end_that_the_portal_decided_needs_no_person() -> None:
    scene = stage.agreed()
    with tenancy.use(scene.scope):
        engagement_end(engagement=scene.engagement, actor=actor.machine("window"))
    assert "It ended by itself" in read(scene.browser().get(scene.path())).text
