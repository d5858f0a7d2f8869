"""The practice's sign-in service: set up, tried, switched. Owners alone, and each change with a fresh proof."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.models import PinnedAccount, SignInService, User
from accounts.services.sign_in_services import (
    Wanted,
    account_forget,
    domains_read,
    redirect_uri,
    service_change,
    service_set_up,
    service_switch,
    service_try,
)
from portal.console import reads, words
from portal.console.engagement_page import history_panel
from portal.console.practice_forms import ForgetForm, SignInServiceForm, SwitchForm
from portal.kernel.admin import (
    OWNERS,
    RECORD_READERS,
    Cell,
    Fact,
    ObjectAction,
    Panel,
    ScopedModelAdmin,
    Table,
)
from portal.kernel.web import actor_of

Asked = Mapping[str, Any]  # Any: a form's cleaned data


def _wanted(asked: Asked) -> Wanted:
    return Wanted(
        issuer=asked["issuer"].strip(),
        client_id=asked["client_id"].strip(),
        client_secret=asked["client_secret"].strip(),
        domains=domains_read(asked["domains"]),
    )


def _try(_request: HttpRequest, service: SignInService, _asked: Asked) -> str:
    return service_try(service=service)


def _explain_try(service: SignInService) -> list[str]:
    return [f"Asks {service.issuer} who it is and for its keys. Nothing is changed, and nobody is signed in."]


def _change(request: HttpRequest, service: SignInService, asked: Asked) -> str:
    service_change(service=service, wanted=_wanted(asked), actor=actor_of(request))
    return "Saved. Try it now, so that nobody stands before a closed door."


def _explain_change(_service: SignInService) -> list[str]:
    return [
        "Sign-ins that are under way have to begin anew.",
        "With another issuer or client ID, the accounts that were known so far are forgotten, and the client secret is needed again.",
    ]


def _now(_request: HttpRequest, service: SignInService) -> dict[str, Any]:  # Any: what forms start from
    return {
        "issuer": service.issuer,
        "client_id": service.oauth_client,
        "domains": "\n".join(service.domains),
    }


def _switch(request: HttpRequest, service: SignInService, asked: Asked) -> str:
    service_switch(
        service=service,
        is_enabled=asked["is_enabled"],
        is_required=asked["is_required"],
        actor=actor_of(request),
    )
    return "Saved. It holds from the next click on."


def _explain_switch(_service: SignInService) -> list[str]:
    return [
        "Switched off, nobody signs in with it, and who came in with it is out at their next click.",
        "A company account never replaces the authenticator app or passkey: that is asked for as always.",
    ]


def _switches(_request: HttpRequest, service: SignInService) -> dict[str, Any]:  # Any: as above
    return {"is_enabled": service.is_enabled, "is_required": service.is_required}


def _forget(request: HttpRequest, service: SignInService, asked: Asked) -> str:
    account_forget(service=service, user=asked["person"], actor=actor_of(request))
    return f"Forgotten. The next account that signs in with {asked['person'].email} is theirs from then on."


def _explain_forget(_service: SignInService) -> list[str]:
    return [
        "For somebody whose account at the service was made anew. Make sure that the new one is theirs:",
        "the next account that the service vouches for with their address is kept as theirs.",
    ]


def _fit_forget(form: forms.Form, service: SignInService) -> None:
    if isinstance(form, ForgetForm):
        known = PinnedAccount.objects.filter(service=service).values("user_id")
        form.offer(User.objects.filter(pk__in=known).order_by("name"))


@admin.register(SignInService)
class SignInServiceAdmin(ScopedModelAdmin[SignInService]):
    """The practice's own sign-in service: one row."""

    heading = "Company sign-in"
    empty_words = "Not set up. People sign in with a code by email, or with a passkey."
    readers = RECORD_READERS
    add_heading = "Set up company sign-in"
    add_words = (
        "Let your people sign in with the account they have at your company: Google Workspace, Entra ID, "
        "Amazon Cognito, or any other OpenID Connect provider. It stays switched off until you switch it on."
    )
    add_form = SignInServiceForm
    add_step_up = True
    adders = OWNERS
    is_single = True
    list_display = ("issuer", "oauth_client", "state")
    list_display_links = ("issuer",)
    ordering = ("issuer",)
    object_actions = (
        ObjectAction(
            slug="try",
            label="Try it now",
            title="Try the sign-in service",
            explain=_explain_try,
            run=_try,
            roles=OWNERS,
            is_main=True,
        ),
        ObjectAction(
            slug="switch",
            label="Switch on or off",
            title="Switch company sign-in",
            explain=_explain_switch,
            run=_switch,
            roles=OWNERS,
            form=SwitchForm,
            initial=_switches,
            button="Save",
            step_up=True,
        ),
        ObjectAction(
            slug="edit",
            label="Change",
            title="Change the sign-in service",
            explain=_explain_change,
            run=_change,
            roles=OWNERS,
            form=SignInServiceForm,
            initial=_now,
            button="Save",
            step_up=True,
        ),
        ObjectAction(
            slug="forget",
            label="Forget an account",
            title="Forget somebody’s company account",
            explain=_explain_forget,
            run=_forget,
            roles=OWNERS,
            form=ForgetForm,
            fit=_fit_forget,
            button="Forget it",
            step_up=True,
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[SignInService]:
        """With its practice, whose name stands in addresses."""
        return super().get_queryset(request).select_related("practice")

    def add(self, request: HttpRequest, asked: Asked) -> SignInService:
        """Write it down for the practice in force."""
        practice = request.membership.practice  # type: ignore[attr-defined]  # put there by ScopeMiddleware
        return service_set_up(practice=practice, wanted=_wanted(asked), actor=actor_of(request))

    @admin.display(description="State")
    def state(self, service: SignInService) -> str:
        """Off, on, or the only way."""
        if service.is_required:
            return "On, and everybody but owners has to use it"
        return "On" if service.is_enabled else "Off"

    def page_title(self, obj: SignInService) -> str:  # noqa: ARG002  # there is one
        """There is one."""
        return "Company sign-in"

    def page_subtitle(self, obj: SignInService) -> str:
        """Whose."""
        return obj.issuer

    def panels(self, request: HttpRequest, obj: SignInService) -> list[Panel]:  # noqa: ARG002
        """What was set up, what the provider needs to be told, whose accounts are known."""
        return [self._service_panel(obj), _there_panel(obj), _accounts_panel(obj), _history_panel(obj)]

    def _service_panel(self, service: SignInService) -> Panel:
        facts = (
            Fact(label="State", value=Cell(text=self.state(service))),
            Fact(label="Issuer", value=Cell(text=service.issuer)),
            Fact(label="Client ID", value=Cell(text=service.oauth_client)),
            Fact(label="Client secret", value=Cell(text="kept sealed, and never shown")),
            Fact(label="Domains", value=Cell(text=", ".join(service.domains))),
        )
        return Panel(key="service", title="Service", facts=facts)


def _there_panel(service: SignInService) -> Panel:
    uri = redirect_uri(service.practice.code)
    facts = (
        Fact(label="Redirect URI", value=Cell(text=uri)),
        Fact(label="Where your people start", value=Cell(text=uri.removesuffix("back/"))),
    )
    return Panel(key="there", title="To be typed in at your provider", facts=facts)


def _accounts_panel(service: SignInService) -> Panel:
    known = PinnedAccount.objects.filter(service=service).select_related("user").order_by("user__name")
    rows = tuple(
        (
            Cell(text=one.user.name, small=one.user.email),
            Cell(text=one.subject),
            Cell(text=words.moment(one.made_at)),
        )
        for one in known
    )
    table = Table(headings=("Person", "Account at the service", "First seen"), rows=rows, empty="Nobody yet.")
    return Panel(key="accounts", title="Known accounts", table=table)


def _history_panel(service: SignInService) -> Panel:
    return history_panel(reads.history_of_subject(service))
