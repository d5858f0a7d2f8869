"""What is refused stands in the record: who, what, why; once; and whether or not it can be told, it stays refused."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import logging
import re
import secrets
from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import reverse

from accounts.lifecycle import AccountEvent, ContactRole
from accounts.services.sign_in import sign_in_refuse
from awsaccess.lifecycle import AccessEvent
from awsaccess.services.visits import VisitRefused, visit_intend
from engagements.lifecycle import EngagementEvent
from engagements.selectors import offer_current
from engagements.services.consents import consent_give
from engagements.services.pauses import engagement_pause, engagement_resume
from portal.kernel import audit, clock, tenancy
from portal.kernel.errors import InvalidMove, NotAllowed, PortalError, Stale
from portal.kernel.models import AuditBody, AuditEvent, AuditHead
from portal.kernel.refusals import RequestEvent
from tests.accounts.conftest import make_browser
from tests.conftest import SqlAs
from tests.console.cast import house
from tests.factories import (
    ACCOUNT_ID,
    EVIDENCE,
    Firm,
    acting,
    make_contact,
    make_engagement_active,
    make_engagement_invited,
    make_engagement_paused,
    make_firm,
    paper_shown,
)
from tests.pages import stage

Told = list[tuple[str, str, dict[str, Any]]]  # Any: JSON


@pytest.fixture
def firm(real_db: None) -> Firm:
    return make_firm(f"f{secrets.token_hex(4)}")


def told(scope: tenancy.Scope, *kinds: str) -> Told:
    """Kind, actor and details of the events of these kinds, in order; the chain they stand in is whole."""
    assert scope.practice_id is not None
    with tenancy.use(tenancy.NOBODY), tenancy.use(scope):
        events = AuditEvent.objects.filter(practice_id=scope.practice_id)
        if scope.client_id is None:
            head = AuditHead.objects.filter(pk=scope.practice_id).first()
            assert audit.first_fault(events.order_by("seq"), head=head) is None
        bodies = AuditBody.objects.filter(event__in=events, event__kind__in=kinds).select_related("event")
        return [
            (body.event.kind, body.event.actor, json.loads(body.text)["details"])
            for body in bodies.order_by("event__seq")
        ]


# Services


def give(firm: Firm, **over: Any) -> None:  # Any: what consent_give takes
    engagement = over.pop("engagement")
    with tenancy.use(firm.client_side):
        consent_give(
            **{
                "engagement": engagement,
                "offer": offer_current(engagement),
                "contact": firm.contact,
                "account_id": ACCOUNT_ID,
                "shown": paper_shown(),
                "evidence": EVIDENCE,
                "signed_in_at": clock.now(),
                "actor": acting(firm.approver),
                **over,
            }
        )


def test_a_refused_agreement_is_told_to_both_sides(firm: Firm) -> None:
    engagement = make_engagement_invited(firm)
    viewer = make_contact(firm, "viewer", ContactRole.VIEWER)
    forged = dataclasses.replace(paper_shown(), sha256="0" * 64)
    refused: list[tuple[type[PortalError], dict[str, Any]]] = [
        (Stale, {"shown": forged}),
        (NotAllowed, {"contact": viewer}),
        (PortalError, {"account_id": "123"}),
    ]
    for error, over in refused:
        with pytest.raises(error):
            give(firm, engagement=engagement, **over)
    for scope in (firm.practice_side, firm.client_side):
        found = told(scope, EngagementEvent.CONSENT_REFUSED, EngagementEvent.CONSENT_GIVEN)
        assert [details["code"] for _, _, details in found] == ["stale", "not-allowed", "bad-account"]
        assert {kind for kind, _, _ in found} == {EngagementEvent.CONSENT_REFUSED}
        assert {actor for _, actor, _ in found} == {f"user:{firm.approver.pk}"}
    give(firm, engagement=engagement)
    assert len(told(firm.client_side, EngagementEvent.CONSENT_GIVEN)) == 1


def test_a_refused_move_is_told(firm: Firm) -> None:
    engagement = make_engagement_paused(firm)
    with tenancy.use(firm.practice_side):
        with pytest.raises(NotAllowed):
            engagement_resume(engagement=engagement, actor=acting(firm.owner))
        with pytest.raises(InvalidMove):
            engagement_pause(engagement=engagement, actor=acting(firm.owner))
    found = told(firm.practice_side, EngagementEvent.MOVE_REFUSED)
    assert [details["code"] for _, _, details in found] == ["not-allowed", "invalid-move"]


def test_a_refusal_that_cannot_be_recorded_stays_a_refusal(
    firm: Firm, sql_as: SqlAs, caplog: pytest.LogCaptureFixture
) -> None:
    engagement = make_engagement_active(firm)
    sql_as("superuser").execute("revoke insert on kernel_auditevent from portal_web")
    with (
        caplog.at_level(logging.ERROR, logger="portal.audit"),
        tenancy.use(firm.practice_side),
        pytest.raises(InvalidMove),
    ):
        engagement_resume(engagement=engagement, actor=acting(firm.owner))
    assert "could not be recorded: ProgrammingError" in caplog.text
    assert told(firm.practice_side, EngagementEvent.MOVE_REFUSED) == []


# Pages


@pytest.mark.django_db
def test_a_forged_mark_on_the_consent_page_is_told_once() -> None:
    scene = stage.invited()
    for value in ("", "made-up", "a:b:c"):
        scene.browser().post(scene.path("agree/"), {"shown": value, "agree": "on"})
    found = told(scene.scope, EngagementEvent.CONSENT_REFUSED, RequestEvent.REFUSED)
    assert [(kind, details["code"]) for kind, _, details in found] == [
        (EngagementEvent.CONSENT_REFUSED, "stale")
    ] * 3


@pytest.mark.django_db
def test_a_contact_who_may_not_decide_is_told_of(db: None) -> None:
    scene = stage.active()
    viewer = scene.colleague(ContactRole.VIEWER)
    assert scene.browser(viewer).post(scene.path("end/")).status_code == 403
    ((_, actor, details),) = told(scene.client_scope, RequestEvent.REFUSED)
    assert actor == f"user:{viewer.pk}"
    assert details == {"method": "POST", "path": scene.path("end/"), "status": 403, "code": "not-allowed"}


@pytest.mark.django_db
def test_forbidden_and_foreign_acts_in_the_console_are_told_and_reading_is_not() -> None:
    home = house(stage.active())
    assert home.auditor.post(home.url("end/"), {"confirm": "yes"}).status_code == 403
    assert home.unassigned.post(home.url("end/"), {"confirm": "yes"}).status_code == 404
    assert (
        home.auditor.get(home.url("end/")).status_code == 403
    )  # looks are no acts: nothing is written for a GET
    assert home.unassigned.get(home.url("end/")).status_code == 404
    found = told(home.stage.scope, RequestEvent.REFUSED)
    assert [(details["method"], details["status"]) for _, _, details in found] == [
        ("POST", 403),
        ("POST", 404),
    ]


@pytest.mark.django_db
def test_whoever_belongs_to_no_practice_and_tries_the_console_is_told_of_to_the_installation() -> None:
    home = house(stage.active())
    assert home.contact.get(home.url("end/")).status_code == 404
    assert home.contact.post(home.url("end/"), {"confirm": "yes"}).status_code == 404
    assert home.nobody.post(home.url("end/"), {"confirm": "yes"}).status_code == 302
    ((_, actor, details),) = told(tenancy.platform_scope(), RequestEvent.REFUSED)
    assert (actor, details["code"]) == (f"user:{home.stage.sam.pk}", "console-closed")


def test_a_form_from_elsewhere_is_told_of_if_somebody_is_signed_in(firm: Firm) -> None:
    engagement = make_engagement_active(firm)
    for browser in (make_browser(check_forms=True), make_browser(check_forms=True)):
        assert browser.post(f"/e/{engagement.code}/end/").status_code == 403
        browser.force_login(firm.approver)
        assert browser.post(f"/e/{engagement.code}/end/").status_code == 403
    found = told(firm.client_side, RequestEvent.REFUSED)
    assert [details["code"] for _, _, details in found] == ["form-not-ours"] * 2


def test_the_token_of_a_link_does_not_reach_the_record(firm: Firm) -> None:
    browser = make_browser(check_forms=True)
    browser.force_login(firm.approver)
    assert browser.post("/i/abcdefgh/").status_code == 403
    ((_, _, details),) = told(firm.client_side, RequestEvent.REFUSED)
    assert details["path"] == "/i/[hidden]/"


# Visits


@pytest.mark.django_db
def test_a_visit_that_is_refused_before_aws_is_asked_is_told_to_both_sides() -> None:
    scene = stage.paused()
    with tenancy.use(scene.scope), pytest.raises(VisitRefused):
        visit_intend(
            engagement=scene.engagement,
            consultant=scene.maya,
            reason="look at the bill",
            actor=acting(scene.maya),
        )
    for scope in (scene.scope, scene.client_scope):
        ((_, actor, details),) = told(scope, AccessEvent.VISIT_NOT_BEGUN)
        assert (actor, details["code"]) == (f"user:{scene.maya.pk}", "visit-refused")


# Signing in


def ask(browser: Browser, address: str) -> None:
    browser.post(reverse("account_request_login_code"), {"email": address})


def wrong(browser: Browser) -> int:
    path = reverse("account_confirm_login_code")
    return browser.post(path, {"code": "000000x", "action": "verify"}).status_code


def refused_sign_ins() -> Told:
    return told(tenancy.platform_scope(), AccountEvent.SIGN_IN_REFUSED)


@pytest.mark.parametrize("known", [True, False])
def test_wrong_codes_and_the_lock_are_told_alike_for_known_and_unknown(firm: Firm, *, known: bool) -> None:
    address = firm.approver.email if known else f"x{firm.approver.email}"
    browser = make_browser()
    ask(browser, address)
    assert [wrong(browser) for _ in range(5)] == [200, 200, 200, 200, 302]
    found = told(tenancy.platform_scope(), AccountEvent.SIGN_IN_REFUSED)
    assert [(actor, details["reason"]) for _, actor, details in found] == [
        ("person:unproved", "wrong code"),
        ("person:unproved", "too many wrong codes"),
    ]
    assert found[0][2]["origin"] == browser.defaults["REMOTE_ADDR"]


def test_asking_for_codes_too_often_is_told_once_a_minute(firm: Firm) -> None:
    browser = make_browser()
    for _ in range(6):
        ask(browser, firm.approver.email)
    assert [details["reason"] for _, _, details in refused_sign_ins()] == ["too many requests"]
    sign_in_refuse(
        address=firm.approver.email,
        reason="too many requests",
        origin=str(browser.defaults["REMOTE_ADDR"]),
    )
    assert len(refused_sign_ins()) == 1


def test_the_same_refusal_is_told_again_after_a_minute(real_db: None) -> None:
    moment = clock.now()
    for seconds in (0, 30, 61):
        with clock.frozen(moment.replace(microsecond=0) + dt.timedelta(seconds=seconds)):
            sign_in_refuse(address="sam@brightwater.example", reason="wrong code", origin="192.0.2.7")
    assert len(refused_sign_ins()) == 2
    assert refused_sign_ins()[0][1] == "person:unproved"
    with tenancy.use(tenancy.platform_scope()):
        subjects = set(AuditEvent.objects.values_list("subject", flat=True))
    (subject,) = subjects
    assert re.fullmatch(r"accounts\.user:[0-9a-f-]{36}", subject)
