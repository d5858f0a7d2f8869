"""Another AWS account than the agreed one: the two ways on, who has them, what is asked for, and the page of the consent."""

from __future__ import annotations

import pytest

from accounts.lifecycle import ContactRole
from awsaccess.callback import Kind
from awsaccess.services.checks import grant_watch
from awsaccess.services.elsewhere import account_offer
from engagements.lifecycle import WishStatus
from engagements.models import AccountWish, Consent, Engagement, Offer
from engagements.selectors import change_open, staffing_of
from engagements.services.wishes import wish_make, wish_refuse
from portal.kernel import actor, tenancy
from portal.pages import changing
from portal.pages.frames import desk_of
from tests.pages import stage
from tests.pages.reading import Page, read
from tests.pages.stage import Stage
from tests.pages.test_hitches import OTHER, OURS, RIGHTS, report

pytestmark = pytest.mark.usefixtures("db")
MACHINE = actor.machine("test")
USE = "Use this account instead"
ASKED = "We have asked Maya to confirm account …2222"


def named(scene: Stage | None = None) -> Stage:
    """A stack in another account reported, and was told no."""
    scene = scene or stage.agreed()
    report(scene, Kind.CREATE, account=OTHER, reason="This stack is in another AWS account.")
    return scene


def wished(scene: Stage | None = None) -> Stage:
    scene = scene or named()
    with tenancy.use(scene.client_scope):
        wish_make(engagement=scene.engagement, contact=scene.contact, account_id=OTHER, actor=scene.sam_acts)
    return scene


def confirmed(scene: Stage | None = None) -> Stage:
    scene = scene or wished()
    with tenancy.use(scene.scope):
        account_offer(engagement=scene.engagement, wish_id=wish_of(scene).pk, actor=MACHINE)
    return scene


def wish_of(scene: Stage) -> AccountWish:
    with tenancy.use(scene.scope):
        return AccountWish.objects.latest("asked_at")


def page_of(scene: Stage, page: str = "", role: ContactRole | None = None) -> Page:
    browser = scene.browser(scene.colleague(role) if role else None)
    answer = browser.get(scene.path(page))
    assert answer.status_code == 200
    return read(answer)


# ---------------------------------------------------------------- the two ways


def test_the_page_has_two_ways_on_and_one_filled_button() -> None:
    scene = named()
    page = page_of(scene)
    assert "That’s account …2222. We expected …5583." in page.text
    assert USE in page.buttons
    assert scene.path("account/use/") in page.forms
    assert page.fields["account"] == OTHER
    assert "Remove it there Delete the stack there if it was created." in page.text
    assert page.filled == ["Open AWS (opens in a new tab)"]


@pytest.mark.parametrize("role", [ContactRole.VIEWER, ContactRole.AWS_ADMIN])
def test_who_may_not_agree_reads_who_can_ask(role: ContactRole) -> None:
    scene = named()
    page = page_of(scene, role=role)
    assert USE not in page.buttons
    assert (
        "Was …2222 the right one? Someone who may agree for Brightwater Dental can ask to use it."
        in page.text
    )
    assert "Remove it there" in page.text


def test_one_press_asks_for_it_and_a_second_asks_no_more() -> None:
    scene = named()
    for _ in range(2):
        answer = scene.browser().post(scene.path("account/use/"), {"account": OTHER})
        assert (answer.status_code, answer["Location"]) == (302, scene.path())
    with tenancy.use(scene.scope):
        assert AccountWish.objects.count() == 1
    page = page_of(scene)
    assert ASKED in page.text
    assert "Nothing is switched on, and nothing is at risk." in page.text
    assert USE not in page.buttons
    assert "Remove it there" in page.text
    after = scene.fresh()
    assert (after.account_id, after.status) == (OURS, "agreed")


def test_it_is_taken_back_and_the_two_ways_are_there_again() -> None:
    scene = wished()
    page = page_of(scene)
    assert "Take it back" in page.buttons
    assert scene.path("account/keep/") in page.forms
    for _ in range(2):
        answer = scene.browser().post(scene.path("account/keep/"))
        assert (answer.status_code, answer["Location"]) == (302, scene.path())
    assert wish_of(scene).status == WishStatus.TAKEN_BACK
    assert USE in page_of(scene).buttons


def test_colleagues_read_that_it_is_asked_and_cannot_take_it_back() -> None:
    page = page_of(wished(), role=ContactRole.VIEWER)
    assert ASKED in page.text
    assert "Take it back" not in page.buttons


def test_a_wish_without_a_report_is_told_on_the_page_too() -> None:
    assert ASKED in page_of(wished(stage.agreed())).text


def test_a_refusal_leaves_the_page_as_it_was() -> None:
    scene = wished()
    with tenancy.use(scene.scope):
        wish_refuse(
            engagement=scene.engagement, wish_id=wish_of(scene).pk, reason="It is not yours.", actor=MACHINE
        )
    assert USE in page_of(scene).buttons


def test_the_card_is_renewed_when_the_answer_comes() -> None:
    scene = named()
    seen = page_of(scene).fields["seen"]
    for move in (wished, confirmed):
        move(scene)
        answer = scene.browser().get(scene.path("live/"), {"seen": seen}, headers={"HX-Request": "true"})
        assert answer.status_code == 200
        seen = read(answer).fields["seen"]


