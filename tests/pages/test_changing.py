"""A change of access at the client: only the difference first, the old access kept whatever the answer."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import transaction

from accounts.lifecycle import ContactRole
from awsaccess.services.changing import change_offer
from engagements.lifecycle import ChangeStatus
from engagements.models import Consent, Engagement, Offer, ScopeChange
from engagements.profiles import profile_named
from engagements.profiles.reading import HARDEST, grade
from engagements.selectors import change_open
from engagements.services.change_answers import change_take_back
from engagements.services.changes import change_in_force_within
from portal.kernel import actor, tenancy
from portal.pages import changing
from portal.pages.frames import desk_of
from tests.engagements.test_profile_pages import prose_of
from tests.pages import stage
from tests.pages.reading import Page, read
from tests.pages.stage import Stage

pytestmark = pytest.mark.usefixtures("db")
MACHINE = actor.machine("test")


def asked(
    *,
    profile: str = "security_review",
    optional: tuple[str, ...] = (),
    days: int = 0,
    scene: Stage | None = None,
) -> Stage:
    scene = scene or stage.active()
    with tenancy.use(scene.scope):
        change_offer(
            engagement=scene.engagement,
            profile=profile,
            optional=optional,
            ends_at=scene.fresh().ends_at + dt.timedelta(days=days),
            actor=MACHINE,
        )
    return scene


def change_of(scene: Stage) -> ScopeChange:
    with tenancy.use(scene.scope):
        return ScopeChange.objects.select_related("offer", "before").latest("asked_at")


def html_of(scene: Stage) -> str:
    answer = scene.browser().get(scene.path("change/"))
    assert answer.status_code == 200
    return answer.content.decode()


def page_of(scene: Stage) -> Page:
    return read(scene.browser().get(scene.path("change/")))


def form_of(scene: Stage, *ticked: str, agree: str = "on") -> dict[str, str | list[str]]:
    return {"shown": page_of(scene).fields["shown"], "agree": agree, "optional": list(ticked)}


def difference(html: str) -> str:
    """What stands before the whole text."""
    return html.partition("Read the whole text")[0]


def agree(scene: Stage, *ticked: str) -> None:
    answer = scene.browser().post(scene.path("change/agree/"), form_of(scene, *ticked))
    assert (answer.status_code, answer["Location"]) == (302, scene.path("change/"))


# ---------------------------------------------------------------- what stands first


def test_ux_row_27_only_the_difference_stands_first_and_the_whole_text_behind_it() -> None:
    html = html_of(asked())
    before, after = profile_named("cost_review"), profile_named("security_review")
    first, _, whole = html.partition("Read the whole text")
    titles_before, titles_after = ({line.title for line in each.lines} for each in (before, after))
    for title in titles_before ^ titles_after:
        assert title in first
    for title in titles_before & titles_after:
        assert title not in first
    assert all(title in whole for title in titles_after)
    assert html.index("Added") < html.index("Taken away") < html.index("Read the whole text")
    assert "<details><summary>" in html.replace("\n", "")
    assert "It opens more than before." in first
    assert "It takes something away." in first


def test_a_later_end_alone_says_so_and_nothing_else() -> None:
    first = difference(html_of(asked(profile="cost_review", days=30)))
    assert "So far:" in first
    assert "It opens more than before." in first
    for heading in ("Added", "Taken away", "Changed", "Limits that change", "Kind of access"):
        assert heading not in first


def test_an_earlier_end_only_takes_away() -> None:
    page = page_of(asked(profile="cost_review", days=-3))
    assert "This takes something away, and opens nothing new." in page.text
    assert page.h1 == "Review a change to the access"
    assert "What you agreed to before keeps working." in page.text


def test_limits_and_warnings_that_change_are_told() -> None:
    scene = asked(profile="full_administrator")
    first = difference(html_of(scene))
    assert "We no longer promise this:" in first
    assert profile_named("cost_review").limits[0].title in first
    assert all(text in first for text in profile_named("full_administrator").warnings)
    assert "So far: Look only" in first


def test_a_line_that_reads_the_same_and_opens_something_else_is_told() -> None:
    scene = asked()
    change = change_of(scene)
    desk_lines = [{**line, "actions": ["ec2:*"]} for line in change.before.lines]
    change.offer.lines = desk_lines
    change.offer.documents["words"] = {}
    changed = changing._lines(change.offer, "en")
    behind = [
        line for line in changed if changing._opens_otherwise(line, changing._lines(change.before, "en"))
    ]
    assert [line.actions for line in behind] == [("ec2:*",)] * 3


def test_lines_that_are_worded_anew_or_open_something_else_stand_under_changed() -> None:
    scene = stage.active()
    asked(scene=scene, profile="cost_review", days=1)
    change = change_of(scene)
    offer = Offer(
        number=9,
        lines=[{**line, "why": f"{line['why']} Now.", "actions": ["ec2:*"]} for line in change.before.lines],
        documents={**change.offer.documents, "words": {}},
        offer_sha256="0" * 64,
    )
    with tenancy.use(scene.scope):
        engagement = Engagement.objects.select_related("practice", "client").get(pk=scene.engagement.pk)
        desk = desk_of(engagement=engagement, assignments=[], contact=scene.contact, user=scene.sam)
        change.offer = offer
        paper = changing.paper_of(desk, change)
        html = changing.paper_html(desk, change)
    assert len(paper.reworded) == len(paper.behind) == 3
    assert "It reads as before, but AWS opens something else for it." in html


@pytest.mark.parametrize("profile", ["security_review", "full_administrator", "database_work"])
def test_the_page_is_easy_to_read(profile: str) -> None:
    assert grade(prose_of(html_of(asked(profile=profile, days=10)))) <= HARDEST


@pytest.mark.parametrize(
    ("opens", "takes", "words"),
    [
        (True, True, "opens more in one place"),
        (True, False, "opens more than before"),
        (False, True, "takes something away"),
        (False, False, "opens nothing new, unless"),
    ],
)
def test_the_comparison_is_told_in_one_sentence(*, opens: bool, takes: bool, words: str) -> None:
    scene = asked(optional=("network",))
    with tenancy.use(scene.scope):
        engagement = Engagement.objects.select_related("practice", "client").get(pk=scene.engagement.pk)
        desk = desk_of(engagement=engagement, assignments=[], contact=scene.contact, user=scene.sam)
        change = change_open(engagement)
        assert change is not None
        change.offer.documents["change"] = {"opens_more": opens, "takes_away": takes}
        assert words in changing.in_short(changing.paper_of(desk, change))


# ---------------------------------------------------------------- answering


def test_agreeing_leads_to_the_step_in_aws_and_keeps_what_holds() -> None:
    scene = asked(optional=("network",))
    assert 'name="optional" value="network"' in html_of(scene)
    agree(scene, "network")
    new = scene.consents()[-1]
    assert (new.choice, change_of(scene).status) == (["network"], ChangeStatus.AGREED)
    assert 'id="optional-network" checked' in new.shown_html
    page = page_of(scene)
    assert page.h1 == "Update the access in AWS"
    assert "We are getting the template ready" in page.text
    assert scene.fresh().profile == "cost_review"
    receipt = read(scene.browser().get(scene.path("receipt/")))
    assert scene.consents()[0].shown_sha256 in receipt.text
    assert "A change waits for AWS" in read(scene.browser().get(scene.path())).text


def test_the_step_in_aws_names_the_pinned_template_of_the_choice() -> None:
    scene = asked()
    agree(scene)
    with tenancy.use(scene.scope):
        Offer.objects.filter(pk=change_of(scene).offer_id).update(template_version_id="v77")
    helper = scene.browser(scene.colleague(ContactRole.AWS_ADMIN))
    for browser in (scene.browser(), helper):
        page = read(browser.get(scene.path("change/")))
        assert "versionId=v77" in page.text
        assert "aws cloudformation update-stack" in page.text
        assert "Open AWS (opens in a new tab)" in page.links
        assert scene.path("check/") in page.forms


def test_once_it_holds_the_pages_and_the_receipt_are_of_the_new_access() -> None:
    scene = asked(days=30)
    agree(scene)
    with tenancy.use(scene.scope), transaction.atomic():
        change_in_force_within(engagement=scene.fresh(), change=change_of(scene), actor=MACHINE)
    assert scene.browser().get(scene.path("change/"))["Location"] == scene.path()
    receipt = read(scene.browser().get(scene.path("receipt/")))
    assert scene.consents()[-1].shown_sha256 in receipt.text
    assert "A change waits" not in read(scene.browser().get(scene.path())).text


def test_an_agreed_change_that_aws_does_not_have_can_be_taken_back() -> None:
    scene = asked()
    path, browser = scene.path("change/undo/"), scene.browser()
    assert browser.post(path)["Location"] == scene.path("change/")
    assert change_of(scene).status == ChangeStatus.ASKED
    agree(scene)
    assert browser.get(path)["Location"] == scene.path("change/")
    assert path in read(browser.get(scene.path("change/"))).forms
    helper = scene.browser(scene.colleague(ContactRole.AWS_ADMIN))
    assert path not in read(helper.get(scene.path("change/"))).forms
    answer = browser.post(path)
    assert (answer.status_code, answer["Location"]) == (302, scene.path())
    assert change_of(scene).status == ChangeStatus.TAKEN_BACK
    assert [bool(one.withdrawn_at) for one in scene.consents()] == [False, True]
    assert "A change waits" not in read(browser.get(scene.path())).text


def test_ux_row_27_keeping_it_as_it_is_changes_nothing() -> None:
    scene = asked()
    browser = scene.browser()
    page = read(browser.get(scene.path("change/decline/")))
    assert page.h1 == "Keep the access as it is"
    answer = browser.post(scene.path("change/decline/"), {"reason": "not now"})
    assert (answer.status_code, answer["Location"]) == (302, scene.path())
    assert change_of(scene).status == ChangeStatus.DECLINED
    assert len(scene.consents()) == 1
    for path in ("change/", "change/decline/"):
        assert browser.get(scene.path(path))["Location"] == scene.path()
    assert browser.post(scene.path("change/agree/"), {"agree": "on"})["Location"] == scene.path("change/")
    assert browser.post(scene.path("change/decline/"), {"reason": "x" * 301}).status_code == 302


def test_a_reason_that_is_too_long_comes_back() -> None:
    scene = asked()
    assert scene.browser().post(scene.path("change/decline/"), {"reason": "x" * 301}).status_code == 422
    assert change_of(scene).status == ChangeStatus.ASKED


def test_without_the_tick_nothing_is_agreed_and_ticks_stay() -> None:
    scene = asked(optional=("network",))
    answer = scene.browser().post(scene.path("change/agree/"), form_of(scene, "network", agree=""))
    assert answer.status_code == 422
    assert 'id="optional-network" checked' in answer.content.decode()
    assert len(scene.consents()) == 1


def test_a_page_that_was_not_shown_is_not_agreed_to() -> None:
    scene = asked()
    answer = scene.browser().post(scene.path("change/agree/"), {"shown": "forged", "agree": "on"})
    assert answer.status_code == 409
    assert len(scene.consents()) == 1
    form = form_of(scene)
    with tenancy.use(scene.scope):
        change_take_back(engagement=scene.engagement, actor=MACHINE)
    asked(scene=scene, profile="billing_only")
    assert scene.browser().post(scene.path("change/agree/"), form).status_code == 409
    with tenancy.use(scene.scope):
        assert Consent.objects.count() == 1


def test_looking_changes_nothing_and_only_approvers_answer() -> None:
    scene = asked()
    viewer = scene.browser(scene.colleague(ContactRole.VIEWER))
    page = read(viewer.get(scene.path("change/")))
    assert "Someone else has to agree" in page.text
    assert viewer.post(scene.path("change/agree/"), {"agree": "on"}).status_code == 403
    assert scene.browser().get(scene.path("change/agree/")).status_code == 302
    helper = scene.browser(scene.colleague(ContactRole.AWS_ADMIN))
    assert helper.get(scene.path("change/"))["Location"] == scene.path()
    assert change_of(scene).status == ChangeStatus.ASKED


def test_what_waits_stands_on_the_status_page() -> None:
    scene = asked()
    page = read(scene.browser().get(scene.path()))
    assert "Waiting for your answer" in page.text
    assert page.links["Review the change"] == scene.path("change/")
