"""Passkeys in a real browser, under the real policy for scripts: set up, signed in with, and proved with."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.e2e.people import Person, Theatre, play
from tests.plugins.demo_process import Demo

MAYA = "maya@northgate.example"
DEVICE = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


def test_a_passkey_is_set_up_signs_in_and_proves_an_act(demo: Demo) -> None:
    play(demo, the_story)


def the_story(theatre: Theatre) -> None:
    maya = theatre.person(MAYA)
    has_a_device(maya)
    sets_it_up(maya)
    signs_in_with_it(maya)
    adds_a_person_with_it(maya)


def has_a_device(maya: Person) -> None:
    browser = maya.context.new_cdp_session(maya.page)
    browser.send("WebAuthn.enable")
    browser.send("WebAuthn.addVirtualAuthenticator", {"options": DEVICE})


def sets_it_up(maya: Person) -> None:
    maya.goes_to("/console/")
    maya.signs_in()
    maya.goes_to("/account/factors/")
    maya.follows("Add a passkey")
    maya.page.get_by_label("Name it").fill("Maya’s laptop")
    maya.page.locator("[name=step_up_code]").fill(maya.phone_shows())
    maya.presses("Make the passkey")
    expect(maya.page.locator("main")).to_contain_text("Maya’s laptop")


def signs_in_with_it(maya: Person) -> None:
    maya.goes_to("/account/logout/")
    maya.presses("Sign out")
    maya.goes_to("/console/")
    maya.presses("Sign in with a passkey")
    expect(maya.page).to_have_url(f"{maya.demo.url}/console/")


def adds_a_person_with_it(maya: Person) -> None:
    maya.goes_to("/console/accounts/membership/add/")
    maya.page.locator("[name=name]").fill("Ines Duarte")
    maya.page.locator("[name=email]").fill("ines@northgate.example")
    maya.page.get_by_label("Consultant").check()
    maya.presses("Use your passkey")
    expect(maya.page.get_by_role("heading", level=1)).to_have_text("Ines Duarte")
