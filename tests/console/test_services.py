"""The console's page of the company sign-in: owners set it up, try it and switch it; each change is proved anew."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import reverse

from accounts.models import PinnedAccount, SignInService
from accounts.services.sign_in_services import service_switch
from portal.kernel import tenancy
from tests import provider as fake
from tests.console.cast import House, house
from tests.pages.stage import set_stage
from tests.provider import Provider
from tests.signing_in import let_in

LIST = "/console/accounts/signinservice/"
YES = {"confirm": "yes"}
FORM = {
    "issuer": "https://login.example.com",
    "client_id": "latchkey",
    "client_secret": "hush",
    "domains": "northgate.example\r\n@northgate.test",
}


@pytest.fixture
def home(db: None) -> House:
    return house(set_stage())


@pytest.fixture
def idp(settings: Any) -> Iterator[Provider]:  # Any: pytest-django's private type
    settings.SIGN_IN_SERVICES_ON_LOOPBACK = True
    with fake.running() as provider:
        yield provider


def kept(home: House) -> SignInService:
    with tenancy.use(home.stage.scope):
        return SignInService.objects.get()


def page(home: House, slug: str = "") -> str:
    return f"{LIST}{kept(home).pk}/{slug}"


def text(answer: Any) -> str:  # Any: Django's test response
    return str(answer.content.decode())


def test_an_owner_sets_it_up_and_reads_what_the_provider_has_to_know(home: House) -> None:
    assert "Not set up" in text(home.owner.get(LIST))
    answer = home.owner.post(f"{LIST}add/", FORM, follow=True)
    said = text(answer)
    assert answer.status_code == 200
    assert "http://testserver/account/service/northgate/back/" in said
    assert "northgate.example, northgate.test" in said
    assert "hush" not in said
    assert "hush" not in text(home.owner.get(page(home, "edit/")))
    assert "Company sign-in set up" in said
    assert not kept(home).is_enabled
    assert home.owner.post(f"{LIST}add/", FORM).status_code == 403  # one is enough


def test_what_cannot_work_is_said_over_the_form(home: House) -> None:
    answer = home.owner.post(f"{LIST}add/", {**FORM, "issuer": "https://10.0.0.1"})
    assert answer.status_code == 422
    assert "not a number" in text(answer)
    answer = home.owner.post(f"{LIST}add/", {**FORM, "client_secret": ""})
    assert "The client secret is missing" in text(answer)
    with tenancy.use(home.stage.scope):
        assert not SignInService.objects.exists()


def test_nobody_else_sets_it_up_and_auditors_read_it(home: House) -> None:
    for browser, status in ((home.assigned, 403), (home.auditor, 403), (home.contact, 404)):
        assert browser.post(f"{LIST}add/", FORM).status_code == status
    home.owner.post(f"{LIST}add/", FORM)
    for browser, status in (
        (home.auditor, 200),
        (home.assigned, 403),
        (home.stranger, 404),
        (home.contact, 404),
    ):
        assert browser.get(page(home)).status_code == status
    for slug in ("try", "switch", "edit", "forget"):
        for browser, status in ((home.auditor, 403), (home.assigned, 403), (home.stranger, 404)):
            assert browser.post(page(home, f"{slug}/"), YES).status_code == status


@pytest.mark.parametrize("slug", ["switch", "edit", "forget"])
def test_a_change_without_a_fresh_proof_changes_nothing(home: House, slug: str) -> None:
    home.owner.post(f"{LIST}add/", FORM)
    unproved = let_in(Browser(), home.stage.maya)
    before = kept(home).revision
    with tenancy.use(home.stage.scope):
        PinnedAccount.objects.create(
            practice=home.stage.practice, service=kept(home), user=home.stage.maya, subject="account-1"
        )
    asked = {**YES, **FORM, "is_enabled": "on", "person": str(home.stage.maya.pk)}
    assert unproved.post(page(home, f"{slug}/"), asked).status_code == 422
    assert kept(home).revision == before
    with tenancy.use(home.stage.scope):
        assert PinnedAccount.objects.count() == 1


def test_setting_up_without_a_fresh_proof_sets_nothing_up(home: House) -> None:
    unproved = let_in(Browser(), home.stage.maya)
    assert unproved.post(f"{LIST}add/", FORM).status_code == 422
    with tenancy.use(home.stage.scope):
        assert not SignInService.objects.exists()


def test_it_is_switched_on_made_the_only_way_and_off(home: House) -> None:
    home.owner.post(f"{LIST}add/", FORM)
    for ticked, words in (
        ({"is_enabled": "on"}, "On"),
        ({"is_enabled": "on", "is_required": "on"}, "everybody but owners has to"),
        ({"is_required": "on"}, "Off"),  # off is off for everybody
    ):
        assert home.owner.post(page(home, "switch/"), {**YES, **ticked}).status_code == 302
        assert words in text(home.owner.get(LIST))
    assert not kept(home).is_required


def test_trying_it_says_what_is_wrong_in_words(home: House, idp: Provider) -> None:
    home.owner.post(f"{LIST}add/", {**FORM, "issuer": idp.issuer})
    answer = home.owner.post(page(home, "try/"), YES, follow=True)
    assert "It answers as it should" in text(answer)
    idp.change_discovery = lambda said: {**said, "issuer": "https://elsewhere.example"}
    answer = home.owner.post(page(home, "try/"), YES)
    assert answer.status_code == 422
    assert "It calls itself https://elsewhere.example" in text(answer)


def test_changing_keeps_the_secret_unless_it_goes_elsewhere(home: House) -> None:
    home.owner.post(f"{LIST}add/", FORM)
    before = bytes(kept(home).client_secret)
    same = {**YES, **FORM, "client_secret": "", "domains": "northgate.example"}
    assert home.owner.post(page(home, "edit/"), same).status_code == 302
    assert bytes(kept(home).client_secret) == before
    elsewhere = {**same, "issuer": "https://login.evil.example"}
    answer = home.owner.post(page(home, "edit/"), elsewhere)
    assert "needs its own client secret" in text(answer)
    assert kept(home).issuer == FORM["issuer"]


def test_somebodys_account_is_forgotten_and_only_what_is_known_is_offered(home: House, idp: Provider) -> None:
    home.owner.post(f"{LIST}add/", {**FORM, "issuer": idp.issuer})
    with tenancy.use(home.stage.scope):
        PinnedAccount.objects.create(
            practice=home.stage.practice, service=kept(home), user=home.stage.maya, subject="account-77"
        )
    assert "account-77" in text(home.owner.get(page(home)))
    offered = text(home.owner.get(page(home, "forget/")))
    assert str(home.stage.maya.pk) in offered
    assert str(home.stage.sam.pk) not in offered
    strange = {**YES, "person": str(home.stage.sam.pk)}
    assert home.owner.post(page(home, "forget/"), strange).status_code == 422
    answer = home.owner.post(page(home, "forget/"), {**YES, "person": str(home.stage.maya.pk)}, follow=True)
    assert "Forgotten." in text(answer)
    with tenancy.use(home.stage.scope):
        assert not PinnedAccount.objects.exists()


def test_a_page_that_was_open_while_somebody_else_saved_saves_nothing(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between reading the row and writing it, another owner was faster."""
    home.owner.post(f"{LIST}add/", FORM)

    def late(**named: Any) -> None:  # Any: the service's own
        SignInService.objects.update(revision=99)
        service_switch(**named)

    monkeypatch.setattr("portal.console.services.service_switch", late)
    answer = home.owner.post(page(home, "switch/"), {**YES, "is_enabled": "on"})
    assert answer.status_code == 422
    assert not kept(home).is_enabled


def test_the_sidebar_names_it_for_those_who_may_read_it(home: House) -> None:
    url = reverse("admin:accounts_signinservice_changelist")
    assert url in text(home.owner.get("/console/"))
    assert url in text(home.auditor.get("/console/"))
    assert url not in text(home.assigned.get("/console/"))
