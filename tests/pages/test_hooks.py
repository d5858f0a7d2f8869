"""What shops tell: over HTTP, signed, once, and with no word to whoever cannot sign."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from django.db import connection
from django.test import Client as Browser
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from engagements.lifecycle import EngagementEvent, ShopKind
from engagements.models import Engagement, Order, Shop
from engagements.services.orders import REFUSALS_TOLD
from engagements.services.shops import shop_close, shop_secret_make, shop_secret_set
from portal.kernel import clock, tenancy
from portal.kernel.models import AuditEvent
from portal.kernel.signatures import WINDOW_SECONDS, header
from portal.pages import hooks
from tests.engagements.test_orders import make_shop
from tests.factories import Firm, acting, make_firm
from tests.signing_in import let_in

Json = dict[str, Any]  # Any: JSON
Answer = Any  # Any: the test client's, with `json()`
ORDER: Json = {
    "id": "evt_1",
    "name": "Nora Lind",
    "email": "nora@lind.example",
    "company": "Lind Bakery",
    "order": "GIG-1001",
    "aws_account": "4417 0926 5583",
}


def now() -> int:
    return int(clock.now().timestamp())


class Seller:
    """A shop that knows its secret."""

    def __init__(self, firm: Firm, kind: ShopKind = ShopKind.SIGNED) -> None:
        self.firm, self.shop, self.kind = firm, make_shop(firm, kind=kind), kind
        with tenancy.use(firm.practice_side):
            if kind is ShopKind.SIGNED:
                self.secret = shop_secret_make(shop=self.shop, actor=acting(firm.owner))
            else:
                self.secret = "whsec_0123456789abcdef0123456789"
                shop_secret_set(shop=self.shop, clear=self.secret, actor=acting(firm.owner))

    @property
    def url(self) -> str:
        return f"/hooks/{self.shop.code}/"

    def tells(self, told: object, *, browser: Browser | None = None, at: int | None = None) -> Answer:
        body = told if isinstance(told, bytes) else json.dumps(told).encode()
        line = header(moment=at or now(), body=body, secret=self.secret.encode())
        return self.posts(body, line, browser=browser)

    def posts(self, body: bytes, line: str, *, browser: Browser | None = None) -> Answer:
        sent = browser or Browser(enforce_csrf_checks=True)
        return sent.post(
            self.url, body, content_type="application/json", headers={hooks.HEADERS[self.kind]: line}
        )


@pytest.fixture
def firm(real_db: None) -> Firm:
    return make_firm("north")


@pytest.fixture
def seller(firm: Firm) -> Seller:
    return Seller(firm)


@pytest.fixture
def stripe(firm: Firm) -> Seller:
    return Seller(firm, ShopKind.STRIPE)


def kept(firm: Firm) -> list[Order]:
    with tenancy.use(firm.practice_side):
        return list(Order.objects.select_related("engagement__client").order_by("made_at"))


def refusals(firm: Firm) -> list[str]:
    with tenancy.use(firm.practice_side):
        rows = AuditEvent.objects.select_related("body").filter(kind=EngagementEvent.SHOP_REFUSED)
        return [json.loads(row.body.text)["details"]["reason"] for row in rows.order_by("seq")]


def test_an_order_is_a_draft_at_once(firm: Firm, seller: Seller) -> None:
    answer = seller.tells(ORDER)
    (order,) = kept(firm)
    assert order.engagement is not None
    assert answer.status_code == 200
    assert answer.json() == {"result": "taken", "draft": order.engagement.code}
    assert order.engagement.client.name == "Lind Bakery"
    assert order.engagement.account_id == "441709265583"
    assert not answer.cookies


def test_it_is_taken_once_however_often_it_is_told(firm: Firm, seller: Seller) -> None:
    assert seller.tells(ORDER).json()["result"] == "taken"
    for at in (None, now() - 60):
        assert seller.tells(ORDER, at=at).json() == {"result": "known"}
    assert len(kept(firm)) == 1


def test_told_by_several_at_once_it_is_taken_once(firm: Firm, seller: Seller) -> None:
    results: list[str] = []
    gate = threading.Barrier(4)

    def tell() -> None:
        try:
            gate.wait()
            results.append(seller.tells(ORDER).json()["result"])
        finally:
            connection.close()

    threads = [threading.Thread(target=tell) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(results) == ["known", "known", "known", "taken"]
    with tenancy.use(firm.practice_side):
        assert Engagement.objects.count() == 1


def test_a_wrong_signature_is_told_nothing(firm: Firm, seller: Seller) -> None:
    body = json.dumps(ORDER).encode()
    right = header(moment=now(), body=body, secret=seller.secret.encode())
    closed = Seller(firm)
    with tenancy.use(firm.practice_side):
        shop_close(shop=closed.shop, actor=acting(firm.owner))
    answers: list[Answer] = [
        seller.posts(body, ""),
        seller.posts(body, "nonsense"),
        seller.posts(body + b" ", right),
        seller.posts(body, header(moment=now(), body=body, secret=b"other")),
        seller.posts(
            body, header(moment=now() - WINDOW_SECONDS - 60, body=body, secret=seller.secret.encode())
        ),
        seller.posts(
            body, header(moment=now() + WINDOW_SECONDS + 60, body=body, secret=seller.secret.encode())
        ),
        closed.tells(ORDER),
        Browser().post("/hooks/nobody/", body, content_type="application/json"),
        Browser().post(
            "/hooks/nobody/",
            body,
            content_type="application/json",
            headers={"Latchkey-Signature": header(moment=now(), body=body, secret=hooks.NOBODYS)},
        ),
    ]
    assert {(one.status_code, one.content) for one in answers} == {(400, b'{"error": "refused"}')}
    assert kept(firm) == []
    assert refusals(firm) == ["signature"] * 6


def test_the_other_kinds_header_counts_for_nothing(stripe: Seller) -> None:
    body = json.dumps(ORDER).encode()
    line = header(moment=now(), body=body, secret=stripe.secret.encode())
    answer = Browser().post(
        stripe.url, body, content_type="application/json", headers={"Latchkey-Signature": line}
    )
    assert answer.status_code == 400


def test_a_flood_of_wrong_signatures_fills_no_record_and_shuts_nobody_out(firm: Firm, seller: Seller) -> None:
    for _ in range(REFUSALS_TOLD.tries + 10):
        assert seller.posts(b"{}", "t=1,v1=" + "0" * 64).status_code == 400
    assert len(refusals(firm)) == REFUSALS_TOLD.tries
    assert seller.tells(ORDER).status_code == 200


def test_the_old_secret_counts_for_nothing(firm: Firm, seller: Seller) -> None:
    with tenancy.use(firm.practice_side):
        shop_secret_make(shop=seller.shop, actor=acting(firm.owner))
    assert seller.tells(ORDER).status_code == 400


def test_only_posts_are_heard_and_no_cookie_counts(firm: Firm, seller: Seller) -> None:
    for method in ("get", "head", "put", "delete", "options"):
        assert getattr(Browser(), method)(seller.url).status_code == 405
    south = make_firm("south")
    for user in (firm.owner, firm.approver, south.owner):
        strict = let_in(Browser(enforce_csrf_checks=True), user)
        assert seller.tells({**ORDER, "id": str(user.pk)}, browser=strict).status_code == 200
        assert strict.post(seller.url, b"{}", content_type="application/json").status_code == 400
    assert len(kept(firm)) == 3
    with tenancy.use(south.practice_side):
        assert not Order.objects.exists()


def test_a_body_that_is_too_large_is_not_looked_at(firm: Firm, seller: Seller) -> None:
    assert seller.tells(b" " * (hooks.LARGEST_BODY + 1)).status_code == 413
    assert seller.tells(b" " * 300_000).status_code == 413
    assert refusals(firm) == []


@pytest.mark.parametrize(
    ("told", "fields"),
    [
        (b"", {"body"}),
        (b"\xff\xfe", {"body"}),
        (b"[]", {"body"}),
        (b"null", {"body"}),
        (b"[" * 60_000, {"body"}),
        ({}, {"id", "email", "order"}),
        ({**ORDER, "email": "nobody"}, {"email"}),
        ({**ORDER, "name": "a\u0000b"}, {"name"}),
        ({**ORDER, "name": "x" * 121}, {"name"}),
        ({**ORDER, "id": ["evt"]}, {"id"}),
        ({**ORDER, "id": True}, {"id"}),
        ({**ORDER, "aws_account": "12"}, {"aws_account"}),
        ({**ORDER, "aws_account": "123456789012"}, {"aws_account"}),
    ],
)
def test_what_lacks_is_told_to_who_can_sign(
    firm: Firm, seller: Seller, told: object, fields: set[str]
) -> None:
    answer = seller.tells(told)
    assert answer.status_code == 422
    assert set(answer.json()["fields"]) == fields
    assert refusals(firm) == [f"not usable: {', '.join(sorted(fields))}"]
    assert kept(firm) == []


def test_the_least_that_an_order_needs(firm: Firm, seller: Seller) -> None:
    seller.tells({"id": 7, "email": "nora@lind.example", "order": 1001})
    (order,) = kept(firm)
    assert (order.event_id, order.order_number, order.name, order.account_id) == ("7", "1001", "nora", "")


def session(**over: object) -> Json:
    return {
        "id": "cs_test_a1B2",
        "object": "checkout.session",
        "payment_status": "paid",
        "client_reference_id": "GIG-2002",
        "customer_details": {"name": "Nora Lind", "email": "nora@lind.example", "phone": None},
        "metadata": {},
        "custom_fields": [
            {"key": "awsaccount", "type": "numeric", "numeric": {"value": "441709265583"}},
            {"key": "company", "type": "text", "text": {"value": "Lind Bakery"}},
        ],
        **over,
    }


def event(kind: str = "checkout.session.completed", **over: object) -> Json:
    return {"id": "evt_1Q", "object": "event", "type": kind, "data": {"object": session(**over)}}


def test_a_paid_checkout_of_stripe_is_a_draft(firm: Firm, stripe: Seller) -> None:
    assert stripe.tells(event()).json()["result"] == "taken"
    (order,) = kept(firm)
    assert (order.event_id, order.order_number, order.company) == ("evt_1Q", "GIG-2002", "Lind Bakery")
    assert (order.name, order.email, order.account_id) == ("Nora Lind", "nora@lind.example", "441709265583")
    assert stripe.tells(event()).json()["result"] == "known"


def test_what_is_not_paid_yet_comes_when_it_is(firm: Firm, stripe: Seller) -> None:
    assert stripe.tells(event(payment_status="unpaid")).json() == {"result": "ignored"}
    assert kept(firm) == []
    later = event("checkout.session.async_payment_succeeded")
    assert stripe.tells({**later, "id": "evt_2"}).json()["result"] == "taken"


@pytest.mark.parametrize("kind", ["charge.refunded", "checkout.session.expired", "", None])
def test_other_events_of_stripe_are_left_alone(firm: Firm, stripe: Seller, kind: str | None) -> None:
    assert stripe.tells({**event(), "type": kind}).json() == {"result": "ignored"}
    assert refusals(firm) == []


@pytest.mark.parametrize(
    "over",
    [
        {"custom_fields": None, "metadata": None},
        {"custom_fields": [{"key": "awsaccount", "numeric": {"value": "123456789012"}}]},
        {"custom_fields": [{"key": "awsaccount", "text": {"value": "not at hand"}}]},
        {"custom_fields": [{"key": "other", "dropdown": {"value": "x"}}]},
    ],
)
def test_an_account_that_was_mistyped_at_stripe_is_left_for_the_client(
    firm: Firm, stripe: Seller, over: Json
) -> None:
    assert stripe.tells(event(**over)).json()["result"] == "taken"
    assert kept(firm)[0].account_id == ""


def test_metadata_names_what_the_checkout_did_not_ask(firm: Firm, stripe: Seller) -> None:
    metadata = {"order": "A-7", "company": "Lind", "aws_account": "441709265583"}
    stripe.tells(event(client_reference_id=None, custom_fields=[], metadata=metadata))
    (order,) = kept(firm)
    assert (order.order_number, order.company, order.account_id) == ("A-7", "Lind", "441709265583")


def test_without_any_number_the_checkouts_own_is_the_orders(firm: Firm, stripe: Seller) -> None:
    stripe.tells(event(client_reference_id=None, id="cs_" + "x" * 70))
    assert kept(firm)[0].order_number == "x" * 60


@pytest.mark.parametrize(
    "told",
    [
        {"type": "checkout.session.completed"},
        {**event(), "data": {"object": []}},
        {**event(), "id": None},
        event(customer_details=None),
        event(customer_details={"email": None, "name": "N"}),
        event(custom_fields=["x"]),
    ],
)
def test_what_stripe_never_sends_is_not_usable(firm: Firm, stripe: Seller, told: Json) -> None:
    assert stripe.tells(told).status_code == 422
    assert kept(firm) == []


JSON_TEXT = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(
    ["id", "payment_status", "customer_details", "metadata", "custom_fields", "client_reference_id"]
)


@pytest.mark.django_db
@given(over=st.dictionaries(KEYS, JSON_TEXT, max_size=4), kind=st.sampled_from(ShopKind))
@hypothesis_settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_json_is_read_or_refused(over: Json, kind: ShopKind) -> None:
    told = event(**over) if kind is ShopKind.STRIPE else {**ORDER, **over}
    body = json.dumps(told).encode()
    try:
        form = hooks._read(kind, body)
    except (hooks.NotOurs, TypeError, ValueError):
        return
    assert set(form.data) == set(hooks.TakenForm.base_fields)
    assert all(isinstance(value, str) for value in form.data.values())


def test_shops_are_rows_of_their_practice(firm: Firm, seller: Seller) -> None:
    with tenancy.use(make_firm("south").practice_side):
        assert not Shop.objects.exists()
