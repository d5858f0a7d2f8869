"""Proving it anew, for one act on one object (SECURITY §4). Who proves what with which factor is for accounts to say.

A page that asks does three things: it shows the `Prompt`; on POST it lets the gate `take_proof` of what was typed,
even if the rest of the form has faults; and before it acts it spends the proof. Pausing and ending never ask.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol, cast
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy

from portal.kernel.errors import PortalError

CODE_FIELD: Final = "step_up_code"
PASSKEY_FIELD: Final = "step_up_passkey"
MAIL_FIELD: Final = "step_up_mail"


class StepUpRequired(PortalError):
    """Raised when an act needs a proof that is not there, is older than five minutes, or was used. Prove it anew."""

    code = "step-up-required"
    http_status = 403
    title = gettext_lazy("Show that it’s you")
    user_message = gettext_lazy("This needs a fresh proof that it’s you. Nothing was changed.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """What is proved for: one kind of act (`engagements.engagement.open`) on one row."""

    name: str
    object_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What a page shows in order to be given a proof; `is_ready` when it has one and need not ask."""

    is_ready: bool = False
    by_app: bool = False
    by_recovery: bool = False
    by_mail: bool = False
    is_mailed: bool = False
    passkey_options: str = ""  # JSON for the browser; empty without a passkey
    error: str = ""

    @property
    def takes_code(self) -> bool:
        """True when there is something to type."""
        return self.by_app or self.by_recovery or (self.by_mail and self.is_mailed)


class Gate(Protocol):
    """What `settings.STEP_UP_GATE` names."""

    def prompt(self, request: HttpRequest, act: Act, *, error: str = "") -> Prompt:
        """What to ask this person for."""

    def take_proof(self, request: HttpRequest, act: Act) -> str:
        """Check what was typed or signed, if anything was; what is wrong with it in words, or ""."""

    def spend(self, request: HttpRequest, act: Act) -> None:
        """Use the proof up. Raises StepUpRequired without one; of several at once, all but one get that."""


def gate() -> Gate:
    """The gate of this installation."""
    return cast("Gate", import_string(settings.STEP_UP_GATE)())
