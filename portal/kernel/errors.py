"""Refusals that services raise. They know no HTML; one middleware makes pages of them."""

from __future__ import annotations

from django.utils.translation import gettext_lazy
from django_stubs_ext import StrOrPromise


class PortalError(Exception):
    """A refusal with words for the person: what happened, whether anything is at risk, the one next step.

    `next_label` and `next_url` name the one button; an empty URL means "go back to where you were".
    """

    code = "error"
    http_status = 400
    title: StrOrPromise = gettext_lazy("That didn't work")
    user_message: StrOrPromise = gettext_lazy("Nothing was changed.")
    next_label: StrOrPromise = gettext_lazy("Go back")
    is_told = False  # whether the record has it already

    def __init__(
        self, user_message: str = "", *, title: str = "", next_url: str = "", next_label: str = ""
    ) -> None:
        # In the language of whoever is refused, which is in force where it is raised.
        self.user_message = str(user_message or self.user_message)
        self.title = str(title or self.title)
        self.next_url = next_url
        self.next_label = str(next_label or self.next_label)
        super().__init__(f"{self.code}: {self.user_message}")


class NotVisible(PortalError):
    """Raised when an object does not exist or is not yours: the caller must not be able to tell which."""

    code = "not-visible"
    http_status = 404
    title = gettext_lazy("Page not found")
    user_message = gettext_lazy(
        "There is nothing here. Check the address, or use the link in your latest email."
    )


class NotAllowed(PortalError):
    """Raised when you may see an object but not do this to it."""

    code = "not-allowed"
    http_status = 403
    title = gettext_lazy("You can't do this")
    user_message = gettext_lazy("Your sign-in doesn't allow this. Nothing was changed.")


class InvalidMove(PortalError):
    """Raised when a status does not allow the move, or somebody was faster. Read again and decide anew."""

    code = "invalid-move"
    http_status = 409
    title = gettext_lazy("This has changed in the meantime")
    user_message = gettext_lazy("Somebody, or you in another tab, was faster. Nothing was done twice.")
    next_label = gettext_lazy("See how it stands now")


class Stale(PortalError):
    """Raised when what was shown is not what is true any more. Show it again before anything is decided."""

    code = "stale"
    http_status = 409
    title = gettext_lazy("This page has changed since you opened it")
    user_message = gettext_lazy("Nothing was saved. Please read the newest version before you decide.")
    next_label = gettext_lazy("Open the newest version")


class LinkDead(PortalError):
    """Raised for a link that is used, replaced, expired or made up: always with the same words."""

    code = "link-dead"
    http_status = 410
    title = gettext_lazy("This link has expired")
    user_message = gettext_lazy("Links work once and for seven days. Nothing is at risk.")
    next_label = gettext_lazy("Send me a new one")


class RateLimited(PortalError):
    """Raised when somebody asks too often. Wait and try again."""

    code = "rate-limited"
    http_status = 429
    title = gettext_lazy("Too many tries")
    user_message = gettext_lazy("Nothing is at risk. Wait a minute, then try again.")


class Unavailable(PortalError):
    """Raised when something outside (AWS, mail) does not answer. Nothing changed; trying again is safe."""

    code = "unavailable"
    http_status = 503
    title: StrOrPromise = gettext_lazy("The problem is on our side")
    user_message = gettext_lazy(
        "Something we depend on does not answer. Nothing was changed and nothing is lost."
    )
    next_label = gettext_lazy("Try again")
