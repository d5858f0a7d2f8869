"""The act of agreement: once, by who may, to exactly what was shown, and nothing typed is lost on the way."""

from __future__ import annotations

import datetime as dt
import hashlib

import pytest
import time_machine
from django.core import signing
from django.db import transaction
from django.test import Client as Browser
from django.test import override_settings

from accounts.lifecycle import ContactRole
from accounts.models import Contact
from engagements.consent_record import SHOWN_FOR
from engagements.models import Consent, Engagement
from engagements.services.drafts import offer_freeze_within
from engagements.services.moves import engagement_cancel
from portal.kernel import actor, clock, tenancy
from portal.kernel.models import OutboxMessage
from portal.pages import consenting
from tests.pages import stage
from tests.pages.conftest import Overtake
from tests.pages.reading import Page, read
from tests.pages.stage import Stage
from tests.signing_in import let_in

pytestmark = pytest.mark.usefixtures("db")
ACCOUNT = "441709265583"
HUB = "111111111111"


def filled(scene: Stage, browser: Browser) -> dict[str, str]:
    """The consent page's form as it comes, with the box ticked."""
    page = read(browser.get(scene.path()))
    assert page.h1 == "Review the access we’re asking for"
    return {
        **{name: value for name, value in page.fields.items() if name != "csrfmiddlewaretoken"},
        "agree": "on",
    }


def refused(scene: Stage, browser: Browser, form: dict[str, str]) -> Page:
    """The consent page again, with what is wrong, and nothing agreed."""
    response = browser.post(scene.path("agree/"), form)
    assert response.status_code == 422
    assert scene.consents() == []
    page = read(response)
    assert page.title.startswith("Error: Review the access we’re asking for")
    assert "Error: check your answers" in page.text
    return page


def stale(scene: Stage, browser: Browser, form: dict[str, str]) -> None:
    """The page for what is not true any more: nothing saved, and the one way on."""
    response = browser.post(scene.path("agree/"), form)
    assert response.status_code == 409
    page = read(response)
    assert page.h1 == "This page has changed since you opened it"
    assert "Nothing was saved." in page.text
    assert page.links["Open the newest version"] == scene.path()
    assert scene.consents() == []
    assert scene.fresh().status == "invited"


def offer_anew(scene: Stage) -> None:
    """A second offer replaces the first."""
    offer = scene.offer()
    with tenancy.use(scene.scope), transaction.atomic(durable=True):
        offer_freeze_within(
            engagement=scene.engagement,
            lines=offer.lines,
            documents=offer.documents,
            template=offer.template + "\n",
            actor=actor.machine("test"),
        )


def test_agreeing_takes_a_tick_and_a_press_and_leads_into_aws() -> None:
    scene = stage.invited()
    browser = scene.browser()
    response = browser.post(scene.path("agree/"), filled(scene, browser), follow=True)
    assert response.redirect_chain == [(scene.path("connect/"), 302)]
    assert read(response).h1 == "Switch on access in AWS"
    assert scene.fresh().status == "agreed"
    assert len(scene.consents()) == 1


def test_exactly_what_was_shown_is_kept() -> None:
    scene = stage.invited()
    browser = scene.browser()
    shown = browser.get(scene.path()).content.decode()
    browser.post(scene.path("agree/"), filled(scene, browser))
    (consent,) = scene.consents()
    assert consent.shown_html in shown
    assert consent.shown_sha256 == hashlib.sha256(consent.shown_html.encode()).hexdigest()
    assert consent.offer_sha256 == scene.offer().offer_sha256
    assert scene.offer().offer_sha256 in consent.shown_html


def test_the_circumstances_are_kept_as_evidence() -> None:
    scene = stage.invited()
    browser = scene.browser()
    session = browser.session
    moment = clock.now().isoformat()
    session.update({"signed_in_by": "code", "signed_in_at": moment})
    session.save()
    form = filled(scene, browser)
    headers = {"User-Agent": "Firefox " + "x" * 500, "Accept-Language": "en-GB"}
    browser.post(scene.path("agree/"), form, headers=headers, REMOTE_ADDR="192.0.2.7")
    (consent,) = scene.consents()
    evidence = consent.evidence
    assert (evidence["ip"], evidence["accept_language"]) == ("192.0.2.7", "en-GB")
    assert (len(evidence["user_agent"]), evidence["timezone"]) == (400, "Europe/London")
    assert evidence["sign_in"] == f"code at {moment}"
    displayed = dt.datetime.fromisoformat(evidence["displayed_at"])
    assert dt.timedelta() < consent.given_at - displayed < dt.timedelta(minutes=1)


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "203.0.113.9", "192.0.2.7"),
        (1, "203.0.113.9, 198.51.100.4", "198.51.100.4"),
        (2, "203.0.113.9, 198.51.100.4", "203.0.113.9"),
        (2, "203.0.113.9", "192.0.2.7"),
        (1, "", "192.0.2.7"),
    ],
)
def test_only_our_own_proxies_are_believed_about_the_address(
    proxies: int, forwarded: str, address: str
) -> None:
    scene = stage.invited()
    browser = scene.browser()
    form = filled(scene, browser)
    with override_settings(ALLAUTH_TRUSTED_PROXY_COUNT=proxies):
        headers = {"X-Forwarded-For": forwarded}
        browser.post(scene.path("agree/"), form, headers=headers, REMOTE_ADDR="192.0.2.7")
    assert scene.consents()[0].evidence["ip"] == address


