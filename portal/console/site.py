"""The console's frame: who gets in, what the sidebar lists, and which addresses there are at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import update_wrapper
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.contrib.admin import AdminSite
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import resolve_url
from django.template.response import SimpleTemplateResponse, TemplateResponse
from django.urls import URLPattern, URLResolver, include, path, re_path, reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_safe

from accounts.adapters import has_shown_factor
from portal.console import dashboard
from portal.kernel import admin as pages

View = Callable[..., HttpResponse]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the sidebar."""

    name: str
    url_name: str
    readers: frozenset[str] = pages.EVERYBODY


SIDEBAR: Final[tuple[tuple[str, tuple[Entry, ...]], ...]] = (
    (
        "Work",
        (
            Entry(name="Dashboard", url_name="admin:index"),
            Entry(name="Engagements", url_name="admin:engagements_engagement_changelist"),
            Entry(name="Visits", url_name="admin:awsaccess_visit_changelist"),
        ),
    ),
    (
        "Clients",
        (
            Entry(name="Clients", url_name="admin:accounts_client_changelist"),
            Entry(name="Contacts", url_name="admin:accounts_contact_changelist"),
            Entry(name="Invitations", url_name="admin:accounts_invitation_changelist"),
        ),
    ),
    (
        "Access",
        (
            Entry(name="Grants & health", url_name="admin:awsaccess_grant_changelist"),
            Entry(name="Access profiles", url_name="admin:engagements_practiceprofile_changelist"),
        ),
    ),
    (
        "Records",
        (
            Entry(
                name="Audit log",
                url_name="admin:kernel_auditevent_changelist",
                readers=pages.RECORD_READERS,
            ),
        ),
    ),
    (
        "Settings",
        (
            Entry(name="People", url_name="admin:accounts_membership_changelist"),
            Entry(
                name="Company sign-in",
                url_name="admin:accounts_signinservice_changelist",
                readers=pages.RECORD_READERS,
            ),
            Entry(name="AWS set-up", url_name="admin:awsaccess_hub_changelist"),
            Entry(name="Branding", url_name="admin:accounts_practice_changelist", readers=pages.OWNERS),
            Entry(
                name="Engagement templates",
                url_name="admin:engagements_engagementtemplate_changelist",
                readers=pages.OWNERS,
            ),
            Entry(name="Intake", url_name="admin:engagements_intakepage_changelist", readers=pages.OWNERS),
            Entry(
                name="Shop connections", url_name="admin:engagements_shop_changelist", readers=pages.OWNERS
            ),
            Entry(
                name="Mail and deliveries",
                url_name="admin:kernel_outboxmessage_changelist",
                readers=pages.OWNERS,
            ),
        ),
    ),
)


class ConsoleSite(AdminSite):
    """Live members of a practice only; sign-in and sign-out are the product's own."""

    site_title = "Console"
    index_template = "admin/index.html"
    empty_value_display = "–"

    def has_permission(self, request: HttpRequest) -> bool:
        """Staff with a live membership in the practice in scope, who have shown a factor in this session."""
        user, membership = request.user, getattr(request, "membership", None)
        is_member = user.is_active and user.is_staff and membership is not None
        return bool(is_member and has_shown_factor(request))

    def admin_view(  # type: ignore[override]  # Django's type is a variable that no subclass can name
        self,
        view: View,
        cacheable: bool = False,  # noqa: FBT001, FBT002  # Django's signature
    ) -> View:
        """The view, for those who may be here, in their own time zone. For other people the console does not exist."""
        inner = super().admin_view(view, cacheable)

        def placed(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:  # Any: the view's own
            if request.user.is_authenticated and not self.has_permission(request):
                raise Http404
            # Rendered inside, because a zone that outlives its request would colour the next one's pages.
            with timezone.override(_zone_of(request)):
                response = inner(request, *args, **kwargs)
                return response.render() if isinstance(response, SimpleTemplateResponse) else response

        return update_wrapper(placed, view)

    def get_urls(self) -> list[URLPattern | URLResolver]:
        """What is used and nothing else: no password, no autocomplete, no shortcut into other apps."""
        rooms: list[URLPattern | URLResolver] = [
            path(
                f"{model._meta.app_label}/{model._meta.model_name}/",  # noqa: SLF001  # Django documents _meta
                include(model_admin.urls),
            )
            for model, model_admin in self._registry.items()
        ]
        return [
            path("", self.admin_view(require_safe(self.index)), name="index"),
            path("menu/", self.admin_view(require_safe(self.menu)), name="menu"),
            path("login/", require_safe(self.login), name="login"),
            path("logout/", require_safe(self.logout), name="logout"),
            *rooms,
            re_path(r"(?P<url>.*)$", self.admin_view(self.catch_all_view)),
        ]

    def login(
        self,
        request: HttpRequest,
        extra_context: dict[str, Any] | None = None,  # noqa: ARG002  # Any: Django's own
    ) -> HttpResponse:
        """To the product's own sign-in, and back."""
        back = {"next": request.GET.get("next") or reverse("admin:index")}
        return HttpResponseRedirect(f"{resolve_url('account_login')}?{urlencode(back)}")

    def logout(  # type: ignore[override]  # a redirect, not a page
        self,
        request: HttpRequest,  # noqa: ARG002  # Django's signature
        extra_context: dict[str, Any] | None = None,  # noqa: ARG002  # Any: Django's own
    ) -> HttpResponse:
        """To the product's own sign-out page, which asks by POST."""
        return HttpResponseRedirect(resolve_url("account_logout"))

    def index(
        self,
        request: HttpRequest,
        extra_context: dict[str, Any] | None = None,  # Any: Django's own
    ) -> TemplateResponse:
        """The dashboard."""
        context = {**self.each_context(request), **dashboard.context_of(request), **(extra_context or {})}
        return TemplateResponse(request, self.index_template or "admin/index.html", context)

    def menu(self, request: HttpRequest) -> HttpResponse:
        """The sidebar as a page, for narrow screens."""
        return TemplateResponse(request, "admin/menu.html", {**self.each_context(request), "title": "Menu"})

    def each_context(self, request: HttpRequest) -> dict[str, Any]:  # Any: what templates format
        """The frame of each page, under the practice's name."""
        membership = getattr(request, "membership", None)
        name = f"{membership.practice.name} console" if membership else "Console"
        return {
            "site_title": name,
            "site_header": name,
            "has_permission": self.has_permission(request),
            "available_apps": self.get_app_list(request),
            "is_popup": False,
            "is_nav_sidebar_enabled": self.enable_nav_sidebar,
        }

    def get_app_list(
        self,
        request: HttpRequest,
        app_label: str | None = None,  # noqa: ARG002  # Django's signature
    ) -> list[Any]:  # Any: what the sidebar's template formats
        """Grouped by work, not by Django app."""
        groups = (
            (name, [_line(request, entry) for entry in entries if pages.has_role(request, entry.readers)])
            for name, entries in SIDEBAR
        )
        return [{"name": name, "models": lines} for name, lines in groups if lines]


def _line(request: HttpRequest, entry: Entry) -> dict[str, Any]:  # Any: as above
    url = reverse(entry.url_name)
    is_home = entry.url_name == "admin:index"
    current = request.path == url if is_home else request.path.startswith(url)
    return {"name": entry.name, "admin_url": url, "current": current}


def _zone_of(request: HttpRequest) -> ZoneInfo:
    try:
        return ZoneInfo(getattr(request.user, "timezone", "UTC"))
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")
