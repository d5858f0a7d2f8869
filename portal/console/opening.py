"""Open AWS: why, where, for how long; then one page with a form that leads to AWS's sign-in host, never kept.

Or one page with credentials for a command line, which is kept no more than that.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final, cast
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from csp.decorators import csp_update
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from accounts.models import User
from awsaccess.aws.arns import PARTITIONS, ConsoleService
from awsaccess.policy.narrowing import Narrowing
from awsaccess.provision.cli_keys import forms_of
from awsaccess.services.visits import Keys, SigninForm, VisitRefused, visit_keys, visit_open
from engagements.models import Engagement
from engagements.services.doorbells import doorbell_ring
from portal.console import reads, words
from portal.console.visit_forms import SERVICES
from portal.kernel.admin import ScopedModelAdmin
from portal.kernel.web import actor_of
from portal.pages.circumstances import address_of

SALT: Final = "portal.console.opening"
FORM_SECONDS: Final = 12 * 60 * 60  # no longer than a sign-in lasts


def start(request: HttpRequest, engagement: Engagement) -> dict[str, Any]:  # Any: what forms start from
    """The last reason, and a mark that lets this form enter once."""
    mark = {"visit": str(uuid4()), "engagement": str(engagement.pk), "user": str(request.user.pk)}
    reason = reads.let_in_reason(request, engagement) or reads.last_reason(request, engagement)
    return {"reason": reason, "once": signing.dumps(mark, salt=SALT)}


def explain(engagement: Engagement) -> list[str]:
    """What happens when the button is pressed."""
    return [
        f"AWS opens for {engagement.client.name}, account {words.account(engagement.account_id)}, in a new tab.",
        "The client sees your name, this reason and the time at once.",
    ]


def explain_keys(engagement: Engagement) -> list[str]:
    """What happens when the button is pressed."""
    return [
        f"You get temporary keys for {engagement.client.name}, account {words.account(engagement.account_id)}.",
        "They are shown once, on the next page, and kept nowhere.",
        "Whoever holds them is in until they are over: put them in no file that others read.",
        "The client sees your name, this reason and the time at once.",
    ]


def explain_ring(engagement: Engagement) -> list[str]:
    """What happens when the button is pressed."""
    return [
        f"Everybody at {engagement.client.name} who may agree gets a mail: you, this reason, and two buttons.",
        "Nothing is asked of AWS before one of them lets you in. After an hour the ring is over.",
        "You get a mail with the answer, and it stands on the engagement’s page.",
    ]


def explain_emergency(engagement: Engagement) -> list[str]:
    """What happens when the button is pressed."""
    return [
        f"{engagement.client.name} agreed that in an emergency you need not wait to be let in.",
        "AWS opens in a new tab; or you get temporary keys, shown once, on the next page, and kept nowhere.",
        "Their people get a mail at once: your name, this reason, and that nobody was asked.",
        "It stays in the record for good.",
    ]


def ring(request: HttpRequest, engagement: Engagement, asked: Mapping[str, Any]) -> str:
    """Ask the client to be let in. Raises NotAllowed, InvalidMove, RateLimited."""
    doorbell_ring(
        engagement=engagement,
        consultant=cast("User", request.user),
        reason=asked["reason"],
        kind=asked["kind"],
        actor=actor_of(request),
    )
    return f"You rang at {engagement.client.name}. Load this page again to see the answer; you get it by mail, too."


def enter_unasked(request: HttpRequest, engagement: Engagement, asked: Mapping[str, Any]) -> SigninForm:
    """Ask AWS without the client's yes. Raises as `enter`, and NoDoorbell where that was not agreed."""
    service = ConsoleService(asked["service"])
    return visit_open(service=service, is_emergency=True, **_entry(request, engagement, asked))


def enter_unasked_by_keys(request: HttpRequest, engagement: Engagement, asked: Mapping[str, Any]) -> Keys:
    """Ask AWS for keys without the client's yes. Raises as `enter_unasked`."""
    return visit_keys(is_emergency=True, **_entry(request, engagement, asked))


def enter(request: HttpRequest, engagement: Engagement, asked: Mapping[str, Any]) -> SigninForm:
    """Ask AWS. Raises VisitRefused, NotAllowed, Unavailable."""
    service = ConsoleService(asked["service"])
    return visit_open(service=service, **_entry(request, engagement, asked))


