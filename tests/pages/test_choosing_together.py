"""Optional lines and changes where several people agree, or a code is asked for: as pages."""

from __future__ import annotations

import re

import pytest
from django.test import Client as Browser

from accounts.lifecycle import ContactRole
from accounts.models import User
from awsaccess.services.changing import change_offer
from awsaccess.services.sending import engagement_send
from engagements.models import Engagement, ScopeChange
from engagements.services import agreement_codes
from portal.kernel import actor, tenancy
from portal.kernel.mail import Letter
from tests.pages import stage
from tests.pages.reading import read
from tests.pages.stage import Stage

pytestmark = pytest.mark.usefixtures("db")
MACHINE = actor.machine("test")
FIXED = "A colleague who agreed before you chose these."
HISTORY = 'value="history" form="consent" id="optional-history"'
ADVICE = 'value="advice" form="consent" id="optional-advice"'


@pytest.fixture
def codes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What stands in the letters with codes."""
    found: list[str] = []

    def promise(letter: Letter) -> None:
        found.extend(re.findall(r"^  (\d{6})$", letter.text, re.MULTILINE))

    monkeypatch.setattr(agreement_codes, "letter_promise", promise)
    return found


def for_two() -> tuple[Stage, User]:
    scene = stage.set_stage()
    alex = scene.colleague(ContactRole.APPROVER)
    with tenancy.use(scene.scope):
        Engagement.objects.update(approvals_needed=2, optional=["advice", "history"])
        engagement_send(engagement=scene.fresh(), actor=MACHINE)
    return scene, alex


def changing(*optional: str, **asked_for: object) -> Stage:
    """Access is on, and a change of it is asked; how it is to be agreed to is `asked_for`."""
    scene = stage.active()
    with tenancy.use(scene.scope):
        Engagement.objects.update(**asked_for)
        change_offer(
            engagement=scene.engagement,
            profile="security_review",
            optional=optional,
            ends_at=scene.fresh().ends_at,
            actor=MACHINE,
        )
    return scene


def form_of(scene: Stage, browser: Browser, *ticked: str, at: str = "") -> dict[str, str | list[str]]:
    page = read(browser.get(scene.path(at)))
    return {"shown": page.fields["shown"], "agree": "on", "optional": list(ticked)}


def status_of(scene: Stage) -> str:
    with tenancy.use(scene.scope):
        return str(ScopeChange.objects.get().status)


def test_the_second_reads_what_the_first_chose_and_agrees_to_the_same() -> None:
    scene, alex = for_two()
    sams, alexs = scene.browser(), scene.browser(alex)
    assert FIXED not in alexs.get(scene.path()).content.decode()
    sams.post(scene.path("agree/"), form_of(scene, sams, "history"))
    html = alexs.get(scene.path()).content.decode()
    assert FIXED in html
    assert f"{HISTORY} checked disabled" in html
    assert f"{ADVICE} disabled" in html
    assert alexs.post(scene.path("agree/"), form_of(scene, alexs)).status_code == 302
    assert scene.fresh().status == "agreed"
    first, second = scene.consents()
    assert first.choice == second.choice == ["history"]
    assert first.agreed_sha256 == second.agreed_sha256
    assert f"{HISTORY} checked disabled" in second.shown_html
    receipt = alexs.get(scene.path("receipt/")).content.decode()
    assert second.agreed_sha256 in receipt


def test_another_choice_than_the_first_ones_is_refused_with_words() -> None:
    scene, alex = for_two()
    sams, alexs = scene.browser(), scene.browser(alex)
    sams.post(scene.path("agree/"), form_of(scene, sams, "history"))
    answer = alexs.post(scene.path("agree/"), form_of(scene, alexs, "advice"))
    assert answer.status_code == 409
    assert "A colleague who agreed before you chose what to add" in read(answer).text
    assert len(scene.consents()) == 1


def test_who_read_before_the_first_agreed_reads_again() -> None:
    scene, alex = for_two()
    sams, alexs = scene.browser(), scene.browser(alex)
    form = form_of(scene, alexs, "history")
    sams.post(scene.path("agree/"), form_of(scene, sams, "history"))
    assert alexs.post(scene.path("agree/"), form).status_code == 409
    assert len(scene.consents()) == 1


def test_ticks_stay_while_the_code_is_fetched(codes: list[str]) -> None:
    scene = stage.set_stage()
    with tenancy.use(scene.scope):
        Engagement.objects.update(code_at_agreement=True, optional=["advice", "history"])
        engagement_send(engagement=scene.fresh(), actor=MACHINE)
    browser = scene.browser()
    form = form_of(scene, browser, "history")
    asked = browser.post(scene.path("agree/"), form)
    assert f"{HISTORY} checked" in asked.content.decode()
    done = browser.post(scene.path("agree/"), {**form, "code": codes[0]})
    assert done.status_code == 302
    (consent,) = scene.consents()
    assert consent.choice == ["history"]


def test_a_change_asks_for_a_code_too(codes: list[str]) -> None:
    scene = changing("network", code_at_agreement=True)
    browser = scene.browser()
    form = form_of(scene, browser, "network", at="change/")
    page = read(browser.post(scene.path("change/agree/"), form))
    assert "Type it here, then agree." in page.text
    assert status_of(scene) == "asked"
    wrong = f"{(int(codes[0]) + 1) % 10**6:06d}"
    answer = browser.post(scene.path("change/agree/"), {**form, "code": wrong})
    assert answer.status_code == 422
    assert "That code doesn’t match" in read(answer).text
    assert "Type it here, then agree." in read(browser.get(scene.path("change/"))).text
    assert browser.post(scene.path("change/agree/"), {**form, "code": codes[0]}).status_code == 302
    assert status_of(scene) == "agreed"


def test_two_agree_to_a_change_and_nothing_is_updated_before() -> None:
    scene = changing("network", approvals_needed=2)
    alex = scene.colleague(ContactRole.APPROVER)
    sams, alexs = scene.browser(), scene.browser(alex)
    assert "2 people at Brightwater Dental have to agree." in read(sams.get(scene.path("change/"))).text
    form = form_of(scene, sams, "network", at="change/")
    answer = sams.post(scene.path("change/agree/"), form, follow=True)
    assert "You agreed. Others are still asked" in read(answer).text
    assert status_of(scene) == "asked"
    again = {**form, **form_of(scene, alexs, "network", at="change/")}
    assert sams.post(scene.path("change/agree/"), form).status_code == 409
    page = alexs.get(scene.path("change/")).content.decode()
    assert FIXED in page
    assert alexs.post(scene.path("change/agree/"), again).status_code == 302
    assert status_of(scene) == "agreed"
    assert "Update the access in AWS" in read(sams.get(scene.path("change/"))).text


def test_whoever_agreed_to_a_change_and_presses_again_lands_on_its_page() -> None:
    scene = changing(approvals_needed=2)
    scene.colleague(ContactRole.APPROVER)
    browser = scene.browser()
    form = form_of(scene, browser, at="change/")
    for _ in range(2):
        answer = browser.post(scene.path("change/agree/"), form)
        assert answer.status_code == 302
        assert answer.headers["Location"].endswith("/change/")
    assert status_of(scene) == "asked"
