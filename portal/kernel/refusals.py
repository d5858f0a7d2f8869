"""Refused acts are told in the record too: each in a transaction of its own, after the act was rolled back.

A refusal that cannot be recorded stays a refusal: nothing was opened, so nothing has to be held back for it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import wraps
from typing import Final, ParamSpec, TypeVar, cast
from uuid import UUID

from django.db import DatabaseError, transaction
from django.db.models import Model

from portal.kernel import audit, tenancy
from portal.kernel.actor import Actor
from portal.kernel.errors import PortalError

Details = Mapping[str, str | int | None]
P = ParamSpec("P")
R = TypeVar("R")
log: Final = logging.getLogger("portal.audit")


class RequestEvent(StrEnum):
    """What the audit record calls a request that was refused before any service was asked."""

    REFUSED = "portal:request:refused"


def told(kind: StrEnum, *, about: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Record each PortalError of a service, which takes keywords alone: the row `about` and the `actor`.

    Stands outside the service's transaction, and so above its `@transaction.atomic`.
    """

    def wrap(service: Callable[P, R]) -> Callable[P, R]:
        @wraps(service)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return service(*args, **kwargs)
            except PortalError as error:
                row, actor = cast("Model", kwargs[about]), cast("Actor", kwargs["actor"])
                refusal_record(kind, subject=row, actor=actor, details=_why(error))
                error.is_told = True
                raise

        return guarded

    return wrap


def refusal_record(
    kind: StrEnum, *, subject: Model, actor: Actor, details: Details, about_id: UUID | None = None
) -> None:
    """Write one refusal down at once, in the chain of the practice in scope; the installation's, if there is none."""
    scope = tenancy.current()
    if scope.practice_id is None:
        scope = tenancy.platform_scope()
    client_id = cast("UUID | None", getattr(subject, "client_id", None)) if scope.client_id is None else None
    try:
        with tenancy.use(scope):
            _write(
                kind, subject=subject, actor=actor, details=details, about_id=about_id, client_id=client_id
            )
    except DatabaseError as error:
        log.error("a refusal (%s) could not be recorded: %s", kind, type(error.__cause__ or error).__name__)  # noqa: TRY400  # no values


@transaction.atomic(durable=True)
def _write(
    kind: StrEnum,
    *,
    subject: Model,
    actor: Actor,
    details: Details,
    about_id: UUID | None,
    client_id: UUID | None,
) -> None:
    about = about_id or cast("UUID", subject.pk)
    audit.record(kind, subject=subject, actor=actor, about_id=about, client_id=client_id, details=details)


def _why(error: PortalError) -> dict[str, str | int | None]:
    return {"code": error.code, "reason": str(error.user_message)}
