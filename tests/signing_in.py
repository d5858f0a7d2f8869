"""People who are signed in, as far as the test needs them to be: consultants have shown a factor."""

from __future__ import annotations

from django.test import Client as Browser

from accounts.lifecycle import FactorKind
from accounts.models import User


def let_in(browser: Browser, user: User, *, factor: FactorKind | None = FactorKind.TOTP) -> Browser:
    """The browser, signed in as the person; a consultant's session says which factor it has seen, or none."""
    browser.force_login(user)
    if user.is_staff and factor is not None:
        session = browser.session
        session["factor"] = factor.value
        session.save()
    return browser
