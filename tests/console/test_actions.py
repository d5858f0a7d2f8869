"""What can be done to an engagement: asking explains, pressing acts once, pressing again changes nothing."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from accounts.models import Invitation, User
from engagements.lifecycle import EngagementStatus
from engagements.models import Engagement
from engagements.profiles import profile_named
from portal.kernel import tenancy
from portal.kernel.models import Due, OutboxMessage
from tests.console.cast import ENGAGEMENT, House, house
from tests.pages import stage

pytestmark = pytest.mark.django_db
YES = {"confirm": "yes"}
MOVES: dict[str, tuple[Callable[[], stage.Stage], dict[str, str], EngagementStatus]] = {
    "send": (stage.set_stage, {}, EngagementStatus.INVITED),
    "cancel": (stage.invited, {}, EngagementStatus.CANCELLED),
    "pause": (stage.active, {"reason": "a holiday"}, EngagementStatus.PAUSED),
    "end": (stage.active, {"reason": ""}, EngagementStatus.CLOSING),
}


def _contact_id(home: House) -> str:
    return str(home.stage.contact.pk)


@pytest.mark.parametrize("slug", MOVES)
def test_asking_explains_and_changes_nothing(slug: str) -> None:
    home = house(MOVES[slug][0]())
    before, status = home.events(), home.engagement.status
    for browser in (home.owner, home.assigned):
        answer = browser.get(home.url(f"{slug}/"))
        assert answer.status_code == 200
        assert "What happens" in answer.content.decode()
    assert (home.events(), home.engagement.status) == (before, status)


@pytest.mark.parametrize("slug", MOVES)
def test_pressing_acts_once_and_pressing_again_changes_nothing(slug: str) -> None:
    build, asked, after = MOVES[slug]
    home = house(build())
    first = home.owner.post(home.url(f"{slug}/"), {**YES, **asked})
    assert (first.status_code, first["Location"]) == (302, home.url())
    assert home.engagement.status == after
    told = home.events()
    again = home.owner.post(home.url(f"{slug}/"), {**YES, **asked}, follow=True)
    assert "can’t be done as things stand now" in again.content.decode()
    assert (home.engagement.status, home.events()) == (after, told)


@pytest.mark.parametrize("slug", MOVES)
def test_without_the_button_nothing_happens(slug: str) -> None:
    build, asked, _after = MOVES[slug]
    home = house(build())
    before = home.events()
    assert home.owner.post(home.url(f"{slug}/"), asked).status_code == 422
    assert home.events() == before


@pytest.mark.parametrize("slug", MOVES)
def test_only_those_who_write_and_are_assigned_may_press(slug: str) -> None:
    build, asked, _after = MOVES[slug]
    home = house(build())
    before = home.events()
    for browser, status in (
        (home.auditor, 403),
        (home.unassigned, 404),
        (home.stranger, 404),
        (home.contact, 404),
    ):
        assert browser.get(home.url(f"{slug}/")).status_code == status
        assert browser.post(home.url(f"{slug}/"), {**YES, **asked}).status_code == status
    assert home.events() == before


def test_an_auditor_sees_no_buttons_but_the_clients_page() -> None:
    home = house(stage.active())
    shown = home.auditor.get(home.url()).content.decode()
    assert "The client’s page" in shown
    assert not any(home.url(f"{slug}/") in shown for slug in ("open", "pause", "end"))


def test_what_our_side_paused_our_side_resumes() -> None:
    home = house(stage.active())
    home.assigned.post(home.url("pause/"), {**YES, "reason": "a holiday"})
    assert "“a holiday”" in home.owner.get(home.url()).content.decode()
    assert home.owner.post(home.url("resume/"), YES).status_code == 302
    assert home.engagement.status == EngagementStatus.ACTIVE


def test_what_the_client_paused_only_the_client_resumes() -> None:
    home = house(stage.paused())
    assert home.url("resume/") not in home.owner.get(home.url()).content.decode()
    home.owner.post(home.url("resume/"), YES)
    assert home.engagement.status == EngagementStatus.PAUSED


def test_sending_without_a_hub_says_so_and_keeps_the_draft() -> None:
    home = house(stage.set_stage())
    with tenancy.use(home.stage.scope):
        home.stage.practice.hub.delete()
    answer = home.owner.post(home.url("send/"), YES)
    assert answer.status_code == 422
    assert "no AWS set-up yet" in answer.content.decode()
    assert home.engagement.status == EngagementStatus.DRAFT
    assert "no AWS set-up yet" in home.owner.get(home.url("preview/"), follow=True).content.decode()


def test_an_invitation_is_sent_again_to_the_one_who_was_chosen() -> None:
    home = house(stage.invited())
    asked = {**YES, "contact": _contact_id(home)}
    assert home.owner.post(home.url("invite/"), asked).status_code == 302
    with tenancy.use(home.stage.scope):
        rows = list(Invitation.objects.filter(contact=home.stage.contact).order_by("expires_at"))
        assert [row.replaced_at is None for row in rows] == [False, True]
        assert OutboxMessage.objects.filter(kind="engagements.invitation").count() == 2
    assert (
        home.owner.post(home.url("invite/"), {**YES, "contact": str(home.stage.maya.pk)}).status_code == 422
    )


def test_the_clients_page_is_shown_to_the_letter_before_and_after_sending() -> None:
    home = house(stage.set_stage())
    draft = home.owner.get(home.url("preview/")).content.decode()
    home.owner.post(home.url("send/"), YES)
    sent = home.owner.get(home.url("preview/")).content.decode()
    theirs = home.contact.get(home.stage.path()).content.decode()
    assert _paper(sent) == _paper(theirs)
    assert _paper(draft) == _paper(theirs).replace(_offer_hash(theirs), "")
    assert 'name="shown" value=""' in sent  # nothing that could be agreed with
    assert "<div inert>" in draft


def test_a_preview_is_never_saved() -> None:
    home = house(stage.set_stage())
    home.owner.get(home.url("preview/"))
    with tenancy.use(home.stage.scope):
        assert home.stage.engagement.offers.count() == 0


def test_the_preview_shows_optional_lines_warnings_and_the_readers_language() -> None:
    home = house(stage.set_stage())
    with tenancy.use(home.stage.scope):
        Engagement.objects.update(profile="database_work", optional=["databases_logs"])
    User.objects.filter(pk=home.stage.sam.pk).update(language="de")
    shown = home.owner.get(home.url("preview/")).content.decode()
    german = profile_named("database_work", "de")
    assert 'id="optional-databases_logs"' in shown
    assert "Bedenken " in shown
    for text in (german.summary, german.warnings[0], german.optional_lines[0].title):
        assert text in shown


def test_the_preview_of_a_profile_that_was_taken_back_says_so() -> None:
    home = house(stage.set_stage())
    with tenancy.use(home.stage.scope):
        Engagement.objects.update(profile="own-gone")
    answer = home.owner.get(home.url("preview/"), follow=True).content.decode()
    assert "is not offered any more" in answer
    assert "Not offered any more" in answer


def test_a_draft_offers_lines_of_its_own_profile_only() -> None:
    home = house(stage.set_stage())
    asked = {
        **_draft(home),
        "profile": "cost_review",
        "optional": ["cost_review:advice", "database_work:databases_logs"],
    }
    answer = home.owner.post(f"{ENGAGEMENT}add/", asked)
    assert answer.status_code == 422
    text = answer.content.decode()
    assert "belongs to another kind of access than the one you chose" in text
    (ticked,) = re.findall(r'<input[^>]*value="cost_review:advice"[^>]*>', text)
    assert " checked" in ticked
    many = {
        **_draft(home),
        "profile": "cost_review",
        "optional": [f"cost_review:{key}" for key in ("advice", "history")] * 3,
    }
    assert "Choose 4 at most" in home.owner.post(f"{ENGAGEMENT}add/", many).content.decode()
    unknown = {**_draft(home), "profile": "cost_review", "optional": ["cost_review:network"]}
    assert home.owner.post(f"{ENGAGEMENT}add/", unknown).status_code == 422


def test_the_lines_of_a_draft_are_offered_and_stand_ready_when_it_is_edited() -> None:
    home = house(stage.set_stage())
    asked = {**_draft(home), "profile": "cost_review", "optional": ["cost_review:history"]}
    answer = home.owner.post(f"{ENGAGEMENT}add/", asked)
    assert answer.status_code == 302
    with tenancy.use(home.stage.scope):
        assert Engagement.objects.get(code=answer["Location"].split("/")[-2]).optional == ["history"]
    page = " ".join(home.owner.get(f"{answer['Location']}edit/").content.decode().split())
    assert page.count(" checked") == 2  # the profile, and the line
    assert 'value="cost_review:history"' in page


def test_a_draft_is_written_with_its_lead() -> None:
    home = house(stage.set_stage())
    answer = home.owner.post(f"{ENGAGEMENT}add/", _draft(home))
    assert answer.status_code == 302
    page = home.owner.get(answer["Location"]).content.decode()
    assert "Security check" in page
    assert "4417 0926 5583" in page
    assert "Maya Okafor" in page


def test_a_consultant_leads_what_they_ask_for() -> None:
    home = house(stage.set_stage())
    refused = home.unassigned.post(f"{ENGAGEMENT}add/", _draft(home))
    assert refused.status_code == 422
    ines = home.unassigned.session["_auth_user_id"]
    answer = home.unassigned.post(f"{ENGAGEMENT}add/", {**_draft(home), "lead": ines})
    assert home.unassigned.get(answer["Location"]).status_code == 200


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("ends_at", "2020-01-01T00:00"),
        ("account_id", "12"),
        ("profile", "everything"),
        ("client", "x"),
        ("title", ""),
    ],
)
def test_a_fault_comes_back_with_everything_that_was_typed(field: str, value: str) -> None:
    home = house(stage.set_stage())
    answer = home.owner.post(f"{ENGAGEMENT}add/", {**_draft(home), field: value})
    shown = answer.content.decode()
    assert answer.status_code == 422
    assert "<title>Error:" in shown
    assert "to see which doors are open" in shown


def test_another_practices_client_cannot_be_chosen() -> None:
    home = house(stage.set_stage())
    asked = {**_draft(home), "lead": home.stranger.session["_auth_user_id"]}
    assert home.stranger.post(f"{ENGAGEMENT}add/", asked).status_code == 422


def test_people_of_the_practice_are_added_and_no_others() -> None:
    home = house(stage.set_stage())
    ines = {**YES, "consultant": home.unassigned.session["_auth_user_id"], "role": "member"}
    assert home.unassigned.get(home.url()).status_code == 404
    assert home.owner.post(home.url("assign/"), ines).status_code == 302
    assert home.unassigned.get(home.url()).status_code == 200
    assert home.owner.post(home.url("assign/"), ines).status_code == 422
    stranger = {**ines, "consultant": home.stranger.session["_auth_user_id"]}
    assert home.owner.post(home.url("assign/"), stranger).status_code == 422
    auditor = {**ines, "consultant": home.auditor.session["_auth_user_id"]}
    before = home.events()
    assert home.owner.post(home.url("assign/"), auditor).status_code == 422
    assert home.events() == before


def test_a_check_is_asked_for_and_runs_soon() -> None:
    home = house(stage.active())
    with tenancy.use(home.stage.scope):
        home.stage.engagement.grants.update(checked_at="2026-01-01T00:00Z")
    url = f"/console/awsaccess/grant/{home.grant().pk}/check/"
    assert home.assigned.post(url, YES).status_code == 302
    with tenancy.use(home.stage.scope):
        assert Due.objects.filter(kind="grant.check", object_id=home.grant().pk).count() == 1


def _draft(home: House) -> dict[str, str]:
    return {
        "client": str(home.stage.client.pk),
        "lead": str(home.stage.maya.pk),
        "title": "Security check",
        "purpose": "to see which doors are open",
        "profile": "security_review",
        "ends_at": "2036-12-18T18:00",
        "account_id": "4417-0926-5583",
        "account_name": "",
        "contract_reference": "",
    }


def _paper(html: str) -> str:
    """The part that is agreed to."""
    start = html.index('<div class="stack-l" id="agreement"')
    return html[start : html.index("You stay in control", start)]


def _offer_hash(html: str) -> str:
    return html.partition('data-offer="')[2].partition('"')[0]
