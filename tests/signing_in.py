"""People who are signed in, as far as the test needs them to be: consultants have shown a factor.

A `ProvingBrowser` also proves, before each POST that asks for it, who is pressing the button: tests of what happens
behind a step-up use it, tests of the step-up itself do not.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import Model
from django.test import Client as Browser
from django.urls import Resolver404, resolve

from accounts import selectors
from accounts.lifecycle import FactorKind, Proof
from accounts.models import User
from accounts.services.step_up import step_up_make
from engagements.models import Engagement
from portal.kernel import clock, tenancy
from portal.kernel.step_up import Act


def let_in(browser: Browser, user: User, *, factor: FactorKind | None = FactorKind.TOTP) -> Browser:
    """The browser, signed in as the person; a consultant's session says which factor it has seen, or none."""
    browser.force_login(user)
    session = browser.session
    session["signed_in_at"] = clock.now().isoformat()
    if user.is_staff and factor is not None:
        session["factor"] = factor.value
    session.save()
    return browser


def prove(browser: Browser, act: Act) -> None:
    """As if this browser's person had just shown a factor for this act."""
    user = User.objects.get(pk=_user_id(browser))
    seat = selectors.seats_of(user.pk)[0]
    with tenancy.use(seat.scope(user_id=user.pk)):
        step_up_make(user=user, session_key=str(browser.session.session_key), act=act, method=Proof.TOTP)


class ProvingBrowser(Browser):
    """Shows a factor wherever one is asked for."""

    def post(self, path: str, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]  # Any: Django's own
        """As the test client does, with a fresh proof where the page asks for one."""
        prove_at(self, path)
        return super().post(path, *args, **kwargs)


def prove_at(browser: Browser, path: str) -> None:
    """As if this browser's person had just shown a factor for what this page does, if it asks for one."""
    if "_auth_user_id" in browser.session and (act := _act_at(browser, path)) is not None:
        prove(browser, act)


def _act_at(browser: Browser, path: str) -> Act | None:
    try:
        found = resolve(path.partition("?")[0])
    except Resolver404:
        return None
    if found.view_name == "client:resume":
        return _act(Engagement, "resume", _find(browser, Engagement, code=found.kwargs["code"]))
    if (action := getattr(found.func, "step_up_action", None)) is None:
        return None
    admin, slug = action
    if slug == "add":
        seats = selectors.seats_of(_user_id(browser))
        return Act(name=f"{admin.opts.label_lower}.add", object_id=seats[0].practice_id) if seats else None
    row = _find(browser, admin.model, **{admin.url_field: found.kwargs["object_id"]})
    return _act(admin.model, slug, row)


def _user_id(browser: Browser) -> UUID:
    return UUID(browser.session["_auth_user_id"])


def _find(browser: Browser, model: type[Model], **names: str) -> Model | None:
    for seat in selectors.seats_of(_user_id(browser))[:1]:
        with tenancy.use(seat.scope()):
            return model._default_manager.filter(**names).first()
    return None


def _act(model: type[Model], slug: str, row: Model | None) -> Act | None:
    return Act(name=f"{model._meta.label_lower}.{slug}", object_id=row.pk) if row else None
