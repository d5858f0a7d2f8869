"""A practice's sign-in service as it is kept: sealed, behind the wall, changed by one at a time, and told."""

from __future__ import annotations

import io
import socket
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import Error, transaction

from accounts import selectors
from accounts.lifecycle import AccountEvent
from accounts.models import PinnedAccount, SignInService
from accounts.services import sign_in_services
from accounts.services.sign_in_services import (
    BadService,
    Wanted,
    account_forget,
    domains_read,
    service_change,
    service_portal,
    service_set_up,
    service_switch,
    service_try,
)
from portal.kernel import secrets, tenancy
from portal.kernel.errors import InvalidMove, Stale, Unavailable
from portal.kernel.models import AuditBody, AuditEvent
from tests import provider as fake
from tests.factories import TESTER, Firm, make_firm

ISSUER = "https://login.example.com"


@pytest.fixture
def north(db: None) -> Firm:
    return make_firm("north")


def wanted(**changed: Any) -> Wanted:  # Any: fields of Wanted
    fields: dict[str, Any] = {
        "issuer": ISSUER,
        "client_id": "latchkey",
        "client_secret": "hush",
        "domains": ["north.example"],
    }
    return Wanted(**{**fields, **changed})


def set_up(firm: Firm) -> SignInService:
    with tenancy.use(firm.practice_side):
        return service_set_up(practice=firm.practice, wanted=wanted(), actor=TESTER)


def row(firm: Firm) -> SignInService:
    with tenancy.use(firm.practice_side):
        return SignInService.objects.get()


def told(firm: Firm, kind: AccountEvent) -> list[str]:
    with tenancy.use(firm.practice_side):
        events = AuditEvent.objects.filter(kind=kind.value).order_by("seq")
        return [AuditBody.objects.get(event=event).text for event in events]


def pin(firm: Firm, service: SignInService) -> None:
    with tenancy.use(firm.practice_side):
        PinnedAccount.objects.create(
            practice=firm.practice, service=service, user=firm.owner, subject="account-1"
        )


def test_a_service_is_set_up_switched_off_with_its_secret_sealed(north: Firm) -> None:
    service = set_up(north)
    assert not service.is_enabled
    assert selectors.service_at("north") is None
    kept = row(north)
    assert b"hush" not in bytes(kept.client_secret)
    assert service_portal(kept, practice_code="north").client_secret == "hush"
    assert "hush" not in repr(service_portal(kept, practice_code="north"))
    assert "hush" not in repr(wanted())
    (said,) = told(north, AccountEvent.SERVICE_SET_UP)
    assert ISSUER in said
    assert "hush" not in said


def test_a_practice_has_one_service(north: Firm) -> None:
    set_up(north)
    with tenancy.use(north.practice_side), pytest.raises(InvalidMove):
        service_set_up(practice=north.practice, wanted=wanted(), actor=TESTER)
    assert len(told(north, AccountEvent.SERVICE_SET_UP)) == 1


def test_a_secret_copied_to_another_row_does_not_open(north: Firm) -> None:
    south = make_firm("south")
    stolen = bytes(set_up(north).client_secret)
    set_up(south)
    with tenancy.use(south.practice_side):
        SignInService.objects.update(client_secret=stolen)
    with pytest.raises(secrets.Unreadable):
        service_portal(row(south), practice_code="south")


TENANT = "0b5f2e6c-1111-4222-8333-123456789abc"
BAD: dict[str, tuple[dict[str, Any], str]] = {  # Any: fields of Wanted
    "http": ({"issuer": "http://login.example.com"}, "https://"),
    "a number": ({"issuer": "https://10.0.0.1"}, "number"),
    "a question": ({"issuer": f"{ISSUER}?x=1"}, "“?”"),
    "the whole address": ({"issuer": f"{ISSUER}/.well-known/openid-configuration"}, "Leave"),
    "everybody's tenant": ({"issuer": "https://login.microsoftonline.com/common/v2.0"}, "tenant"),
    "personal accounts": (
        {"issuer": "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0"},
        "tenant",
    ),
    "old kind of tenant": ({"issuer": f"https://login.microsoftonline.com/{TENANT}/"}, "tenant"),
    "no domain": ({"domains": []}, "Name the domains"),
    "many domains": ({"domains": [f"d{n}.example" for n in range(21)]}, "Name the domains"),
    "no domain at all": ({"domains": ["example"]}, "no domain"),
    "a star": ({"domains": ["*.example.com"]}, "no domain"),
    "a long one": ({"domains": ["a." * 130 + "example"]}, "no domain"),
    "everybody's domain": ({"domains": ["north.example", "gmail.com"]}, "Anybody"),
    "no secret": ({"client_secret": ""}, "secret is missing"),
}


