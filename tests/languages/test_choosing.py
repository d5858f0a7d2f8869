"""Which language somebody reads: their own, the one they chose here, or what their browser asks for. Looking changes nothing."""

from __future__ import annotations

import re

import pytest
from django.test import Client as Browser
from django.utils import translation

from accounts.emails import checkpoint_letter, code_letter, invitation_letter
from accounts.lifecycle import ContactRole
from accounts.models import Invitation, Membership, User
from accounts.services.languages import language_take_over
from accounts.services.people import Person, client_add, contact_add
from engagements.emails.letters import order_letter
from engagements.models import Order
from portal.console.people_forms import ContactForm
from portal.kernel import actor, checkpoints, tenancy
from portal.pages import intake
from tests.engagements.test_orders import make_page
from tests.factories import make_firm
from tests.pages import stage
from tests.pages.reading import read
from tests.pages.test_intake import fields

pytestmark = pytest.mark.usefixtures("db")
GERMAN = {"accept-language": "de-AT,de;q=0.9,en;q=0.5"}
SIGN_IN = "/account/login/"


def page_language(browser: Browser, path: str) -> str:
    """What the page says of itself, twice."""
    response = browser.get(path)
    (told,) = re.findall(r'<html lang="([^"]+)" dir="ltr">', response.content.decode())
    assert response.headers["Content-Language"] == told
    return str(told)


@pytest.mark.parametrize(
    ("asked", "told"),
    [("", "en"), ("de", "de"), ("de-CH, en;q=0.4", "de"), ("fr", "en"), ("fr, de;q=0.2", "de"), ("*", "en")],
)
def test_before_the_sign_in_the_browser_decides(asked: str, told: str) -> None:
    browser = Browser(headers={"accept-language": asked})
    assert page_language(browser, SIGN_IN) == told
    assert {"Accept-Language", "Cookie"} <= set(browser.get(SIGN_IN).headers["Vary"].split(", "))


def test_who_chose_a_language_keeps_it_in_this_browser() -> None:
    browser = Browser(headers=GERMAN)
    answer = browser.post("/language/", {"language": "en", "next": "/help/"})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/help/")
    cookie = answer.cookies["language"]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")
    assert page_language(browser, SIGN_IN) == "en"


def test_who_is_signed_in_keeps_it_everywhere() -> None:
    scene = stage.invited()
    here, there = scene.browser(), scene.browser()
    here.post("/language/", {"language": "de", "next": scene.path()})
    assert User.objects.get(pk=scene.sam.pk).language == "de"
    assert page_language(here, scene.path()) == page_language(there, scene.path()) == "de"
    assert read(there.get(scene.path())).h1 == "Prüfen Sie den Zugang, um den wir bitten"
    assert page_language(Browser(), SIGN_IN) == "en"


def test_looking_at_the_choice_chooses_nothing() -> None:
    scene = stage.invited()
    browser = scene.browser()
    for path in ("/language/?language=de", "/language/?next=/e/"):
        answer = browser.get(path)
        assert "language" not in answer.cookies
    assert User.objects.get(pk=scene.sam.pk).language == ""


@pytest.mark.parametrize("language", ["", "fr", "en-gb", "../../etc", "de\r\n"])
def test_a_language_that_is_none_of_ours_is_refused(language: str) -> None:
    answer = Browser().post("/language/", {"language": language})
    assert answer.status_code == 422
    assert "language" not in answer.cookies


@pytest.mark.parametrize("away", ["https://evil.example/", "//evil.example", "javascript:alert(1)", ""])
def test_the_choice_leads_nowhere_else(away: str) -> None:
    answer = Browser().post("/language/", {"language": "de", "next": away})
    assert answer.headers["Location"] == "/language/"
    assert "evil" not in Browser().get("/language/", {"next": away}).content.decode()


def test_the_choice_is_a_form_that_only_our_pages_send() -> None:
    assert Browser(enforce_csrf_checks=True).post("/language/", {"language": "de"}).status_code == 403


def test_every_page_offers_the_other_language_and_leads_back() -> None:
    scene = stage.invited()
    links = read(scene.browser().get(scene.path())).links
    assert links["Deutsch"] == f"/language/?next={scene.path()}"
    assert "English" not in links
    assert read(Browser(headers=GERMAN).get("/help/")).links["English"] == "/language/?next=/help/"


def test_a_page_whose_address_is_a_secret_puts_it_into_no_other() -> None:
    assert read(Browser().get("/i/some-token/")).links["Deutsch"] == "/language/"


def test_the_console_is_english_as_a_whole() -> None:
    scene = stage.invited()
    User.objects.filter(pk=scene.maya.pk).update(language="de")
    browser = scene.browser(scene.maya)
    assert browser.get("/console/").headers["Content-Language"] == "en"
    assert page_language(browser, "/account/logout/") == "de"


def test_the_language_of_the_first_visit_stays_and_a_chosen_one_is_never_overwritten() -> None:
    scene = stage.invited()
    language_take_over(user=scene.sam, language="de")
    assert User.objects.get(pk=scene.sam.pk).reads == "de"
    language_take_over(user=User.objects.get(pk=scene.sam.pk), language="en")
    assert User.objects.get(pk=scene.sam.pk).reads == "de"
    language_take_over(user=scene.sam, language="en")  # read before the first call: the row decides
    assert User.objects.get(pk=scene.sam.pk).reads == "de"
    assert scene.maya.reads == "en"