@pytest.mark.parametrize(("account", "status"), [("12", 409), (OURS, 409), ("111111111111", 409), ("", 409)])
def test_a_number_that_cannot_be_it_is_refused(account: str, status: int) -> None:
    scene = named()
    answer = scene.browser().post(scene.path("account/use/"), {"account": account})
    assert answer.status_code in (400, status, 422)
    with tenancy.use(scene.scope):
        assert not AccountWish.objects.exists()


# ---------------------------------------------------------------- pasted


def test_a_pasted_message_about_another_account_has_the_same_ways() -> None:
    scene = stage.agreed()
    said = {"said": RIGHTS.replace(OURS, OTHER)}
    answer = scene.browser().post(scene.path("trouble/"), said)
    page = read(answer)
    assert (page.fields["account"], USE in page.buttons) == (OTHER, True)
    assert "Was …2222 the right one?" in page.text
    assert page.filled == ["Open AWS (opens in a new tab)"]
    hands = read(scene.browser(scene.colleague(ContactRole.AWS_ADMIN)).post(scene.path("trouble/"), said))
    assert USE not in hands.buttons
    assert "Someone who may agree for Brightwater Dental can ask to use it." in hands.text


@pytest.mark.parametrize("make", [wished, confirmed, stage.active])
def test_while_one_is_asked_or_the_access_is_on_nothing_more_is_offered(make: object) -> None:
    scene: Stage = make()  # type: ignore[operator]  # one of three makers
    said = {"said": RIGHTS.replace(OURS, "333333333333")}
    page = read(scene.browser().post(scene.path("trouble/"), said))
    assert "That’s account …3333. We expected …5583." in page.text
    assert USE not in page.buttons


# ---------------------------------------------------------------- agreeing to it


def test_the_consent_page_differs_in_the_account_line_and_in_nothing_else() -> None:
    scene = confirmed()
    page = page_of(scene)
    assert "Please agree to account …2222" in page.text
    assert page.links["Review the account"] == scene.path("change/")
    answer = scene.browser().get(scene.path("change/"))
    page, html = read(answer), answer.content.decode()
    assert page.h1 == "Review the other AWS account"
    assert "Only the AWS account is another one. Everything else is as you agreed." in page.text
    first = html.partition("Read the whole text")[0]
    difference = " ".join(first.partition('id="d-h"')[2].split())
    assert "2222 2222 2222" in difference
    assert 'Instead of <span class="num">4417 0926 5583</span>' in difference
    for heading in (
        "Kind of access",
        "Until",
        "In AWS",
        "Added",
        "Taken away",
        "Changed",
        "Limits that change",
    ):
        assert f">{heading}<" not in difference
    assert "What you agreed to before keeps working" not in html


def test_colleagues_who_help_with_aws_are_led_back() -> None:
    scene = confirmed()
    browser = scene.browser(scene.colleague(ContactRole.AWS_ADMIN))
    assert "Review the account" not in read(browser.get(scene.path())).links
    answer = browser.get(scene.path("change/"))
    assert (answer.status_code, answer["Location"]) == (302, scene.path())


def agree(scene: Stage) -> None:
    shown = page_of(scene, "change/").fields["shown"]
    answer = scene.browser().post(scene.path("change/agree/"), {"shown": shown, "agree": "on"})
    assert (answer.status_code, answer["Location"]) == (302, scene.path("change/"))


def test_agreeing_keeps_the_page_as_evidence_and_leads_to_the_step_in_aws_there() -> None:
    scene = confirmed()
    html = html_of(scene)
    agree(scene)
    with tenancy.use(scene.scope):
        consent = Consent.objects.select_related("offer").latest("given_at")
        Offer.objects.filter(pk=consent.offer_id).update(template_version_id="v2")
        grant_watch(engagement_id=scene.engagement.pk)
    assert (consent.account_id, consent.shown_html) == (OTHER, html)
    assert "2222 2222 2222" in consent.shown_html
    assert "Brightwater Production" not in consent.shown_html, "the name is that of the first account"
    page = page_of(scene)
    assert page.h1 == "Switch on access in AWS"
    assert "AWS account 2222 2222 2222 as an administrator" in page.text
    assert page.filled == ["Open AWS (opens in a new tab)"]
    for gone in ("That’s account", ASKED, "We told AWS no", USE):
        assert gone not in page.text
    receipt = page_of(scene, "receipt/")
    assert "2222 2222 2222" in receipt.text


def html_of(scene: Stage) -> str:
    """The bytes that are agreed to."""
    with tenancy.use(scene.client_scope):
        engagement = Engagement.objects.select_related("practice", "client").get(pk=scene.engagement.pk)
        desk = desk_of(
            engagement=engagement, assignments=staffing_of(engagement), contact=scene.contact, user=scene.sam
        )
        change = change_open(engagement)
        assert change is not None
        return changing.paper_html(desk, change)


def test_keeping_it_as_it_is_leads_back_to_the_two_ways() -> None:
    scene = confirmed()
    answer = scene.browser().post(scene.path("change/decline/"), {"reason": ""})
    assert (answer.status_code, answer["Location"]) == (302, scene.path())
    assert USE in page_of(scene).buttons
    assert scene.fresh().account_id == OURS
