"""What shops tell: signed by them, taken once, and turned into a draft at once.

Whoever has the wrong signature is told nothing: no such connection, a closed one and a wrong secret look the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt  # noqa: TID251  # no cookie counts here: each message is signed
from django.views.decorators.http import require_POST

from accounts.selectors import apart
from awsaccess.aws.arns import BadAccountId, parse_account_id
from awsaccess.selectors import account_objection
from engagements.lifecycle import ShopKind
from engagements.models import Shop
from engagements.selectors import shop_at
from engagements.services.orders import Asked, order_take, shop_refuse
from engagements.services.shops import shop_secret
from portal.kernel import clock, secrets, tenancy
from portal.kernel.fields import Line, Lines
from portal.kernel.signatures import BadSignature, Signature
from portal.pages.forms import NOT_A_DIGIT

LARGEST_BODY: Final = 64 * 1024  # bytes
HEADERS: Final = {ShopKind.SIGNED: "Latchkey-Signature", ShopKind.STRIPE: "Stripe-Signature"}
NOBODYS: Final = b"\0" * 32  # what is compared where there is no secret, so that it takes as long
PAID: Final = frozenset({"paid", "no_payment_required"})
STRIPE_EVENTS: Final = frozenset({"checkout.session.completed", "checkout.session.async_payment_succeeded"})
Json = Mapping[str, Any]  # Any: what others wrote


class NotOurs(Exception):
    """Raised for a well-signed message that is about something else: taken note of, and left alone."""


class TakenForm(forms.Form):
    """One order, whichever shop tells of it."""

    id = Line(max_length=255)
    name = Line(max_length=120, required=False)
    email = forms.EmailField(max_length=254)
    company = Line(max_length=120, required=False)
    order = Line(max_length=60)
    aws_account = Lines(max_length=40, required=False)

    def clean_aws_account(self) -> str:
        """Twelve digits that can be somebody's, or nothing: then the client fills it in."""
        if not (typed := self.cleaned_data["aws_account"]):
            return ""
        try:
            number = parse_account_id(NOT_A_DIGIT.sub("", typed))
        except BadAccountId as error:
            raise ValidationError(str(error)) from None
        if objection := account_objection(number):
            raise ValidationError(objection)
        return number

    def asked(self) -> Asked:
        """As services take it."""
        found = self.cleaned_data
        return Asked(
            name=found["name"] or found["email"].partition("@")[0],
            email=found["email"],
            company=found["company"],
            order_number=found["order"],
            account_id=found["aws_account"],
        )


@csrf_exempt
@require_POST
def order_hook(request: HttpRequest, shop: str) -> HttpResponse:
    """200 when it was taken, was taken before or is about something else; 400 for a wrong signature; 422 says what lacks."""
    body = request.body
    if len(body) > LARGEST_BODY:
        return JsonResponse({"error": "too large"}, status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    found = shop_at(shop)
    try:
        _check(request, found, body)
    except (BadSignature, secrets.Unreadable):
        if found is not None:
            _refuse(found, "signature")
        return JsonResponse({"error": "refused"}, status=HTTPStatus.BAD_REQUEST)
    assert found is not None  # noqa: S101  # a message for nobody never passes the check
    with apart(tenancy.practice_scope(found.practice_id)):
        return _taken(found, body)


def _check(request: HttpRequest, shop: Shop | None, body: bytes) -> None:
    kind = ShopKind(shop.kind) if shop is not None else ShopKind.SIGNED
    secret = shop_secret(shop) if shop is not None else NOBODYS
    signature = Signature.parse(request.headers.get(HEADERS[kind], ""))
    signature.check(body=body, secret=secret, now=int(clock.now().timestamp()))
    if shop is None:
        raise BadSignature


def _refuse(shop: Shop, reason: str) -> None:
    with apart(tenancy.practice_scope(shop.practice_id)):
        shop_refuse(shop=shop, reason=reason)


def _taken(shop: Shop, body: bytes) -> HttpResponse:
    try:
        form = _read(ShopKind(shop.kind), body)
    except NotOurs:
        return JsonResponse({"result": "ignored"})
    except (ValueError, TypeError, RecursionError):
        return _unusable(shop, {"body": ["not an order in JSON"]})
    if not form.is_valid():
        return _unusable(shop, {name: [str(one) for one in found] for name, found in form.errors.items()})
    order = order_take(shop=shop, event_id=form.cleaned_data["id"], asked=form.asked())
    if order is None:
        return JsonResponse({"result": "known"})
    return JsonResponse({"result": "taken", "draft": order.engagement.code if order.engagement else None})


def _unusable(shop: Shop, errors: Mapping[str, list[str]]) -> HttpResponse:
    """The signature was right, so the sender may know what is wrong; the record knows it too."""
    shop_refuse(shop=shop, reason=f"not usable: {', '.join(sorted(errors))}")
    return JsonResponse(
        {"error": "not usable", "fields": dict(errors)}, status=HTTPStatus.UNPROCESSABLE_ENTITY
    )


def _read(kind: ShopKind, body: bytes) -> TakenForm:
    """Raises NotOurs, and ValueError or TypeError for what is no JSON object."""
    told = _object(json.loads(body))
    if kind is ShopKind.SIGNED:
        return TakenForm({name: _text(told.get(name)) for name in TakenForm.base_fields})
    return _of_stripe(told)


def _of_stripe(event: Json) -> TakenForm:
    """A paid checkout. What Stripe's page did not ask for, or somebody mistyped there, is left empty."""
    if event.get("type") not in STRIPE_EVENTS:
        raise NotOurs
    session = _object(_object(event.get("data")).get("object"))
    if session.get("payment_status") not in PAID:
        raise NotOurs  # told again once the money is there
    customer = _object(session.get("customer_details") or {})
    typed = {**_object(session.get("metadata") or {}), **_custom_fields(session)}
    order = _text(session.get("client_reference_id")) or _text(typed.get("order")) or _text(session.get("id"))
    found = {
        "id": _text(event.get("id")),
        "name": _text(customer.get("name"))[:120],
        "email": _text(customer.get("email")),
        "company": _text(typed.get("company"))[:120],
        "order": order[-60:],
        "aws_account": _text(typed.get("awsaccount") or typed.get("aws_account")),
    }
    form = TakenForm(found)
    spoilt = {name for name in ("name", "company", "aws_account") if name in form.errors}
    return TakenForm({**found, **dict.fromkeys(spoilt, "")}) if spoilt else form


def _custom_fields(session: Json) -> dict[str, object]:
    """What the checkout page asked for beside the usual: key and what was typed."""
    asked = session.get("custom_fields")
    fields = [_object(one) for one in asked] if isinstance(asked, list) else []
    values = {_text(one.get("key")): one.get("text") or one.get("numeric") for one in fields}
    return {key: value.get("value") for key, value in values.items() if isinstance(value, dict)}


def _object(value: object) -> Json:
    if not isinstance(value, dict):
        raise TypeError("not an object")
    return value


def _text(value: object) -> str:
    """Strings and whole numbers as text; anything else counts as missing."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return str(value).strip()
