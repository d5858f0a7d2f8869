"""What the client will see, to the letter: the client's own template over the same paper, where nothing can be pressed."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import translation

from accounts.lifecycle import ContactRole
from accounts.models import Contact
from awsaccess.asking import asked_in, documents_for
from awsaccess.models import Hub
from awsaccess.services.sending import NOT_OFFERED, NotReady
from engagements.models import Engagement, Offer
from engagements.selectors import assignments_of, optional_keys
from portal.pages import compose, consenting
from portal.pages.circumstances import authority_of
from portal.pages.forms import AgreeForm
from portal.pages.frames import desk_of


def preview_page(request: HttpRequest, engagement: Engagement, *, back_url: str) -> HttpResponse:
    """The consent page as the first approver reads it. Raises NotReady while hub or approver are missing."""
    contact, offer = _reader(engagement), _offer(engagement)
    with translation.override(contact.user.reads):
        return _as_read_by(contact, request, offer, back_url=back_url)


def _as_read_by(contact: Contact, request: HttpRequest, offer: Offer, *, back_url: str) -> HttpResponse:
    engagement = offer.engagement
    desk = desk_of(
        engagement=engagement,
        assignments=assignments_of(engagement),
        contact=contact,
        user=contact.user,
    )
    context = {
        "frame": desk.frame,
        "practice": engagement.practice,
        "client": engagement.client,
        "person": contact.user,
        "paper": consenting.paper_of(desk, offer),
        "document": compose.as_shown(consenting.paper_html(desk, offer)),
        "authority": authority_of(desk),
        "approvals": None,
        "talk": (),
        "form": AgreeForm(account_known=bool(engagement.account_id), optional=optional_keys(offer)),
        "purpose": engagement.purpose.rstrip("."),
        "question_mail": compose.question_mail(desk),
        "back_url": back_url,
        "reader": contact.user.name,
        "is_frozen": not offer._state.adding,  # noqa: SLF001  # Django documents _state
    }
    return render(request, "admin/preview.html", context)


def _reader(engagement: Engagement) -> Contact:
    rows = Contact.objects.select_related("user").filter(client_id=engagement.client_id, ended_at=None)
    found = rows.filter(role=ContactRole.APPROVER).order_by("user__name").first()
    if found is None:
        raise NotReady(
            "Nobody at this client may agree yet, so there is nobody to show it as. Add a contact first."
        )
    return found


def _offer(engagement: Engagement) -> Offer:
    """The frozen offer; of a draft, what would be frozen if it were sent now. That one is never saved."""
    frozen = engagement.offers.order_by("-number").first()
    if frozen is not None:
        return frozen
    hub = Hub.objects.select_related("practice").first()
    if hub is None:
        raise NotReady("Your practice has no AWS set-up yet. An owner adds it under “AWS set-up”.")
    try:
        lines, documents = asked_in(engagement).profile_in().lines_as_data(), documents_for(engagement, hub)
    except KeyError:
        raise NotReady(NOT_OFFERED) from None
    return Offer(
        practice=engagement.practice,
        client=engagement.client,
        engagement=engagement,
        number=1,
        lines=lines,
        documents=documents,
    )