def test_the_consent_is_kept_in_the_language_and_the_bytes_it_was_shown_in() -> None:
    scene = stage.invited()
    User.objects.filter(pk=scene.sam.pk).update(language="de")
    browser = scene.browser()
    page = browser.get(scene.path()).content.decode()
    form = {name: value for name, value in read(browser.get(scene.path())).fields.items() if value}
    assert browser.post(scene.path("agree/"), {**form, "agree": "on"}).status_code == 302
    (consent,) = scene.consents()
    assert consent.evidence["language"] == "de"
    assert consent.shown_html in page
    assert "Ihre AWS-Rechnungen und Ihr Verbrauch" in consent.shown_html  # the frozen words, in German
    assert "Ich habe diese Seite gelesen" in consent.evidence["authority"]
    assert "Your AWS bills" not in consent.shown_html


def test_an_agreement_to_a_page_in_another_language_is_refused() -> None:
    """What was shown is what is kept: whoever changed the language in another tab reads it again."""
    scene = stage.invited()
    browser = scene.browser()
    form = {name: value for name, value in read(browser.get(scene.path())).fields.items() if value}
    browser.post("/language/", {"language": "de", "next": "/"})
    answer = browser.post(scene.path("agree/"), {**form, "agree": "on"})
    assert answer.status_code == 409
    assert read(answer).h1 == "Diese Seite hat sich geändert, seit Sie sie geöffnet haben"
    assert scene.consents() == []


def test_the_receipt_marks_what_was_shown_in_another_language() -> None:
    scene = stage.agreed()
    User.objects.filter(pk=scene.sam.pk).update(language="de")
    page = scene.browser().get(scene.path("receipt/")).content.decode()
    assert '<html lang="de"' in page
    assert 'lang="en" dir="auto"><div class="stack-l" id="agreement"' in page


def test_an_offer_is_frozen_in_every_language() -> None:
    scene = stage.invited()
    with tenancy.use(scene.scope):
        documents = scene.offer().documents
    assert set(documents["words"]) == {"de", "en"}
    assert documents["words"]["de"]["summary"].startswith("Das Team kann")


def test_who_is_added_may_have_a_language_and_who_is_known_keeps_theirs() -> None:
    scene = stage.invited()
    machine = actor.machine("test")
    with tenancy.use(scene.scope):
        farm = client_add(practice=scene.practice, name="Hollins Farm", actor=machine)
        for client, language in ((scene.client, "de"), (farm, "en")):
            lena = Person(email="lena@acacia.example", name="Lena Brandt", language=language)
            contact = contact_add(client=client, person=lena, role=ContactRole.VIEWER, actor=machine)
            assert contact.user.reads == "de"


def test_the_console_asks_for_a_new_contacts_language() -> None:
    form = ContactForm(
        {"email": "lena@acacia.example", "name": "Lena Brandt", "role": "viewer", "language": "de"}
    )
    assert form.is_valid(), form.errors
    assert form.cleaned_data["language"] == "de"


def test_the_link_that_confirms_an_order_is_in_the_language_of_the_page(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(intake, "QUICKEST_SECONDS", 0)
    firm = make_firm("north")
    make_page(firm)
    Browser(headers=GERMAN).post("/to/north/", fields())
    with tenancy.use(firm.practice_side):
        order = Order.objects.select_related("practice").get()
        letter = order_letter(order, reason="test", message_key="x")
    assert letter.subject == "Bestätigen Sie Ihre Bestellung bei North"
    assert "Ist das Ihre Adresse?" in letter.html


def test_an_invitation_and_a_code_are_in_the_readers_language() -> None:
    scene = stage.invited()
    User.objects.filter(pk=scene.sam.pk).update(language="de")
    with tenancy.use(scene.scope):
        invitation = Invitation.objects.select_related(
            "contact__user", "invited_by", "practice", "client"
        ).get()
        told = invitation_letter(invitation, reason="test", message_key="x")
    assert told.subject == "Maya Okafor lädt Sie in das Portal von Northgate Cloud ein"
    assert "Der Link ist nur für Sie und gilt bis" in " ".join(told.text.split())
    with translation.override("de"):
        code = code_letter(to="sam@brightwater.example", code="123456")
    assert code.subject == "123456 ist Ihr Anmeldecode"
    assert re.search(r"^  123456$", code.text, re.MULTILINE)


def test_the_seal_of_the_record_is_in_the_owners_language() -> None:
    scene = stage.invited()
    User.objects.filter(pk=scene.maya.pk).update(language="de")
    with tenancy.use(scene.scope):
        checkpoint = checkpoints.checkpoint_make()
        assert checkpoint is not None
        owner = Membership.objects.select_related("user", "practice").get(user=scene.maya)
        letter = checkpoint_letter(owner, checkpoint, reason="test", message_key="x")
    assert letter.subject == f"Siegel Ihres Protokolls: {checkpoint.size} Einträge"
    assert checkpoints.note_of(checkpoint) in letter.text