def test_a_second_press_lands_where_the_first_one_led() -> None:
    scene = stage.invited()
    browser = scene.browser()
    form = filled(scene, browser)
    answers = [browser.post(scene.path("agree/"), form) for _ in range(2)]
    assert [answer.headers["Location"] for answer in answers] == [scene.path("connect/")] * 2
    assert len(scene.consents()) == 1


def test_a_press_that_was_overtaken_lands_there_too(overtake: Overtake) -> None:
    scene = stage.invited()
    browser = scene.browser()
    form = filled(scene, browser)
    overtake(scene)
    answers = [browser.post(scene.path("agree/"), form) for _ in range(2)]
    assert [answer.headers["Location"] for answer in answers] == [scene.path("connect/")] * 2
    assert len(scene.consents()) == 1


def test_one_receipt_is_promised() -> None:
    scene = stage.invited()
    browser = scene.browser()
    form = filled(scene, browser)
    for _ in range(2):
        browser.post(scene.path("agree/"), form)
    with tenancy.use(scene.scope):
        kinds = list(OutboxMessage.objects.values_list("kind", flat=True))
    assert kinds.count("engagements.receipt") == kinds.count("engagement.agreed") == 1


def test_an_offer_that_was_replaced_is_read_anew_first() -> None:
    scene = stage.invited()
    browser = scene.browser()
    form = filled(scene, browser)
    offer_anew(scene)
    stale(scene, browser, form)
    assert browser.post(scene.path("agree/"), filled(scene, browser)).status_code == 302
    assert [consent.offer.number for consent in scene.consents()] == [2]


def test_other_people_are_another_page() -> None:
    scene = stage.invited()
    browser = scene.browser()
    form = filled(scene, browser)
    with tenancy.use(scene.scope):
        scene.engagement.assignments.exclude(consultant=scene.maya).update(ends_at=clock.now())
    stale(scene, browser, form)


def test_a_later_end_is_another_page() -> None:
    scene = stage.invited()
    browser = scene.browser()
    form = filled(scene, browser)
    with tenancy.use(scene.scope):
        later = scene.engagement.ends_at + dt.timedelta(days=1)
        Engagement.objects.filter(pk=scene.engagement.pk).update(ends_at=later)
    stale(scene, browser, form)


@pytest.mark.parametrize("value", ["", "made up", "e30:1abcde:x"])
def test_a_forged_page_agrees_to_nothing(value: str) -> None:
    scene = stage.invited()
    browser = scene.browser()
    stale(scene, browser, {**filled(scene, browser), "shown": value})


def test_a_page_that_carries_nothing_agrees_to_nothing() -> None:
    scene = stage.invited()
    stale(scene, scene.browser(), {"agree": "on"})


def test_a_page_is_good_for_as_long_as_a_sign_in() -> None:
    scene = stage.invited()
    browser = scene.browser()
    long_ago = dt.datetime.now(dt.UTC) - (SHOWN_FOR + dt.timedelta(minutes=1))
    form = filled(scene, browser)
    with time_machine.travel(long_ago):
        form["shown"] = signing.dumps(
            signing.loads(form["shown"], salt=consenting.SALT), salt=consenting.SALT
        )
    stale(scene, browser, form)


def test_a_page_of_another_project_agrees_to_nothing_here() -> None:
    scene = stage.invited()
    browser = scene.browser()
    form = filled(scene, browser)
    told = signing.loads(form["shown"], salt=consenting.SALT)
    form["shown"] = signing.dumps({**told, "engagement": "abcdefghjk"}, salt=consenting.SALT)
    stale(scene, browser, form)


def test_a_page_that_a_colleague_was_shown_agrees_to_nothing() -> None:
    scene = stage.invited()
    colleague = scene.colleague(ContactRole.APPROVER)
    form = filled(scene, scene.browser(colleague))
    stale(scene, scene.browser(), form)


def test_without_the_tick_it_says_so_beside_the_box() -> None:
    scene = stage.invited()
    browser = scene.browser()
    form = filled(scene, browser)
    del form["agree"]
    page = refused(scene, browser, form)
    assert page.links["Tick the box if you agree"] == "#id_agree"
    assert page.ticked == frozenset()


