"""Step-up: a proof for one act on one object, from one browser session, used once within five minutes.

It is used up in a transaction of its own, before the act: the act may ask AWS, which no transaction may span. A crash
between the two costs a second proof and opens nothing.
"""

from __future__ import annotations

import datetime as dt
import secrets as randomness
from collections.abc import Iterator
from typing import Final

from django.db import transaction
from django.db.models import Model, QuerySet
from django.db.models.functions import Now

from accounts import emails
from accounts.lifecycle import AccountEvent, Proof
from accounts.models import StepUp, User
from accounts.services.attempts import Limit, attempt_count
from accounts.services.letters import letter_promise
from accounts.services.sign_in import person_event_record
from portal.kernel import actor as actors
from portal.kernel import audit, secrets, tenancy
from portal.kernel.step_up import Act, StepUpRequired

LIFE: Final = dt.timedelta(minutes=5)
MAILS: Final = Limit(name="step-up mail", tries=3, within=dt.timedelta(minutes=15))
ONCE: Final = Limit(name="mailed step-up code", tries=1, within=dt.timedelta(hours=1))


def step_up_make(*, user: User, session_key: str, act: Act, method: Proof) -> StepUp:
    """Note a proof that was just given. Only for callers that have checked it."""
    if tenancy.current().practice_id is None:
        person_event_record(AccountEvent.STEP_UP_MADE, user=user, details=_details(act, method))
    return _make(user=user, session_key=session_key, act=act, method=method)


@transaction.atomic(durable=True)
def step_up_spend(*, user: User, session_key: str, act: Act) -> StepUp:
    """Use the newest fitting proof up. Raises StepUpRequired: there is none, it is too old, or somebody was faster."""
    found = _live(user=user, session_key=session_key, act=act).order_by("-made_at").first()
    if (
        found is None
        or _live(user=user, session_key=session_key, act=act).filter(pk=found.pk).update(used_at=Now()) != 1
    ):
        raise StepUpRequired
    return found


def step_up_is_ready(*, user: User, session_key: str, act: Act) -> bool:
    """True when there is a proof to be used."""
    return _live(user=user, session_key=session_key, act=act).exists()


def step_up_refusal_record(*, user: User, act: Act) -> None:
    """What was typed was wrong; the practice hears of it."""
    if tenancy.current().practice_id is None:
        person_event_record(AccountEvent.STEP_UP_REFUSED, user=user, details=_details(act))
    else:
        _refused(user=user, act=act)


def step_up_code_mail(*, user: User, act: Act) -> str:
    """Mail a six-digit code that is good for this act alone; its keyed hash, to be kept in the session.

    Raises RateLimited. Only for people of clients who have no factor.
    """
    attempt_count(MAILS, str(user.pk))
    code = f"{randomness.randbelow(10**6):06d}"
    letter_promise(emails.code_letter(to=user.email, code=code))
    return next(_marks(user, act, code))


def step_up_code_fits(*, user: User, act: Act, code: str, mark: str) -> bool:
    """True once for the mailed code, and never again: of two at the same moment, for one."""
    plain = "".join(letter for letter in code if letter.isdigit())
    if not any(randomness.compare_digest(mark, one) for one in _marks(user, act, plain)):
        return False
    attempt_count(ONCE, mark)
    return True


@transaction.atomic(durable=True)
def _make(*, user: User, session_key: str, act: Act, method: Proof) -> StepUp:
    made = StepUp.objects.create(
        user=user,
        session_sha256=secrets.fingerprint(session_key),
        action=act.name,
        object_id=act.object_id,
        method=method,
    )
    if tenancy.current().practice_id is not None:
        _tell(AccountEvent.STEP_UP_MADE, made, user=user, act=act, method=method)
    return made


@transaction.atomic(durable=True)
def _refused(*, user: User, act: Act) -> None:
    _tell(AccountEvent.STEP_UP_REFUSED, user, user=user, act=act)


def _tell(kind: AccountEvent, subject: Model, *, user: User, act: Act, method: Proof | None = None) -> None:
    audit.record(
        kind,
        subject=subject,
        actor=actors.person(user.pk, name=user.name, email=user.email),
        about_id=act.object_id,
        details=_details(act, method),
    )


def _live(*, user: User, session_key: str, act: Act) -> QuerySet[StepUp]:
    """By the database's clock, and no other."""
    return StepUp.objects.filter(
        user=user,
        session_sha256=secrets.fingerprint(session_key),
        action=act.name,
        object_id=act.object_id,
        used_at__isnull=True,
        made_at__gt=Now() - LIFE,
    )


def _details(act: Act, method: Proof | None = None) -> dict[str, str | int | None]:
    return {"action": act.name, "object": str(act.object_id), "method": method.value if method else None}


def _marks(user: User, act: Act, code: str) -> Iterator[str]:
    about = f"{user.pk}:{act.name}:{act.object_id}:{code}"
    return secrets.tokens("step-up", about.encode())
