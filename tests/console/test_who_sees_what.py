"""Every address of the console, for every kind of person."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.test import Client as Browser
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from accounts.models import Invitation, Membership
from awsaccess.models import Hub, Visit
from portal.kernel import tenancy
from portal.kernel.admin import ScopedModelAdmin
from portal.kernel.models import OutboxMessage
from tests.console.cast import House, house
from tests.pages.stage import visited
from tests.signing_in import let_in

pytestmark = pytest.mark.django_db
LISTS = {
    "admin:index": {"owner", "assigned", "unassigned", "auditor"},
    "admin:menu": {"owner", "assigned", "unassigned", "auditor"},
    "admin:engagements_engagement_changelist": {"owner", "assigned", "unassigned", "auditor"},
    "admin:engagements_engagement_add": {"owner", "assigned", "unassigned"},
    "admin:awsaccess_grant_changelist": {"owner", "assigned", "unassigned", "auditor"},
    "admin:awsaccess_visit_changelist": {"owner", "assigned", "unassigned", "auditor"},
    "admin:awsaccess_hub_changelist": {"owner", "assigned", "unassigned", "auditor"},
    "admin:accounts_client_changelist": {"owner", "assigned", "unassigned", "auditor"},
    "admin:accounts_client_add": {"owner", "assigned", "unassigned"},
    "admin:accounts_contact_changelist": {"owner", "assigned", "unassigned", "auditor"},
    "admin:accounts_membership_changelist": {"owner", "assigned", "unassigned", "auditor"},
    "admin:accounts_membership_add": {"owner"},
    "admin:accounts_invitation_changelist": {"owner", "assigned", "unassigned", "auditor"},
    "admin:kernel_auditevent_changelist": {"owner", "auditor"},
    "admin:kernel_auditevent_verify": {"owner", "auditor"},
    "admin:kernel_outboxmessage_changelist": {"owner"},
}
MEMBERS = ("owner", "assigned", "unassigned", "auditor")
# Pages about one engagement: those who do not work on it cannot tell that it exists.
ABOUT_ONE = ("engagement", "preview", "grant", "visit", "invitation")


@pytest.fixture
def home(db: None) -> House:
    return house(visited())


def _pages(home: House) -> dict[str, str]:
    with tenancy.use(home.stage.scope):
        rows = {
            "grant": f"/console/awsaccess/grant/{home.stage.engagement.grants.get().pk}/",
            "visit": f"/console/awsaccess/visit/{Visit.objects.first().pk}/",  # type: ignore[union-attr]  # there are two
            "invitation": f"/console/accounts/invitation/{Invitation.objects.get().pk}/",
            "hub": f"/console/awsaccess/hub/{Hub.objects.get().pk}/",
            "client": f"/console/accounts/client/{home.stage.client.code}/",
            "contact": f"/console/accounts/contact/{home.stage.contact.pk}/",
            "person": f"/console/accounts/membership/{Membership.objects.filter(user=home.stage.maya).get().pk}/",
            "event": "/console/kernel/auditevent/1/",
            "delivery": f"/console/kernel/outboxmessage/{OutboxMessage.objects.first().pk}/",  # type: ignore[union-attr]  # mails
        }
    return {"engagement": home.url(), "preview": home.url("preview/"), **rows}


@pytest.mark.parametrize("name", LISTS)
def test_each_list_opens_for_its_roles_and_for_nobody_else(home: House, name: str) -> None:
    for person in MEMBERS:
        expected = 200 if person in LISTS[name] else 403
        assert getattr(home, person).get(reverse(name)).status_code == expected, person


@pytest.mark.parametrize("name", ABOUT_ONE)
def test_a_page_about_an_engagement_exists_for_those_who_work_on_it_own_or_audit(
    home: House, name: str
) -> None:
    url = _pages(home)[name]
    found = {person: getattr(home, person).get(url).status_code for person in MEMBERS}
    assert found == {"owner": 200, "assigned": 200, "unassigned": 404, "auditor": 200}


@pytest.mark.parametrize(
    ("name", "readers"),
    [
        ("hub", MEMBERS),
        ("client", MEMBERS),
        ("contact", MEMBERS),
        ("person", MEMBERS),
        ("event", ("owner", "auditor")),
        ("delivery", ("owner",)),
    ],
)
def test_a_page_of_the_practice_opens_for_its_readers(
    home: House, name: str, readers: tuple[str, ...]
) -> None:
    url = _pages(home)[name]
    found = {person for person in MEMBERS if getattr(home, person).get(url).status_code == 200}
    assert found == set(readers)


def test_for_another_practice_nothing_of_this_one_exists(home: House) -> None:
    for name, url in _pages(home).items():
        answer = home.stranger.get(url)
        # Their own record has an event of that number, and it is not ours.
        assert answer.status_code == 404 or (name == "event" and b"Draft written" not in answer.content), name
    for name in LISTS:
        shown = home.stranger.get(reverse(name)).content
        assert b"Brightwater" not in shown, name
        assert b"northgate.example" not in shown, name


def test_for_people_of_clients_there_is_no_console(home: House) -> None:
    for url in [*_pages(home).values(), *map(reverse, LISTS)]:
        assert home.contact.get(url).status_code == 404, url


def test_the_signed_out_are_led_to_the_products_own_sign_in_and_back(home: House) -> None:
    for url in [*_pages(home).values(), *map(reverse, LISTS)]:
        answer = home.nobody.get(url, follow=True)
        assert answer.redirect_chain[-1][0].startswith("/account/login/?next=%2Fconsole%2F"), url


def test_whoever_left_the_practice_is_out_at_once(home: House) -> None:
    with tenancy.use(home.stage.scope):
        Membership.objects.filter(user__email="tomasz@northgate.example").update(ended_at="2026-01-01T00:00Z")
    assert home.assigned.get(reverse("admin:index")).status_code == 404


def test_an_assignment_that_is_over_opens_nothing(home: House) -> None:
    with tenancy.use(home.stage.scope):
        home.stage.engagement.assignments.filter(consultant__email="tomasz@northgate.example").update(
            ends_at="2026-01-01T00:00Z"
        )
    assert home.assigned.get(home.url()).status_code == 404
    assert b"Brightwater" not in home.assigned.get(reverse("admin:engagements_engagement_changelist")).content


def test_every_registration_stands_on_the_scoped_base() -> None:
    assert all(isinstance(one, ScopedModelAdmin) for one in admin.site._registry.values())


def test_every_address_reads_or_is_a_form_or_a_guarded_action(home: House) -> None:
    """A POST to what only reads is refused: nothing acts outside of the two guarded ways."""
    for path, pattern in _walk():
        view = pattern.callback
        if getattr(view, "is_dangerous_action", False) or path.endswith("/add/"):
            continue
        assert home.owner.post(path).status_code in {302, 404, 405}, path


def test_every_post_needs_its_token(home: House) -> None:
    strict = Browser(enforce_csrf_checks=True)
    let_in(strict, home.stage.maya)
    before = home.events()
    for slug in ("open", "pause", "end"):
        assert strict.post(home.url(f"{slug}/"), {"confirm": "yes", "reason": "x"}).status_code == 403
    assert home.events() == before


def test_reading_everything_writes_nothing(home: House) -> None:
    before = home.events()
    for url in [
        *_pages(home).values(),
        *map(reverse, LISTS),
        *(home.url(f"{slug}/") for slug in ("open", "pause", "end")),
    ]:
        for _ in range(2):
            home.owner.get(url)
            home.owner.head(url)
    assert home.events() == before
    assert len(home.visits()) == 2
    assert home.engagement.status == "active"


def _walk() -> list[tuple[str, URLPattern]]:
    """Every address under the console, with an id that exists nowhere."""
    found: list[tuple[str, URLPattern]] = []
    console = next(one for one in get_resolver().url_patterns if str(one.pattern) == "console/")
    assert isinstance(console, URLResolver)
    queue: list[tuple[str, URLPattern | URLResolver]] = [("/console/", one) for one in console.url_patterns]
    while queue:
        prefix, one = queue.pop()
        path = prefix + str(one.pattern).replace("<str:object_id>", "nothing")
        if isinstance(one, URLResolver):
            queue += [(path, inner) for inner in one.url_patterns]
        elif "?P<" not in path:
            found.append((path, one))
    return found