def test_correcting_a_mistake_keeps_the_time_of_the_first_look() -> None:
    scene = stage.invited()
    browser = scene.browser()
    form = filled(scene, browser)
    seen = signing.loads(form["shown"], salt=consenting.SALT)
    again = refused(scene, browser, {"shown": form["shown"]})
    assert signing.loads(again.fields["shown"], salt=consenting.SALT) == seen
    browser.post(scene.path("agree/"), {"shown": again.fields["shown"], "agree": "on"})
    assert scene.consents()[0].evidence["displayed_at"] == seen["at"]


@pytest.mark.parametrize(
    "typed",
    [ACCOUNT, "4417 0926 5583", "4417-0926-5583", " 4417\N{NO-BREAK SPACE}0926–5583 ", "4417.0926.5583"],
)
def test_an_unknown_account_is_taken_however_it_is_written(typed: str) -> None:
    scene = stage.invited(account_id="")
    browser = scene.browser()
    response = browser.post(scene.path("agree/"), {**filled(scene, browser), "account_id": typed})
    assert response.headers["Location"] == scene.path("connect/")
    assert scene.fresh().account_id == ACCOUNT
    assert scene.consents()[0].account_id == ACCOUNT


@pytest.mark.parametrize(
    "typed",
    [
        "44170926558",
        "4417092655830",
        "000000000000",
        "brightwater-prod",
        "\N{FULLWIDTH DIGIT FOUR}41709265583",
        "4" * 41,
    ],
)
def test_a_malformed_account_is_told_and_nothing_typed_is_lost(typed: str) -> None:
    scene = stage.invited(account_id="")
    browser = scene.browser()
    page = refused(scene, browser, {**filled(scene, browser), "account_id": typed})
    (complaint,) = [words for words, href in page.links.items() if href == "#id_account_id"]
    assert "12 digits" in complaint or "at most 40" in complaint
    assert page.fields["account_id"] == typed
    assert page.ticked == {"agree"}
    assert scene.fresh().account_id == ""


def test_an_account_that_is_missing_is_asked_for() -> None:
    scene = stage.invited(account_id="")
    browser = scene.browser()
    page = refused(scene, browser, filled(scene, browser))
    assert page.links["Enter the 12 digits of your AWS account number"] == "#id_account_id"


def test_the_practices_own_account_is_told_apart_from_a_typing_error() -> None:
    scene = stage.invited(account_id="")
    browser = scene.browser()
    page = refused(scene, browser, {**filled(scene, browser), "account_id": HUB})
    assert page.links["That is Northgate Cloud’s own account. Enter the number of yours."] == "#id_account_id"
    assert page.fields["account_id"] == HUB
    assert page.ticked == {"agree"}


def test_whose_account_it_is_with_others_is_told_to_nobody() -> None:
    """Another client's number is taken like any other: an error would tell who else is a client. AWS decides."""
    scene = stage.invited(account_id="")
    scene.neighbour()
    with tenancy.use(scene.scope):
        theirs = Contact.objects.get(user__email="ruth@hollins.example").client
        Engagement.objects.create(
            practice=scene.practice,
            client=theirs,
            title="Cost review",
            purpose="to look",
            account_id="222222222222",
            ends_at=scene.engagement.ends_at,
        )
    browser = scene.browser()
    response = browser.post(scene.path("agree/"), {**filled(scene, browser), "account_id": "222222222222"})
    assert response.headers["Location"] == scene.path("connect/")


def test_a_known_account_is_not_asked_for_and_cannot_be_changed_by_a_form() -> None:
    scene = stage.invited()
    browser = scene.browser()
    form = filled(scene, browser)
    assert "account_id" not in form
    browser.post(scene.path("agree/"), {**form, "account_id": "222222222222"})
    assert scene.consents()[0].account_id == ACCOUNT


def test_an_engagement_that_names_the_practices_own_account_can_never_be_agreed_to() -> None:
    scene = stage.invited()
    with tenancy.use(scene.scope):
        Engagement.objects.filter(pk=scene.engagement.pk).update(account_id=HUB)
    browser = scene.browser()
    response = browser.post(
        scene.path("agree/"), filled(scene, browser), headers={"Referer": "http://testserver" + scene.path()}
    )
    assert response.status_code == 400
    page = read(response)
    assert page.h1 == "That account number can't be right"
    assert "Nothing was saved." in page.text
    assert page.links["Go back"] == scene.path()


def test_an_invitation_whose_end_has_passed_says_so() -> None:
    scene = stage.invited()
    past = clock.now() - dt.timedelta(minutes=1)
    with tenancy.use(scene.scope):
        Engagement.objects.filter(pk=scene.engagement.pk).update(ends_at=past)
    browser = scene.browser()
    response = browser.post(scene.path("agree/"), filled(scene, browser))
    assert response.status_code == 409
    page = read(response)
    assert page.h1 == "This invitation has ended"
    assert "Nothing was saved, and nothing was created in AWS. Ask Maya for a new one." in page.text
    assert page.links["Write to Maya"].startswith("mailto:maya@northgate.example")
    assert scene.consents() == []


