"""Signing in by a practice's own service (docs/adr/0010).

The service is believed about people of its own practice and about nobody else: whom it vouches for must have a live
membership there, and the session that follows stays there (`accounts.middleware.OnePracticeGate`, `selectors.place_of`).
"""

from __future__ import annotations

import datetime as dt
import hmac
from dataclasses import dataclass, field
from typing import Final, NoReturn
from uuid import NAMESPACE_URL, UUID, uuid5

from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts import selectors
from accounts.lifecycle import AccountEvent, SignInKind
from accounts.models import Membership, PinnedAccount, SignInService, User
from accounts.services import id_tokens, providers
from accounts.services.attempts import Limit, attempt_count
from accounts.services.id_tokens import Expected, TokenRefused, Vouched
from accounts.services.providers import Provider, ProviderDown, ProviderFault
from accounts.services.service_attempts import Attempt, AttemptDead, attempt_begin, attempt_take
from accounts.services.sign_in import PAUSE
from accounts.services.sign_in_services import service_portal
from portal.kernel import actor as actors
from portal.kernel import audit, clock, refusals, secrets, tenancy
from portal.kernel.errors import PortalError
from portal.kernel.models import AuditEvent

# Each start asks the practice's provider: nobody makes the portal knock there without end.
STARTS: Final = Limit(name="sign-in by a service", tries=30, within=dt.timedelta(minutes=10))
LONGEST_CODE: Final = 4096


class NoService(PortalError):
    """Raised where no service is switched on, and where there is no such practice: the same words for both."""

    code = "no-sign-in-service"
    http_status = 404


class ServiceSignInRefused(PortalError):
    """Raised whatever was wrong with an answer: whoever sent it must not learn what. The practice's record tells."""

    code = "service-sign-in-refused"
    http_status = 403


class ServiceDown(PortalError):
    """Raised when the practice's service does not answer, or not as it should. The mailed code is the other way."""

    code = "sign-in-service-down"
    http_status = 503


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who presses the button: a browser, by its cookie, at an internet address."""

    browser: str = field(repr=False)
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back with the browser. `issuer` is RFC 9207's; empty where the service sends none."""

    state: str = field(repr=False)
    code: str = field(default="", repr=False)
    issuer: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CameIn:
    """Whom the service vouched for, the one practice they came into, and where they were going."""

    user: User
    practice_id: UUID
    next_path: str


class _Refused(Exception):
    """Why, for the record; `email` as the service told it, once its word counts."""

    def __init__(self, reason: str, *, email: str = "") -> None:
        self.reason = reason
        self.email = email
        super().__init__(reason)


def service_sign_in_begin(*, practice_code: str, asker: Asker, next_path: str) -> str:
    """Where the browser has to go. Raises NoService, RateLimited, ServiceDown, ServiceSignInRefused."""
    service = _service_at(practice_code)
    attempt_count(STARTS, asker.origin)
    attempt = attempt_begin(
        service_id=service.pk, revision=service.revision, browser=asker.browser, next_path=next_path
    )
    try:
        provider = providers.provider_find(service.issuer)
        portal = service_portal(service, practice_code=practice_code)
    except (ProviderFault, secrets.Unreadable) as fault:
        _down(service, asker, fault)
    return providers.sign_in_address(
        provider, portal, state=attempt.state, nonce=attempt.nonce, challenge=attempt.challenge
    )


def service_sign_in_finish(*, practice_code: str, asker: Asker, answer: Answer) -> CameIn:
    """Judge what came back; who may be signed in now, and where. The network is asked outside of any transaction.

    Raises NoService, ServiceDown, ServiceSignInRefused. Each refusal is told in the practice's record.
    """
    service = _service_at(practice_code)
    try:
        attempt = attempt_take(
            state=answer.state, browser=asker.browser, service_id=service.pk, revision=service.revision
        )
        vouched = _ask(service, practice_code, answer, attempt)
        with selectors.apart(tenancy.practice_scope(service.practice_id)):
            user = _come_in(service=service, vouched=vouched)
    except (ProviderDown, secrets.Unreadable) as fault:
        _down(service, asker, fault)
    except (AttemptDead, TokenRefused, ProviderFault) as refusal:
        _refuse(service, asker, reason=refusal.reason)
    except _Refused as refusal:
        _refuse(service, asker, reason=refusal.reason, email=refusal.email)
    return CameIn(user=user, practice_id=service.practice_id, next_path=attempt.next_path)


def _service_at(practice_code: str) -> SignInService:
    service = selectors.service_at(practice_code)
    if service is None:
        raise NoService(
            _("No company account leads in under this name. Sign in with a code by email instead."),
            title=_("There is no company sign-in here"),
            **_by_code(),
        )
    return service