@pytest.mark.parametrize("name", BAD)
def test_settings_that_cannot_work_are_refused_with_words(north: Firm, name: str) -> None:
    changed, words = BAD[name]
    with tenancy.use(north.practice_side):
        with pytest.raises(BadService, match=words):
            service_set_up(practice=north.practice, wanted=wanted(**changed), actor=TESTER)
        assert not SignInService.objects.exists()


def test_an_entra_tenant_is_taken(north: Firm) -> None:
    issuer = f"https://login.microsoftonline.com/{TENANT}/v2.0"
    with tenancy.use(north.practice_side):
        made = service_set_up(practice=north.practice, wanted=wanted(issuer=issuer), actor=TESTER)
    assert made.issuer == issuer


def test_another_issuer_forgets_the_accounts_and_needs_its_own_secret(north: Firm) -> None:
    service = set_up(north)
    pin(north, service)
    elsewhere = {"issuer": "https://login.evil.example"}
    with tenancy.use(north.practice_side):
        with pytest.raises(BadService, match="own client secret"):
            service_change(service=service, wanted=wanted(client_secret="", **elsewhere), actor=TESTER)
        assert PinnedAccount.objects.exists()
        service_change(service=service, wanted=wanted(client_secret="new", **elsewhere), actor=TESTER)
        assert not PinnedAccount.objects.exists()
    assert service_portal(row(north), practice_code="north").client_secret == "new"
    (said,) = told(north, AccountEvent.SERVICE_CHANGED)
    assert '"forgotten":1' in said
    assert '"new_secret":1' in said


def test_other_domains_keep_secret_and_accounts(north: Firm) -> None:
    service = set_up(north)
    pin(north, service)
    with tenancy.use(north.practice_side):
        service_change(service=service, wanted=wanted(client_secret="", domains=["a.example"]), actor=TESTER)
        assert PinnedAccount.objects.exists()
    kept = row(north)
    assert (kept.domains, kept.revision) == (["a.example"], 2)
    assert service_portal(kept, practice_code="north").client_secret == "hush"
    assert '"forgotten":0' in told(north, AccountEvent.SERVICE_CHANGED)[0]


def test_who_read_an_older_state_changes_nothing(north: Firm) -> None:
    seen = set_up(north)
    with tenancy.use(north.practice_side):
        service_switch(service=seen, is_enabled=True, is_required=False, actor=TESTER)
        with pytest.raises(Stale):
            service_switch(service=seen, is_enabled=False, is_required=False, actor=TESTER)
        with pytest.raises(Stale):
            service_change(service=seen, wanted=wanted(client_id="other"), actor=TESTER)
    assert row(north).is_enabled
    assert len(told(north, AccountEvent.SERVICE_SWITCHED)) == 1
    assert told(north, AccountEvent.SERVICE_CHANGED) == []


def test_switching_is_told(north: Firm) -> None:
    service = set_up(north)
    with tenancy.use(north.practice_side):
        service_switch(service=service, is_enabled=True, is_required=True, actor=TESTER)
    assert row(north).is_required
    assert selectors.service_at("north") is not None
    (said,) = told(north, AccountEvent.SERVICE_SWITCHED)
    assert '"enabled":1' in said


def test_an_account_that_is_not_known_cannot_be_forgotten(north: Firm) -> None:
    service = set_up(north)
    with tenancy.use(north.practice_side), pytest.raises(InvalidMove):
        account_forget(service=service, user=north.owner, actor=TESTER)
    assert told(north, AccountEvent.ACCOUNT_FORGOTTEN) == []


def test_trying_says_what_is_there_or_what_is_wrong(north: Firm, settings: Any) -> None:
    settings.SIGN_IN_SERVICES_ON_LOOPBACK = True
    with fake.running() as idp, tenancy.use(north.practice_side):
        service = service_set_up(practice=north.practice, wanted=wanted(issuer=idp.issuer), actor=TESTER)
        assert "1 key(s)" in service_try(service=service)
        idp.keys = []
        with pytest.raises(Unavailable, match="no keys that can be used"):
            service_try(service=service)
        idp.bodies["/jwks"] = (200, b"{}")
        with pytest.raises(Unavailable, match="lists no keys"):
            service_try(service=service)
        idp.change_discovery = lambda said: {**said, "issuer": "https://evil.example"}
        with pytest.raises(Unavailable, match=r"calls itself https://evil\.example"):
            service_try(service=service)
        idp.change_discovery = lambda said: {**said, "issuer": ["\x00"]}
        with pytest.raises(Unavailable, match="calls itself nothing"):
            service_try(service=service)
        assert "/token" not in idp.seen


