"""A practice's own access profiles: the list, one to read, writing a new one, changing one, taking one back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from django.urls import reverse
from django.utils.http import urlencode

from accounts.models import Practice
from awsaccess.services.profiles import practice_profile_save
from engagements.models import PracticeProfile
from engagements.profiles import AccessProfile
from engagements.selectors import profile_for, profile_of, profiles_offered
from engagements.services.profiles import practice_profile_retire
from portal.console import reads, words
from portal.console.engagement_page import history_panel
from portal.console.profile_forms import ProfileForm, start_from, start_over
from portal.kernel import tenancy
from portal.kernel.admin import (
    WRITERS,
    Cell,
    Disclosure,
    Fact,
    ObjectAction,
    Panel,
    ScopedModelAdmin,
    Table,
)
from portal.kernel.errors import Stale
from portal.kernel.web import actor_of

Asked = Mapping[str, Any]  # Any: a form's cleaned data
KINDS = {"look": "Look only", "change": "Look and change"}
FORM = "admin/profile_form.html"


def _edit(request: HttpRequest, row: PracticeProfile, asked: Asked) -> str:
    """Whoever read an older version than the one that is saved overwrites nothing."""
    if asked["seen"] != row.number:
        raise Stale("Somebody else saved this profile meanwhile. Look at theirs before you save yours.")
    saved = practice_profile_save(
        practice=row.practice, draft=asked["draft"], actor=actor_of(request), over=row
    )
    return f"Saved as version {saved.number}. What was sent to clients stays as it was."


def _explain_edit(row: PracticeProfile) -> list[str]:
    return [
        f"Saves version {row.number + 1}. Drafts ask for it from then on.",
        "What was sent to clients stays as it was: a change there needs their consent.",
    ]


def _retire(request: HttpRequest, row: PracticeProfile, _asked: Asked) -> str:
    practice_profile_retire(row=row, actor=actor_of(request))
    return "Taken back. It is offered no more."


def _explain_retire(_row: PracticeProfile) -> list[str]:
    return [
        "Nobody can ask for it any more, and drafts that do must choose another.",
        "What was sent to clients stays as it was. This can’t be undone.",
    ]


def _is_offered(row: PracticeProfile) -> bool:
    return row.retired_at is None


@admin.register(PracticeProfile)
class PracticeProfileAdmin(ScopedModelAdmin[PracticeProfile]):
    """What this practice asks for beside the shipped profiles."""

    heading = "Access profiles"
    url_field = "code"
    empty_words = "None of your own yet. The shipped profiles are always there to ask for."
    add_heading = "New access profile"
    add_words = (
        "Write what clients read, and beside it what AWS gets. Nothing is saved until all of it holds."
    )
    add_form = ProfileForm
    add_template = FORM
    adders = WRITERS
    list_display = ("name", "kind_words", "version", "saved", "standing")
    list_display_links = ("name",)
    search_fields = ("title",)
    ordering = ("title", "code")
    object_actions = (
        ObjectAction(
            slug="edit",
            label="Edit",
            title="Edit the profile",
            explain=_explain_edit,
            run=_edit,
            offered=_is_offered,
            form=ProfileForm,
            initial=lambda _request, row: start_over(row),
            button="Save",
            is_main=True,
            template=FORM,
        ),
        ObjectAction(
            slug="retire",
            label="Take it back",
            title="Offer it no more",
            explain=_explain_retire,
            run=_retire,
            offered=_is_offered,
            button="Take it back",
            is_grave=True,
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[PracticeProfile]:
        """With the practice it is saved for."""
        return super().get_queryset(request).select_related("practice")

    @admin.display(description="Name", ordering="title")
    def name(self, row: PracticeProfile) -> str:
        """As consultants choose it."""
        return row.title

    @admin.display(description="Kind", ordering="kind")
    def kind_words(self, row: PracticeProfile) -> str:
        """How far it goes."""
        return KINDS[row.kind]

    @admin.display(description="Version")
    def version(self, row: PracticeProfile) -> str:
        """How often it was saved."""
        return str(row.number)

    @admin.display(description="Saved", ordering="saved_at")
    def saved(self, row: PracticeProfile) -> str:
        """When it was last saved."""
        return words.moment(row.saved_at)

    @admin.display(description="Status", ordering="retired_at")
    def standing(self, row: PracticeProfile) -> str:
        """Whether it can be asked for."""
        return "Offered" if _is_offered(row) else "Taken back"

    def make_add_form(self, request: HttpRequest) -> forms.Form:
        """Empty, or as another profile is. Raises Http404 for one that is not offered."""
        if request.method == "POST":
            return ProfileForm(request.POST)
        code = request.GET.get("from", "")
        try:
            form = ProfileForm(initial=start_from(profile_for(code)) if code else {})
        except KeyError:
            raise Http404 from None
        form.starts = tuple(self._start(profile) for profile in profiles_offered() if profile.code != code)
        return form

    def _start(self, profile: AccessProfile) -> Cell:
        address = reverse(f"admin:{self.url_name('add')}")
        return Cell(text=profile.title, url=f"{address}?{urlencode({'from': profile.code})}")

    def add(self, request: HttpRequest, asked: Asked) -> PracticeProfile:
        """Save it."""
        practice = Practice.objects.get(pk=tenancy.practice_id())
        return practice_profile_save(practice=practice, draft=asked["draft"], actor=actor_of(request))

    def page_tag(self, obj: PracticeProfile) -> Cell | None:
        """Said only of what is not offered."""
        return None if _is_offered(obj) else Cell(text="Taken back", tone="plain")

    def panels(self, request: HttpRequest, obj: PracticeProfile) -> list[Panel]:  # noqa: ARG002
        """What clients read, and what AWS gets."""
        return [_overview(obj), _lines(obj), history_panel(reads.history_of_subject(obj))]


def _overview(row: PracticeProfile) -> Panel:
    profile = profile_of(row)
    facts = (
        Fact(label="Kind of access", value=Cell(text=KINDS[row.kind], small=row.summary)),
        Fact(label="Version", value=Cell(text=str(row.number), small=words.moment(row.saved_at))),
        Fact(label="What they can’t do", value=_each(limit.title for limit in profile.limits)),
        Fact(label="To weigh", value=_each(row.warnings)),
    )
    return Panel(key="overview", title="Overview", facts=facts)


def _each(texts: Iterable[str]) -> Cell:
    return Cell(text=" · ".join(texts) or "nothing")


def _lines(row: PracticeProfile) -> Panel:
    rows = tuple(
        (
            Cell(text=line["title"], small="optional" if line["optional"] else ""),
            Cell(text=line["why"]),
            Cell(text=", ".join(arn.rpartition("/")[2] for arn in line["managed_policies"]) or "–"),
        )
        for line in row.lines
    )
    texts = tuple(
        Disclosure(summary=f"Permissions of “{line['title']}”", text=line["policy"])
        for line in row.lines
        if line["policy"]
    )
    headings = ("Line", "What it is good for", "AWS’s own policies")
    return Panel(key="lines", title="Lines", table=Table(headings=headings, rows=rows), disclosures=texts)