def test_an_invitation_that_was_taken_back_is_gone() -> None:
    scene = stage.invited()
    browser = scene.browser()
    form = filled(scene, browser)
    with tenancy.use(scene.scope):
        engagement_cancel(engagement=scene.engagement, actor=actor.machine("test"))
    response = browser.post(scene.path("agree/"), form)
    assert response.status_code == 404
    assert read(response).h1 == "Page not found"
    assert scene.consents() == []


@pytest.mark.parametrize("role", [ContactRole.VIEWER, ContactRole.AWS_ADMIN])
def test_who_may_not_decide_is_told_who_may(role: ContactRole) -> None:
    scene = stage.invited()
    form = filled(scene, scene.browser())
    response = scene.browser(scene.colleague(role)).post(scene.path("agree/"), form)
    assert response.status_code == 403
    page = read(response)
    assert page.h1 == "Someone else has to do this"
    assert page.links["Go back"] == scene.path()
    assert scene.consents() == []


def test_for_another_client_it_does_not_exist() -> None:
    scene = stage.invited()
    form = filled(scene, scene.browser())
    browser = scene.browser(scene.neighbour())
    assert browser.get(scene.path()).status_code == 404
    assert browser.post(scene.path("agree/"), form).status_code == 404
    assert scene.consents() == []


def test_signed_out_nothing_is_agreed() -> None:
    scene = stage.invited()
    form = filled(scene, scene.browser())
    response = Browser().post(scene.path("agree/"), form)
    assert response.headers["Location"] == f"/account/login/?next=%2Fe%2F{scene.engagement.code}%2Fagree%2F"
    assert scene.consents() == []


def test_a_number_typed_before_the_sign_in_was_over_is_still_there_after_the_next_one() -> None:
    scene = stage.invited(account_id="")
    browser = scene.browser()
    form = filled(scene, browser)
    browser.logout()
    browser.post(scene.path("agree/"), {**form, "account_id": "4417 0926 5583"})
    let_in(browser, scene.sam)
    page = browser.get(scene.path("agree/"), follow=True).content.decode()
    assert 'value="4417 0926 5583"' in page
    assert "checked" not in page  # agreeing is a new act
    browser.post(scene.path("agree/"), filled(scene, browser))
    assert browser.cookies["kept"].value == ""
    assert len(scene.consents()) == 1


def test_a_number_that_was_typed_for_one_project_is_not_kept_for_another() -> None:
    scene = stage.invited(account_id="")
    browser = scene.browser()
    browser.logout()
    browser.post("/e/7qk2m4w9xz/agree/", {"account_id": "4417 0926 5583"})
    assert browser.cookies["kept"]["path"] == "/"
    let_in(browser, scene.sam)
    assert "4417 0926 5583" not in browser.get(scene.path()).content.decode()


def test_a_kept_number_that_somebody_changed_counts_for_nothing() -> None:
    scene = stage.invited(account_id="")
    browser = scene.browser()
    browser.cookies["kept"] = '{"account_id": "441709265583"}'
    assert "441709265583" not in browser.get(scene.path()).content.decode()


def test_a_form_from_elsewhere_is_refused_in_words() -> None:
    scene = stage.invited()
    form = filled(scene, scene.browser())
    strict = Browser(enforce_csrf_checks=True)
    let_in(strict, scene.sam)
    response = strict.post(scene.path("agree/"), form)
    assert response.status_code == 403
    assert "Nothing was saved. Open the page again" in read(response).text
    assert scene.consents() == []


@pytest.mark.parametrize("method", ["get", "head"])
def test_an_address_alone_agrees_to_nothing(method: str) -> None:
    scene = stage.invited()
    browser = scene.browser()
    response = getattr(browser, method)(scene.path("agree/"), filled(scene, browser))
    assert response.headers["Location"] == scene.path("connect/")
    assert scene.consents() == []


def test_other_methods_are_not_known() -> None:
    scene = stage.invited()
    response = scene.browser().put(scene.path("agree/"))
    assert response.status_code == 405
    assert response.headers["Allow"] == "GET, HEAD, POST"


def test_what_was_kept_is_not_what_a_later_template_says() -> None:
    scene = stage.agreed()
    with tenancy.use(scene.scope):
        kept = Consent.objects.get(engagement=scene.engagement).shown_html
        Engagement.objects.filter(pk=scene.engagement.pk).update(title="Something else")
    page = read(scene.browser().get(scene.path("receipt/")))
    assert "Cost review" in page.text
    assert "Something else" not in kept