def test_a_name_that_leads_inside_is_said_to_do_so(north: Firm, monkeypatch: pytest.MonkeyPatch) -> None:
    service = set_up(north)

    def inside(*_asked: Any, **_named: Any) -> list[Any]:  # Any: the library's own
        return [(socket.AF_INET, 1, 6, "", ("169.254.169.254", 443))]

    monkeypatch.setattr(socket, "getaddrinfo", inside)
    with tenancy.use(north.practice_side), pytest.raises(Unavailable, match="public internet"):
        service_try(service=service)


def test_domains_are_read_as_people_type_them() -> None:
    assert domains_read(" @North.example,\r\nsouth.example; north.example ") == [
        "north.example",
        "south.example",
    ]


# The wall


def test_nobody_else_sees_a_service_or_its_accounts(north: Firm) -> None:
    south = make_firm("south")
    pin(north, set_up(north))
    door = selectors.door_of("north")
    for scope, seen in (
        (tenancy.NOBODY, 0),
        (tenancy.user_scope(north.owner.pk), 0),
        (north.client_side, 0),
        (south.practice_side, 0),
        (south.client_side, 0),
        (tenancy.SYSTEM, 0),
        (tenancy.bearer_scope(selectors.door_of("south")), 0),
        (tenancy.bearer_scope(door), 1),
        (north.practice_side, 1),
    ):
        with tenancy.use(scope):
            assert SignInService.objects.count() == seen, scope
            assert PinnedAccount.objects.count() == (1 if scope == north.practice_side else 0), scope


def test_who_knows_the_door_may_only_look(north: Firm) -> None:
    set_up(north)
    with tenancy.use(tenancy.bearer_scope(selectors.door_of("north"))):
        with transaction.atomic():
            assert SignInService.objects.update(is_enabled=True) == 0
        with transaction.atomic():
            assert SignInService.objects.filter(pk__isnull=False).delete()[0] == 0
    assert not row(north).is_enabled


@pytest.mark.parametrize("name", ["door_sha256", "practice_id"])
def test_a_service_stays_where_it_is(north: Firm, name: str) -> None:
    set_up(north)
    south = make_firm("south")
    value = selectors.door_of("south") if name == "door_sha256" else south.practice.pk
    with tenancy.use(north.practice_side), pytest.raises(Error), transaction.atomic():
        SignInService.objects.update(**{name: value})


def test_an_account_is_of_a_member_and_of_the_own_service(north: Firm) -> None:
    south = make_firm("south")
    ours, theirs = set_up(north), set_up(south)
    for service, user in ((theirs, north.owner), (ours, south.owner), (ours, north.approver)):
        with tenancy.use(north.practice_side), pytest.raises(Error), transaction.atomic():
            PinnedAccount.objects.create(
                practice=north.practice, service=service, user=user, subject="account-1"
            )


# Another key


def test_secrets_are_sealed_anew_under_the_newest_key(
    real_db: None, settings: Any, as_worker: Callable[[], AbstractContextManager[None]]
) -> None:
    north, south = make_firm("north"), make_firm("south")
    set_up(north)
    set_up(south)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another-secret-key-that-is-long-enough-0123456789-0123456789-0123456789"
    assert service_portal(row(north), practice_code="north").client_secret == "hush"
    said = io.StringIO()
    call_command("rotate_secrets", stdout=said)
    assert "sign-in service: 2 sealed anew" in said.getvalue()
    settings.SECRET_KEY_FALLBACKS = []
    assert service_portal(row(north), practice_code="north").client_secret == "hush"
    assert service_portal(row(south), practice_code="south").client_secret == "hush"
    again = io.StringIO()
    with as_worker():
        call_command("rotate_secrets", stdout=again)
    assert "sign-in service: 0 sealed anew, 2 under the newest key" in again.getvalue()


def test_a_secret_that_was_changed_meanwhile_is_left_alone(north: Firm) -> None:
    service = set_up(north)
    with tenancy.use(north.practice_side):
        (thing,) = sign_in_services._sealed_secrets()
        service_change(service=service, wanted=wanted(client_secret="newer"), actor=TESTER)
        assert not sign_in_services._swap_secret(thing, b"older")
    assert service_portal(row(north), practice_code="north").client_secret == "newer"


def test_a_secret_that_no_key_opens_is_named(north: Firm) -> None:
    set_up(north)
    with tenancy.use(north.practice_side):
        SignInService.objects.update(client_secret=b"\x02broken")
    with pytest.raises(CommandError):
        call_command("rotate_secrets", stdout=io.StringIO())
