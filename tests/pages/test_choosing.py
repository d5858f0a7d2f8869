"""Optional lines on the consent page: boxes that are off at first, kept through errors, and part of what is agreed to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from accounts.lifecycle import ContactRole
from accounts.models import User
from awsaccess.services.sending import engagement_send
from engagements.models import Consent, Engagement, Variant
from engagements.offer_words import titles_of, words_of
from portal.kernel import actor, tenancy
from tests.pages import stage
from tests.pages.reading import read
from tests.pages.stage import Stage

pytestmark = pytest.mark.usefixtures("db")
ADVICE = 'value="advice" form="consent" id="optional-advice"'
TICKED = f"{ADVICE} checked"


def asked(*keys: str, profile: str = "cost_review", language: str = "en") -> Stage:
    scene = stage.set_stage()
    User.objects.filter(pk=scene.sam.pk).update(language=language)
    with tenancy.use(scene.scope):
        Engagement.objects.filter(pk=scene.engagement.pk).update(optional=list(keys), profile=profile)
        engagement_send(engagement=scene.fresh(), actor=actor.machine("test"))
    return replace(scene, engagement=scene.fresh())


def page_of(scene: Stage) -> str:
    return scene.browser().get(scene.path()).content.decode()


def form_of(scene: Stage, *ticked: str, agree: str = "on") -> dict[str, list[str] | str]:
    page = read(scene.browser().get(scene.path()))
    return {"shown": page.fields["shown"], "agree": agree, "optional": list(ticked)}


def consent(scene: Stage) -> Consent:
    (found,) = scene.consents()
    return found


def test_every_line_that_is_offered_is_a_box_that_is_off_and_needs_no_script() -> None:
    html = page_of(asked("advice", "history"))
    assert html.count('name="optional"') == 2
    assert ADVICE in html
    assert " checked" not in html
    assert "What you leave out, AWS keeps closed." in html
    assert html.count("Optional</span>") == 2


def test_without_optional_lines_the_page_says_nothing_of_them() -> None:
    html = page_of(asked())
    assert 'name="optional"' not in html
    assert "What you can add" not in html


def test_what_is_ticked_is_agreed_to_and_nothing_else() -> None:
    scene = asked("advice", "history")
    assert scene.browser().post(scene.path("agree/"), form_of(scene, "history")).status_code == 302
    found = consent(scene)
    assert found.choice == ["history"]
    with tenancy.use(scene.scope):
        row = Variant.objects.get(offer=found.offer, choice=["history"])
    assert found.template_sha256 == row.template_sha256
    assert 'id="optional-history" checked' in found.shown_html
    assert TICKED not in found.shown_html
    assert ADVICE in found.shown_html


def test_flow_works_without_a_tick() -> None:
    scene = asked("advice")
    assert scene.browser().post(scene.path("agree/"), form_of(scene)).status_code == 302
    found = consent(scene)
    assert (found.choice, found.template_sha256) == ([], found.offer.template_sha256)
    assert " checked" not in found.shown_html


def test_ticks_stay_through_an_error_and_the_page_can_be_sent_again() -> None:
    scene = asked("advice", "history")
    browser = scene.browser()
    answer = browser.post(scene.path("agree/"), form_of(scene, "advice", agree=""))
    assert (answer.status_code, scene.consents()) == (422, [])
    html = answer.content.decode()
    assert TICKED in html
    assert html.count(" checked") == 1
    again = {"shown": read(answer).fields["shown"], "agree": "on", "optional": ["advice"]}
    assert browser.post(scene.path("agree/"), again).status_code == 302
    assert consent(scene).choice == ["advice"]


@pytest.mark.parametrize("forged", ["network", "history", "advice,history", "x" * 300])
def test_a_line_that_is_not_offered_cannot_be_ticked(forged: str) -> None:
    scene = asked("advice")
    answer = scene.browser().post(scene.path("agree/"), form_of(scene, forged))
    assert (answer.status_code, scene.consents()) == (422, [])


def test_the_receipt_and_the_download_are_of_what_was_chosen() -> None:
    scene = asked("advice", "history")
    browser = scene.browser()
    browser.post(scene.path("agree/"), form_of(scene, "history"))
    receipt = read(browser.get(scene.path("receipt/")))
    title = titles_of(consent(scene).offer, ["history"], "en")[0]
    assert f"You also allowed {title}" in receipt.text
    template = browser.get(scene.path("template/")).content.decode()
    assert "cloudtrail:LookupEvents" in template
    assert "trustedadvisor" not in template


def test_the_receipt_tells_that_nothing_was_added() -> None:
    scene = asked("advice")
    browser = scene.browser()
    browser.post(scene.path("agree/"), form_of(scene))
    assert "You also allowed nothing more" in read(browser.get(scene.path("receipt/"))).text


def test_the_receipts_boxes_cannot_be_changed() -> None:
    scene = asked("advice")
    browser = scene.browser()
    browser.post(scene.path("agree/"), form_of(scene, "advice"))
    html = browser.get(scene.path("receipt/")).content.decode()
    assert html.index('<fieldset class="as-shown" disabled') < html.index('name="optional"')


def test_what_should_be_weighed_stands_on_the_page() -> None:
    scene = asked(profile="full_administrator")
    html = page_of(scene)
    assert "Think about this first" in html
    warnings = scene.offer().documents["warnings"]
    assert len(warnings) == 3
    assert all(warning in html for warning in warnings)


def test_a_look_has_nothing_to_weigh() -> None:
    assert "Think about this first" not in page_of(asked())


def test_the_client_reads_the_words_of_their_language_as_they_were_frozen() -> None:
    scene = asked("advice", profile="cost_review", language="de")
    offer = scene.offer()
    german, english = words_of(offer, "de-at"), words_of(offer, "en")
    html = page_of(scene)
    for told, other in (
        (german.lines[0]["title"], english.lines[0]["title"]),
        (german.optional[0]["why"], english.optional[0]["why"]),
        (german.limits[0], english.limits[0]),
        (german.summary, english.summary),
    ):
        assert told in html
        assert other not in html
    assert words_of(offer, "fr").summary == english.summary


def test_an_offer_from_before_there_were_words_in_languages_is_read_as_it_was_frozen() -> None:
    offer = asked("advice", language="de").offer()
    offer.documents = {
        name: value
        for name, value in offer.documents.items()
        if name not in ("words", "optional", "warnings")
    }
    told = words_of(offer, "de")
    assert (told.lines, told.optional, told.warnings) == (offer.lines, (), ())


def test_a_viewer_reads_the_lines_and_a_preview_shows_them() -> None:
    scene = asked("advice")
    viewer = scene.browser(scene.colleague(ContactRole.VIEWER)).get(scene.path()).content.decode()
    assert ADVICE in viewer
    assert "Someone else has to agree" in viewer