def _ask(service: SignInService, practice_code: str, answer: Answer, attempt: Attempt) -> Vouched:
    """From the answer to whom it is about."""
    if answer.error or not 0 < len(answer.code) <= LONGEST_CODE:
        raise _Refused("the service let nobody in" if answer.error else "code: none")
    provider = providers.provider_find(service.issuer)
    _check_sender(provider, answer)
    token = providers.code_exchange(
        provider,
        service_portal(service, practice_code=practice_code),
        code=answer.code,
        verifier=attempt.verifier,
    )
    expected = Expected(
        issuer=service.issuer,
        client_id=service.oauth_client,
        nonce=attempt.nonce,
        domains=service.domains,
        moment=clock.now(),
    )
    return id_tokens.token_judge(token, providers.provider_keys(provider), expected)


def _check_sender(provider: Provider, answer: Answer) -> None:
    """RFC 9207: who answered is who was asked."""
    if not answer.issuer and not provider.names_itself:
        return
    if not hmac.compare_digest(answer.issuer.encode(), provider.issuer.encode()):
        raise _Refused("iss: another service answered")


@transaction.atomic(durable=True)
def _come_in(*, service: SignInService, vouched: Vouched) -> User:
    """The member this is, under the account that is theirs. One at a time for each practice: the row is locked."""
    live = SignInService.objects.filter(pk=service.pk, revision=service.revision, is_enabled=True)
    if live.select_for_update(of=("self",)).first() is None:
        raise _Refused("begun under other settings")
    places = Membership.objects.filter(practice_id=service.practice_id, ended_at__isnull=True)
    place = places.filter(user__email=vouched.email, user__is_active=True).select_related("user").first()
    if place is None:
        raise _Refused("nobody of the practice", email=vouched.email)
    _pin(service, place.user, vouched)
    audit.record(
        AccountEvent.SIGNED_IN,
        subject=place.user,
        actor=_person(place.user),
        details={"by": SignInKind.SERVICE.value},
    )
    return place.user


def _pin(service: SignInService, user: User, vouched: Vouched) -> None:
    """An address can be given to somebody else; the service's own name of an account cannot."""
    mine = PinnedAccount.objects.filter(service=service, user=user).first()
    theirs = PinnedAccount.objects.filter(service=service, subject=vouched.subject).first()
    if mine is None and theirs is None:
        PinnedAccount.objects.create(
            practice_id=service.practice_id, service=service, user=user, subject=vouched.subject
        )
        audit.record(AccountEvent.ACCOUNT_PINNED, subject=service, actor=_person(user), about_id=user.pk)
    elif mine is None:
        raise _Refused("sub: the account of another person", email=vouched.email)
    elif mine != theirs:
        raise _Refused("sub: another account than before", email=vouched.email)


def _person(user: User) -> actors.Actor:
    return actors.person(user.pk, name=user.name, email=user.email)


def _down(service: SignInService, asker: Asker, fault: Exception) -> NoReturn:
    reason = fault.reason if isinstance(fault, ProviderFault) else "its client secret opens no more"
    _tell(service, asker, reason=f"the service can’t be used: {reason}"[:300])
    raise ServiceDown(
        _(
            "Your company’s sign-in does not answer as it should. Nothing is at risk. "
            "Sign in with a code by email instead, or try again later."
        ),
        title=_("Your company’s sign-in can’t be reached"),
        **_by_code(),
    ) from None


def _refuse(service: SignInService, asker: Asker, *, reason: str, email: str = "") -> NoReturn:
    _tell(service, asker, reason=reason, email=email)
    raise ServiceSignInRefused(
        _(
            "Nobody was signed in, and nothing is at risk. Start again, or sign in with a code by email. "
            "The owner of your practice sees why in the audit log."
        ),
        title=_("That sign-in didn’t work"),
        **_by_code(),
    ) from None


def _by_code() -> dict[str, str]:
    return {"next_url": reverse("account_login"), "next_label": _("Get a code by email")}


def _tell(service: SignInService, asker: Asker, *, reason: str, email: str = "") -> None:
    """No more than one a minute for one reason and origin: nobody has proved anything, and must not fill the record."""
    about = uuid5(NAMESPACE_URL, f"service-sign-in:{service.pk}:{reason}:{asker.origin}:{email}")
    with selectors.apart(tenancy.practice_scope(service.practice_id)):
        if AuditEvent.objects.filter(about_id=about, at__gt=clock.now() - PAUSE).exists():
            return
        refusals.refusal_record(
            AccountEvent.SERVICE_REFUSED,
            subject=service,
            actor=actors.Actor(reference="person:unproved", name="", email=email),
            details={"reason": reason, "origin": asker.origin},
            about_id=about,
        )
