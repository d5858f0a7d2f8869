"""Agreeing with a mailed code, agreeing as one of several, asking first, and naming who should answer: as pages."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable

import pytest
from django.test import Client as Browser

from accounts.lifecycle import ContactRole
from accounts.models import Contact, User
from awsaccess.services.sending import engagement_send
from engagements.models import Engagement, Referral, Remark
from engagements.services import agreement_codes
from engagements.services.agreement_codes import CodeNeeded
from engagements.services.talk import question_answer
from portal.kernel import actor, clock, tenancy
from portal.kernel.mail import Letter
from portal.pages.views import agreeing
from tests.pages import stage
from tests.pages.reading import read
from tests.pages.stage import Stage

pytestmark = pytest.mark.usefixtures("db")
ACCOUNT = "441709265583"


@pytest.fixture
def codes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What stands in the letters with codes."""
    found: list[str] = []

    def promise(letter: Letter) -> None:
        found.extend(re.findall(r"^  (\d{6})$", letter.text, re.MULTILINE))

    monkeypatch.setattr(agreement_codes, "letter_promise", promise)
    return found


def with_code(*, account_id: str = ACCOUNT) -> Stage:
    """Sent, and a code is asked for at “Agree”."""
    scene = stage.set_stage(account_id=account_id)
    with tenancy.use(scene.scope):
        Engagement.objects.update(code_at_agreement=True)
        engagement_send(engagement=scene.engagement, actor=actor.machine("test"))
    return scene


def for_two() -> tuple[Stage, User]:
    """Sent to Sam and to Alex, who both have to agree."""
    scene = stage.set_stage()
    alex = scene.colleague(ContactRole.APPROVER)
    with tenancy.use(scene.scope):
        Engagement.objects.update(approvals_needed=2)
        engagement_send(engagement=scene.engagement, actor=actor.machine("test"))
    return scene, alex


def form_of(scene: Stage, browser: Browser, **more: str) -> dict[str, str]:
    page = read(browser.get(scene.path()))
    return {"shown": page.fields["shown"], "agree": "on", **more}


# The mailed code.


def test_the_first_press_mails_a_code_and_the_second_agrees(codes: list[str]) -> None:
    scene = with_code()
    browser = scene.browser()
    form = form_of(scene, browser)
    asked = browser.post(scene.path("agree/"), form)
    assert asked.status_code == 200
    page = read(asked)
    assert "We emailed a code to sam@brightwater.example. Type it here, then agree." in page.text
    assert "checked" in asked.content.decode()
    assert scene.consents() == []
    (code,) = codes
    done = browser.post(scene.path("agree/"), {**form, "shown": page.fields["shown"], "code": code})
    assert done.status_code == 302
    (consent,) = scene.consents()
    assert consent.evidence["code_mailed_at"] < consent.evidence["code_typed_at"]
    receipt = read(browser.get(scene.path("receipt/")))
    assert "Typed the code we emailed" in receipt.text
    assert "They confirmed I’ve read this page" in " ".join(receipt.text.split())


def hours_later(browser: Browser) -> Browser:
    """The same session, which began two hours ago."""
    session = browser.session
    session["signed_in_at"] = (clock.now() - dt.timedelta(hours=2)).isoformat()
    session.save()
    return browser


def test_a_session_of_this_morning_types_a_code_first(codes: list[str]) -> None:
    """Nothing has to be typed right after the sign-in; later, a cookie alone agrees to nothing."""
    scene = stage.invited()
    browser = hours_later(scene.browser())
    form = form_of(scene, browser)
    page = read(browser.post(scene.path("agree/"), form))
    assert "We emailed a code to sam@brightwater.example. Type it here, then agree." in page.text
    assert scene.consents() == []
    assert "Type it here, then agree." in read(browser.get(scene.path())).text
    assert browser.post(scene.path("agree/"), {**form, "code": codes[0]}).status_code == 302
    (consent,) = scene.consents()
    assert "code_typed_at" in consent.evidence


