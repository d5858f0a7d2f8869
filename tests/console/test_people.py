"""People come, change and leave from the console: who may, what the pages say, and that leaving holds at the next click."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client as Browser
from django.urls import reverse

from accounts.lifecycle import ContactRole, MemberRole
from accounts.models import Contact, Membership, User
from engagements.models import Assignment, Engagement
from engagements.selectors import assignments_of
from portal.kernel import tenancy
from portal.kernel.models import OutboxMessage
from tests.console.cast import House, house, member
from tests.console.test_who_sees_what import _pages
from tests.pages import stage
from tests.pages.reading import read

pytestmark = pytest.mark.django_db
YES = {"confirm": "yes"}
TERMS = {
    "title": "Security check",
    "purpose": "to see which doors are open",
    "profile": "cost_review",
    "ends_at": "2099-01-01T18:00",
}


@pytest.fixture
def home(db: None) -> House:
    return house(stage.visited())


def tomasz() -> User:
    return User.objects.get(email="tomasz@northgate.example")


def person_url(home: House, user: User, slug: str = "") -> str:
    with tenancy.use(home.stage.scope):
        return f"/console/accounts/membership/{Membership.objects.get(user=user).pk}/{slug}"


def contact_url(home: House, slug: str = "") -> str:
    return f"/console/accounts/contact/{home.stage.contact.pk}/{slug}"


def on_it(home: House) -> list[tuple[str, str]]:
    with tenancy.use(home.stage.scope):
        return [(row.consultant.name, row.role) for row in assignments_of(home.stage.engagement)]


def id_of(browser: Browser) -> str:
    return str(browser.session["_auth_user_id"])


def mails(home: House, kind: str) -> int:
    with tenancy.use(home.stage.scope):
        return OutboxMessage.objects.filter(kind=kind).count()


# The practice's people.


def test_whoever_is_removed_is_out_at_the_next_click(home: House) -> None:
    url = person_url(home, tomasz(), "end/")
    shown = home.owner.get(url).content.decode()
    assert "Tomasz Lis is signed out everywhere" in shown
    assert home.assigned.get(home.url()).status_code == 200
    assert home.owner.post(url, {**YES, "successor": ""}).status_code == 302
    assert home.assigned.get(home.url())["Location"].startswith("/console/login/")
    assert on_it(home) == [("Maya Okafor", "lead")]
    assert "Left on" in home.owner.get(person_url(home, tomasz())).content.decode()
    assert (
        person_url(home, tomasz(), "end/") not in home.owner.get(person_url(home, tomasz())).content.decode()
    )


def test_an_owner_signs_somebody_out_everywhere(home: House) -> None:
    url = person_url(home, tomasz(), "sign-out/")
    assert "has to sign in again" in home.owner.get(url).content.decode()
    assert home.assigned.get(home.url()).status_code == 200
    assert home.owner.post(url, YES)["Location"] == person_url(home, tomasz())
    assert home.assigned.get(home.url())["Location"].startswith("/console/login/")
    assert home.unassigned.post(url, YES).status_code == 403
    assert home.contact.get(home.stage.path()).status_code == 200
    assert (
        home.unassigned.post(contact_url(home, "sign-out/"), YES).status_code == 302
    )  # led back: not theirs
    assert home.contact.get(home.stage.path()).status_code == 200
    assert home.owner.post(contact_url(home, "sign-out/"), YES).status_code == 302
    assert home.contact.get(home.stage.path()).status_code == 302


def test_a_lead_is_removed_with_somebody_to_follow(home: House) -> None:
    member(home.stage, "Olga Perez", MemberRole.OWNER)
    url = person_url(home, home.stage.maya, "end/")
    assert "leads “Cost review” at Brightwater Dental" in home.owner.get(url).content.decode()
    refused = home.owner.post(url, {**YES, "successor": ""})
    assert refused.status_code == 422
    assert "Choose somebody else who leads it from now on." in refused.content.decode()
    assert home.owner.post(url, {**YES, "successor": str(tomasz().pk)}).status_code == 302
    assert on_it(home) == [("Tomasz Lis", "lead")]


def test_the_only_owner_is_told_so(home: House) -> None:
    for slug, asked in (("end/", {}), ("role/", {"role": "consultant"})):
        answer = home.owner.post(
            person_url(home, home.stage.maya, slug), {**YES, **asked, "successor": str(tomasz().pk)}
        )
        assert answer.status_code == 422
        assert "Make somebody else an owner first" in answer.content.decode()


def test_another_role_counts_from_the_next_click(home: House) -> None:
    assert home.assigned.get(reverse("admin:kernel_auditevent_changelist")).status_code == 403
    url = person_url(home, tomasz(), "role/")
    assert home.owner.post(url, {**YES, "role": "auditor", "successor": ""}).status_code == 302
    assert home.assigned.get(reverse("admin:kernel_auditevent_changelist")).status_code == 200
    assert home.assigned.get(reverse("admin:engagements_engagement_add")).status_code == 403
    assert on_it(home) == [("Maya Okafor", "lead")]


@pytest.mark.parametrize("slug", ["end/", "role/"])
def test_only_owners_move_people_of_the_practice(home: House, slug: str) -> None:
    url, before = person_url(home, tomasz(), slug), home.events()
    asked = {**YES, "role": "owner", "successor": ""}
    for browser, status in (
        (home.assigned, 403),
        (home.unassigned, 403),
        (home.auditor, 403),
        (home.stranger, 404),
        (home.contact, 404),
    ):
        assert browser.get(url).status_code == status
        assert browser.post(url, asked).status_code == status
    assert home.events() == before


# The clients' people.


def test_a_contact_is_removed_and_out_at_the_next_click(home: House) -> None:
    page = f"/e/{home.stage.engagement.code}/"
    assert home.contact.get(page).status_code == 200
    shown = home.assigned.get(contact_url(home, "end/")).content.decode()
    assert "Nobody else at Brightwater Dental may agree." in shown
    assert home.assigned.post(contact_url(home, "end/"), YES).status_code == 302
    assert home.contact.get(page)["Location"].startswith("/account/login/")
    assert "Contact left" in home.owner.get(contact_url(home)).content.decode()
    client = home.owner.get(f"/console/accounts/client/{home.stage.client.code}/").content.decode()
    assert "Sam Carter" not in client


def test_another_role_of_a_contact_counts_from_the_next_click(home: House) -> None:
    pause = f"/e/{home.stage.engagement.code}/pause/"
    assert home.contact.get(pause).status_code == 200
    assert home.assigned.post(contact_url(home, "role/"), {**YES, "role": "viewer"}).status_code == 302
    assert home.contact.get(pause).status_code == 403
    with tenancy.use(home.stage.scope):
        assert Contact.objects.get(pk=home.stage.contact.pk).role == ContactRole.VIEWER


@pytest.mark.parametrize("slug", ["end/", "role/"])
def test_contacts_are_tended_by_owners_and_those_who_work_there(home: House, slug: str) -> None:
    before, asked = home.events(), {**YES, "role": "viewer"}
    for browser, status in ((home.auditor, 403), (home.stranger, 404), (home.contact, 404)):
        assert browser.post(contact_url(home, slug), asked).status_code == status
    told = home.unassigned.post(contact_url(home, slug), asked, follow=True)
    assert "can’t be done as things stand now" in told.content.decode()
    assert home.events() == before


def test_contacts_are_listed_and_lead_to_their_pages(home: House) -> None:
    shown = home.auditor.get(reverse("admin:accounts_contact_changelist")).content.decode()
    assert contact_url(home) in shown
    client = home.auditor.get(f"/console/accounts/client/{home.stage.client.code}/").content.decode()
    assert contact_url(home) in client
    others = home.stranger.get(reverse("admin:accounts_contact_changelist")).content.decode()
    assert "Brightwater" not in others


# Who works on an engagement.


def test_somebody_joins_what_runs_and_the_client_sees_it_at_once(home: House) -> None:
    asked = {**YES, "consultant": id_of(home.unassigned), "role": "member"}
    assert "they get a mail now" in home.owner.get(home.url("assign/")).content.decode()
    assert home.unassigned.get(home.url()).status_code == 404
    assert home.assigned.post(home.url("assign/"), asked).status_code == 302
    assert home.unassigned.get(home.url()).status_code == 200
    assert mails(home, "engagements.person_added") == 1
    seen = read(home.contact.get(home.stage.path())).text
    assert "Ines Duarte joined the project" in seen
    assert home.assigned.post(home.url("assign/"), asked).status_code == 422


def test_an_observer_reads_along_and_cannot_open_aws(home: House) -> None:
    asked = {**YES, "consultant": id_of(home.unassigned), "role": "observer"}
    home.owner.post(home.url("assign/"), asked)
    shown = home.unassigned.get(home.url()).content.decode()
    for slug in ("open/", "assign/", "release/", "lead/"):
        assert home.url(slug) not in shown
        home.unassigned.post(home.url(slug), {**YES, **asked})
    assert on_it(home)[1:] == [("Tomasz Lis", "member"), ("Ines Duarte", "observer")]
    assert len(home.visits()) == 2
    assert "Ines Duarte looks on" in read(home.contact.get(home.stage.path())).text


def test_somebody_is_taken_off_and_the_client_sees_it_at_once(home: House) -> None:
    with tenancy.use(home.stage.scope):
        row = Assignment.objects.get(consultant=tomasz())
        lead = Assignment.objects.get(consultant=home.stage.maya)
    url = home.url("release/")
    assert home.owner.post(url, {**YES, "assignment": str(lead.pk)}).status_code == 422
    assert home.owner.post(url, {**YES, "assignment": str(row.pk)}).status_code == 302
    assert home.assigned.get(home.url()).status_code == 404
    assert mails(home, "engagements.person_left") == 1
    assert "Tomasz Lis left the project" in read(home.contact.get(home.stage.path())).text
    assert url not in home.owner.get(home.url()).content.decode()


def test_whoever_takes_themselves_off_is_led_to_what_is_left(home: House) -> None:
    with tenancy.use(home.stage.scope):
        row = Assignment.objects.get(consultant=tomasz())
    answer = home.assigned.post(home.url("release/"), {**YES, "assignment": str(row.pk)})
    assert answer["Location"] == reverse("admin:engagements_engagement_changelist")


def test_the_lead_is_handed_over_and_the_client_sees_whom_to_ask(home: House) -> None:
    assert home.owner.post(home.url("lead/"), {**YES, "lead": str(tomasz().pk)}).status_code == 302
    assert on_it(home) == [("Tomasz Lis", "lead"), ("Maya Okafor", "member")]
    seen = read(home.contact.get(home.stage.path())).text
    assert "Tomasz Lis leads the project now" in seen
    assert "Maya Okafor left" not in seen
    assert "Maya Okafor joined" not in seen


def test_the_certificate_names_everybody_who_had_access() -> None:
    home = house(stage.active())
    asked = {**YES, "consultant": id_of(home.unassigned), "role": "observer"}
    home.owner.post(home.url("assign/"), asked)
    with tenancy.use(home.stage.scope):
        row = Assignment.objects.get(consultant=tomasz())
    home.owner.post(home.url("release/"), {**YES, "assignment": str(row.pk)})
    with tenancy.use(home.stage.scope):
        Engagement.objects.update(status="closed", closed_at="2026-12-01T00:00Z")
    seen = read(home.contact.get(home.stage.path())).text
    assert "Maya Okafor and Tomasz Lis" in seen
    assert "Ines" not in seen


# Drafts.


def test_a_draft_is_edited_by_those_who_work_on_it() -> None:
    home = house(stage.set_stage())
    shown = home.assigned.get(home.url("edit/")).content.decode()
    assert 'value="Cost review"' in shown
    seen = shown.split('name="seen" value="')[1].split('"')[0]
    for browser, status in ((home.auditor, 403), (home.unassigned, 404), (home.stranger, 404)):
        assert browser.post(home.url("edit/"), {**YES, **TERMS, "seen": seen}).status_code == status
    answer = home.assigned.post(
        home.url("edit/"), {**YES, **TERMS, "seen": seen, "status": "active", "code": "x", "client": "x"}
    )
    assert answer.status_code == 302
    kept = home.engagement
    assert (kept.title, kept.status, kept.client_id) == ("Security check", "draft", home.stage.client.pk)
    late = home.owner.post(home.url("edit/"), {**YES, **TERMS, "title": "Mine", "seen": seen})
    assert late.status_code == 422
    assert "Somebody else changed this draft meanwhile" in late.content.decode()
    assert home.engagement.title == "Security check"


def test_what_was_sent_is_not_edited(home: House) -> None:
    assert home.url("edit/") not in home.owner.get(home.url()).content.decode()
    home.owner.post(home.url("edit/"), {**YES, **TERMS, "seen": "x"})
    assert home.engagement.title == "Cost review"


# The wall below the views.


def _forget(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if somebody had written a view without it."""
    everything: Callable[..., object] = lambda _request, rows: rows  # noqa: E731  # one line is all it is
    monkeypatch.setattr(f"portal.console.reads.{name}", everything)


def test_where_every_view_forgets_to_ask_postgresql_still_hides_it(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = {
        name: url for name, url in _pages(home).items() if name in {"engagement", "preview", "grant", "visit"}
    }
    for name in ("engagements_seen", "of_engagements_seen"):
        _forget(name, monkeypatch)
    for name, url in pages.items():
        assert home.assigned.get(url).status_code == 200, name
        assert home.unassigned.get(url).status_code == 404, name
    for action in ("open", "assign", "release", "lead", "pause", "end"):
        assert home.unassigned.post(home.url(f"{action}/"), YES).status_code == 404, action
    for app in ("engagements_engagement", "awsaccess_grant", "awsaccess_visit"):
        assert b"Cost review" not in home.unassigned.get(reverse(f"admin:{app}_changelist")).content, app
    assert b"Cost review" not in home.unassigned.get(reverse("admin:index")).content