def enter_by_keys(request: HttpRequest, engagement: Engagement, asked: Mapping[str, Any]) -> Keys:
    """Ask AWS for keys. Raises as `enter`."""
    return visit_keys(**_entry(request, engagement, asked))


def _entry(
    request: HttpRequest, engagement: Engagement, asked: Mapping[str, Any]
) -> dict[str, Any]:  # Any: what both services take
    return {
        "engagement": engagement,
        "consultant": cast("User", request.user),
        "reason": asked["reason"],
        "actor": actor_of(request),
        "longest": dt.timedelta(minutes=asked["minutes"]),
        "visit_id": _visit_of(request, engagement, asked["once"]),
        "narrowing": Narrowing(
            read_only="read_only" in asked["less"],
            no_contents="no_contents" in asked["less"],
            address=address_of(request) if "one_address" in asked["less"] else "",
            region=asked["region"],
        ),
    }


def keys_page(
    admin: ScopedModelAdmin[Engagement],
    request: HttpRequest,
    engagement: Engagement,
    asked: Mapping[str, Any],
    keys: Keys,
) -> HttpResponse:
    """The credentials in three forms. They stand here, once, and nowhere else."""
    context = {
        "title": "Keys for the command line",
        "subtitle": admin.page_title(engagement),
        "object_title": admin.page_title(engagement),
        "back_url": admin.page_url(engagement),
        "forms": forms_of(keys.credentials, region=keys.region, profile=f"latchkey-{engagement.code}"),
        "client_name": engagement.client.name,
        "account": words.account(keys.account_id),
        "ends": words.clock_time(keys.ends_at),
        "reason": asked["reason"],
        "narrowed": words.narrowing(asked["less"], asked["region"]),
    }
    page = admin.respond(request, "admin/cli_keys.html", context)
    page["Cache-Control"] = "no-store"
    return page


def ready_page(
    admin: ScopedModelAdmin[Engagement],
    request: HttpRequest,
    engagement: Engagement,
    asked: Mapping[str, Any],
    signin: SigninForm,
) -> HttpResponse:
    """The form that leads to AWS. Its fields are a secret for 15 minutes: they stand here, once, and nowhere else."""
    context = {
        "title": "AWS is ready",
        "subtitle": admin.page_title(engagement),
        "object_title": admin.page_title(engagement),
        "back_url": admin.page_url(engagement),
        "signin": signin,
        "client_name": engagement.client.name,
        "account": words.account(signin.account_id),
        "ends": words.clock_time(signin.ends_at),
        "reason": asked["reason"],
        "service": SERVICES[ConsoleService(asked["service"])],
        "narrowed": words.narrowing(asked["less"], asked["region"]),
    }
    page = admin.respond(request, "admin/open_aws.html", context)
    page["Cache-Control"] = "no-store"
    return may_lead_to(request, page, form_targets(signin))


def form_targets(signin: SigninForm) -> list[str]:
    """Where the form may lead. Browsers hold redirects to it as well, and AWS's sign-in host sends on to its console."""
    return sorted({_target(url) for url in (signin.action, signin.fields["Destination"])})


def may_lead_to(request: HttpRequest, page: TemplateResponse, targets: list[str]) -> HttpResponse:
    """The page, with these hosts beside our own in its `form-action`."""
    told = csp_update({"form-action": targets})(lambda _request: page)(request)
    return cast("HttpResponse", told)


def _target(url: str) -> str:
    parts = urlsplit(url)
    worlds = {one.signin_host.partition(".")[2] for one in PARTITIONS.values()}
    world = next((name for name in worlds if (parts.hostname or "").endswith(f".{name}")), "")
    return f"https://*.{world}" if world else f"{parts.scheme}://{parts.netloc}"


def _visit_of(request: HttpRequest, engagement: Engagement, once: str) -> UUID:
    try:
        mark = signing.loads(once, salt=SALT, max_age=FORM_SECONDS)
    except signing.BadSignature:
        raise VisitRefused("This form was open too long. Nothing was opened.") from None
    if (mark["engagement"], mark["user"]) != (str(engagement.pk), str(request.user.pk)):
        raise VisitRefused("This form belongs to somebody else. Nothing was opened.")
    return UUID(mark["visit"])