def test_a_sign_in_that_grows_old_on_the_way_to_the_lock_gets_its_code(
    codes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page thought that no code is needed, and the service, a moment later, thinks otherwise."""
    scene = stage.invited()
    browser = scene.browser()
    form = form_of(scene, browser)

    def too_late(**_: object) -> None:
        raise CodeNeeded

    monkeypatch.setattr(agreeing, "consent_give", too_late)
    page = read(browser.post(scene.path("agree/"), form))
    assert "Type it here, then agree." in page.text
    assert len(codes) == 1


def test_the_account_number_stays_while_the_code_is_fetched(codes: list[str]) -> None:
    scene = with_code(account_id="")
    browser = scene.browser()
    form = form_of(scene, browser, account_id="4417 0926 5583")
    page = read(browser.post(scene.path("agree/"), form))
    assert page.fields["account_id"] == ACCOUNT
    assert len(codes) == 1


def test_no_code_is_mailed_for_a_form_with_faults(codes: list[str]) -> None:
    scene = with_code()
    browser = scene.browser()
    form = form_of(scene, browser)
    del form["agree"]
    assert browser.post(scene.path("agree/"), form).status_code == 422
    assert codes == []


def test_a_wrong_code_is_told_beside_its_field(codes: list[str]) -> None:
    scene = with_code()
    browser = scene.browser()
    form = form_of(scene, browser)
    browser.post(scene.path("agree/"), form)
    wrong = f"{(int(codes[0]) + 1) % 10**6:06d}"
    answer = browser.post(scene.path("agree/"), {**form, "code": wrong})
    assert answer.status_code == 422
    assert "That code doesn’t match, is too old, or was tried too often." in read(answer).text
    empty = browser.post(scene.path("agree/"), {**form, "code": ""})
    assert empty.status_code == 422
    assert "Enter the 6 digits of the code we emailed you" in read(empty).text
    assert scene.consents() == []
    assert len(codes) == 1


def test_a_new_code_is_one_press_away_and_the_page_asks_for_it_again(codes: list[str]) -> None:
    scene = with_code()
    browser = scene.browser()
    form = form_of(scene, browser)
    browser.post(scene.path("agree/"), form)
    assert "Type it here, then agree." in read(browser.get(scene.path())).text
    browser.post(scene.path("agree/"), {**form, "send_code": "1"})
    assert len(codes) == 2
    assert browser.post(scene.path("agree/"), {**form, "code": codes[1]}).status_code == 302
    assert len(scene.consents()) == 1


# Several people.


def test_two_people_agree_and_each_sees_the_other() -> None:
    scene, alex = for_two()
    sams, alexs = scene.browser(), scene.browser(alex)
    before = read(sams.get(scene.path())).text
    assert "2 people at Brightwater Dental have to agree. Nothing happens before." in before
    assert "Sam Carter is asked" in before
    assert "Alex Reed is asked" in before
    answer = sams.post(scene.path("agree/"), form_of(scene, sams), follow=True)
    assert "You agreed. Others are still asked" in read(answer).text
    assert scene.fresh().status == "invited"
    seen = " ".join(read(alexs.get(scene.path())).text.split())
    assert "Sam Carter agreed on" in seen
    assert "Alex Reed is asked" in seen
    alexs.post(scene.path("agree/"), form_of(scene, alexs))
    assert scene.fresh().status == "agreed"
    sam_reads, alex_reads = (read(one.get(scene.path("receipt/"))).text for one in (sams, alexs))
    assert "sam@brightwater.example" in sam_reads
    assert "approver@brightwater.example" in alex_reads
    records = [one.get(scene.path("consent.json")).content for one in (sams, alexs)]
    assert records[0] != records[1]


def test_the_same_person_twice_counts_once() -> None:
    scene, _alex = for_two()
    browser = scene.browser()
    form = form_of(scene, browser)
    for _ in range(2):
        assert browser.post(scene.path("agree/"), form).status_code in {302, 409}
    assert len(scene.consents()) == 1
    assert scene.fresh().status == "invited"


def test_who_agreed_first_can_take_it_back_while_others_are_asked() -> None:
    scene, _alex = for_two()
    browser = scene.browser()
    assert browser.get(scene.path("end/")).headers["Location"] == scene.path()
    browser.post(scene.path("agree/"), form_of(scene, browser))
    back = browser.get(scene.path("end/"))
    assert back.headers["Location"] == scene.path("decline/")
    browser.post(scene.path("decline/"), {"reason": ""})
    assert scene.fresh().status == "declined"
    assert scene.consents()[0].withdrawn_at is not None


# Taking back.


@pytest.mark.parametrize("make", [stage.agreed, stage.active, stage.paused])
def test_taking_back_is_one_page_and_one_press_without_a_fresh_sign_in(make: Callable[[], Stage]) -> None:
    scene = make()
    browser = scene.browser()
    page = read(browser.get(scene.path("end/")))
    assert "No new visits from now on." in page.text
    assert "What you agreed to is taken back in the same second." in page.text
    assert "step_up" not in page.fields
    assert browser.post(scene.path("end/")).status_code == 302
    assert scene.fresh().status == "closing"
    (consent,) = scene.consents()
    assert consent.withdrawn_by_id == scene.sam.pk


def test_the_page_says_until_when_somebody_may_be_inside() -> None:
    scene = stage.visited()
    text = read(scene.browser().get(scene.path("end/"))).text
    assert re.search(r"Maya Okafor may still be inside\. AWS ends it at \d\d:\d\d at the latest\.", text)
    assert "Nobody is inside now" not in text


def test_the_page_says_that_nobody_is_inside() -> None:
    scene = stage.active()
    assert (
        "Nobody is inside now, so no visit has to run out."
        in read(scene.browser().get(scene.path("end/"))).text
    )


# Asking first.


def test_a_question_and_its_answer_stand_on_the_page_and_decide_nothing() -> None:
    scene = stage.invited()
    browser = scene.browser()
    page = read(browser.get(scene.path("question/")))
    assert page.h1 == "Ask Maya a question"
    assert "The invitation stays open." in page.text
    sent = browser.post(scene.path("question/"), {"question": "What will\nit <b>cost</b>?"}, follow=True)
    assert sent.redirect_chain == [(scene.path("question/"), 302)]
    assert "&lt;b&gt;cost&lt;/b&gt;" in sent.content.decode()
    with tenancy.use(scene.scope):
        question_answer(
            engagement=scene.engagement,
            author=scene.maya,
            text="Nothing at all.",
            actor=actor.person(scene.maya.pk, name=scene.maya.name, email=scene.maya.email),
        )
    seen = read(browser.get(scene.path()))
    assert "Questions and answers" in seen.text
    assert "Nothing at all." in seen.text
    assert seen.links["Ask a question first"] == scene.path("question/")
    assert scene.fresh().status == "invited"


def test_the_talk_stands_in_the_activity() -> None:
    scene = stage.active()
    browser = scene.browser()
    browser.post(scene.path("question/"), {"question": "Are you done soon?"})
    text = read(browser.get(scene.path())).text
    assert "Sam Carter asked" in text
    assert "“Are you done soon?”" in text
    assert "Nothing changes by asking." in read(browser.get(scene.path("question/"))).text


@pytest.mark.parametrize(("page", "field"), [("question/", "question"), ("colleague/", "email")])
def test_an_empty_form_comes_back(page: str, field: str) -> None:
    scene = stage.invited()
    answer = scene.browser().post(scene.path(page), {field: ""})
    assert answer.status_code == 422
    assert read(answer).title.startswith("Error:")


def test_after_the_end_nobody_asks_and_names() -> None:
    scene = stage.closed()
    browser = scene.browser()
    for page in ("question/", "colleague/"):
        assert browser.get(scene.path(page)).headers["Location"] == scene.path()
    with tenancy.use(scene.scope):
        assert not Remark.objects.exists()


# Somebody else.


@pytest.mark.parametrize("role", [ContactRole.APPROVER, ContactRole.VIEWER])
def test_somebody_else_is_named_and_nobody_is_added(role: ContactRole) -> None:
    scene = stage.invited()
    browser = scene.browser(scene.colleague(role))
    assert read(browser.get(scene.path("colleague/"))).h1 == "Someone else has to agree"
    form = {"name": "Lee Ito", "email": "Lee@Brightwater.example"}
    told = browser.post(scene.path("colleague/"), form, follow=True)
    assert read(told).h1 == "Maya knows now"
    with tenancy.use(scene.scope):
        row = Referral.objects.get()
        assert (row.name, row.email) == ("Lee Ito", "lee@brightwater.example")
        assert not Contact.objects.filter(user__email=row.email).exists()
    assert browser.get(scene.path()).status_code == 200
    assert scene.fresh().status == "invited"
