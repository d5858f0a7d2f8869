"""Reads of the paper side. What is not in scope does not exist."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db.models import BooleanField, Case, Exists, F, Model, OuterRef, QuerySet, Subquery, When

from accounts.lifecycle import ContactRole
from accounts.models import Client, Contact, Practice, User
from accounts.selectors import apart
from engagements.lifecycle import (
    OPEN_CHANGES,
    AssignmentRole,
    DocumentKind,
    DocumentState,
    DoorbellStatus,
    EngagementEvent,
    EngagementStatus,
    WishStatus,
)
from engagements.models import (
    CONSENT_IN_FORCE,
    IN_FORCE,
    NOT_OVER,
    AccountWish,
    Assignment,
    Consent,
    Document,
    DocumentMark,
    Doorbell,
    Engagement,
    EngagementTemplate,
    Handover,
    IntakePage,
    Offer,
    Order,
    PracticeProfile,
    Referral,
    Remark,
    ScopeChange,
    Shop,
    lead_first,
)
from engagements.profiles import AccessProfile, profiles_in
from engagements.profiles.own import profile_from
from portal.kernel import checkpoints, clock, secrets, tenancy
from portal.kernel.database.repeated import Repeated, any_id, any_text
from portal.kernel.errors import NotVisible
from portal.kernel.models import AuditCheckpoint
from portal.kernel.papers import judging, keys
from portal.kernel.papers.judging import Judgement

# Crockford's letters: none is taken for another, whoever reads them out.
REFERENCE_LETTERS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
MISREAD: Final = str.maketrans("OIL", "011")
IN_A_FILE: Final = re.compile(
    rb"(?<![0-9A-Z-])(?:[0-9A-HJKMNP-TV-Z]{5}-){3}[0-9A-HJKMNP-TV-Z]{5}(?![0-9A-Z-])"
)
MOST_IN_A_FILE: Final = 4
OVER: Final = frozenset({EngagementStatus.CLOSING, EngagementStatus.CLOSED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the public page may say of a paper: nothing of whose it is. `kind` and `made_at` only of genuine ones."""

    state: DocumentState
    kind: DocumentKind | None = None
    made_at: dt.datetime | None = None


_NAMED: Final[dict[str, type[Model]]] = {"practice": Practice, "client": Client, "moved_by": User}


def _all_but_the_name(relation: str, model: type[Model]) -> list[str]:
    fields = [each.name for each in model._meta.concrete_fields if not each.primary_key]  # noqa: SLF001  # Django documents it
    return [f"{relation}__{name}" for name in fields if name != "name"]


def _shown_by_code(code: str) -> QuerySet[Engagement]:
    """With the status of the change that waits, if any, whether anything was said and another account is wished for: no
    page asks a second time.

    Of firm, client and who moved it last only the names: who may see it has the first two with the seat.
    """
    hidden = (EngagementStatus.DRAFT, EngagementStatus.CANCELLED)
    waiting = ScopeChange.objects.filter(engagement_id=OuterRef("pk"), status__in=OPEN_CHANGES)
    said = Remark.objects.filter(engagement_id=OuterRef("pk"))
    wished = AccountWish.objects.filter(engagement_id=OuterRef("pk"), status=WishStatus.ASKED)
    rows = Engagement.objects.select_related(*_NAMED).filter(code=code).exclude(status__in=hidden)
    rows = rows.defer(*(name for each, model in _NAMED.items() for name in _all_but_the_name(each, model)))
    return rows.annotate(
        change_status=Subquery(waiting.values("status")[:1]),
        has_remarks=Exists(said),
        has_wish=Exists(wished),
    )


_SHOWN_BY_CODE: Final = Repeated(_shown_by_code, mark=any_text())


def engagement_for_client(code: str) -> Engagement:
    """One engagement by its public code, with the names of practice, client and who moved it, `change_status`, `has_remarks`,
    `has_wish`.

    Drafts and cancelled ones are not shown. Raises NotVisible.
    """
    if (found := _SHOWN_BY_CODE.first(code)) is None:
        raise NotVisible
    return found


def engagements_of_client() -> list[Engagement]:
    """Everything that was ever sent to the client in scope, newest first."""
    hidden = (EngagementStatus.DRAFT, EngagementStatus.CANCELLED)
    return list(Engagement.objects.exclude(status__in=hidden).order_by("-invited_at"))


def handovers_of(engagement: Engagement) -> list[Handover]:
    """Whom the client asked to do the step in AWS, the newest first."""
    rows = engagement.handovers.select_related("contact__user", "hands__user")
    return list(rows.order_by("-asked_at"))


def is_handed_elsewhere(contact: Contact, engagement: Engagement) -> bool:
    """True for a colleague who was asked for steps of other engagements, and not of this one.

    Who does the step in AWS was either added by the practice, for the whole client, or asked for single engagements.
    """
    if contact.role != ContactRole.AWS_ADMIN:
        return False
    handed = set(Handover.objects.filter(hands=contact).values_list("engagement_id", flat=True))
    return bool(handed) and engagement.pk not in handed


def offer_current(engagement: Engagement) -> Offer:
    """The newest offer that holds, or is the first to be answered. Raises NotVisible while there is none."""
    if (found := offer_or_none(engagement)) is None:
        raise NotVisible
    return found


def offer_or_none(engagement: Engagement) -> Offer | None:
    """The same, or None for a draft."""
    return engagement.offers.filter(IN_FORCE).order_by("-number").first()


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreedText:
    """The template of an offer with the choice that was agreed to. `version_id` is empty until it is published."""

    text: str
    sha256: str
    version_id: str


def template_agreed(offer: Offer) -> AgreedText:
    """What the client's stack is made of: with the lines that were ticked; before the consent, with none of them."""
    return template_with(offer, choice_of(offer))


def template_with(offer: Offer, choice: Sequence[str]) -> AgreedText:
    """The frozen template of an offer with these lines ticked."""
    found = offer.variants.get(choice=list(choice)) if choice else offer
    return AgreedText(text=found.template, sha256=found.template_sha256, version_id=found.template_version_id)


def role_in(template: str) -> dict[str, Any] | None:  # Any: JSON
    """The properties of the role that a template makes; None for one that cannot be read."""
    try:
        resources = json.loads(template)["Resources"].values()
        found: dict[str, Any] = next(
            one["Properties"] for one in resources if one["Type"] == "AWS::IAM::Role"
        )
    except (ValueError, KeyError, TypeError, AttributeError, StopIteration):
        return None
    return found


def is_published(offer: Offer) -> bool:
    """Whether the template with the choice that was agreed to has its place; reads no template."""
    choice = choice_of(offer)
    if not choice:
        return bool(offer.template_version_id)
    return offer.variants.filter(choice=list(choice)).exclude(template_version_id="").exists()


def choice_of(offer: Offer) -> tuple[str, ...]:
    """The keys of the optional lines that were ticked; none before the first consent. Whoever agreed agreed to one choice."""
    if not optional_keys(offer):
        return ()
    # A consent that stands goes before one that was taken back, which still tells what the role looked like.
    rows = Consent.objects.filter(offer_id=offer.pk).order_by(
        F("withdrawn_at").desc(nulls_first=True), "given_at"
    )
    return tuple(rows.values_list("choice", flat=True).first() or ())


def choice_fixed(offer: Offer) -> tuple[str, ...] | None:
    """What a colleague ticked who agreed before: nobody chooses again. None while nobody has agreed."""
    if not optional_keys(offer):
        return None
    rows = Consent.objects.filter(offer_id=offer.pk, withdrawn_at=None).order_by("given_at")
    found = rows.values_list("choice", flat=True).first()
    return None if found is None else tuple(found)


def change_open(engagement: Engagement) -> ScopeChange | None:
    """The change that is asked, or agreed to and not in AWS yet, with both offers.

    Nothing is asked where the engagement was read without any.
    """
    if vars(engagement).get("change_status", "") is None:
        return None
    rows = ScopeChange.objects.select_related("offer", "before")
    return rows.filter(engagement=engagement, status__in=OPEN_CHANGES).first()


def account_asked(engagement: Engagement, offer: Offer) -> str:
    """The account that whoever agrees to this offer agrees to: 12 digits, or empty while unknown."""
    return offer.other_account or engagement.account_id


def wish_open(engagement: Engagement) -> AccountWish | None:
    """The other account that the client asks for and the practice has not answered, with whose wish it is.

    Nothing is asked where the engagement was read without any.
    """
    if vars(engagement).get("has_wish") is False:
        return None
    rows = AccountWish.objects.select_related("contact__user")
    return rows.filter(engagement=engagement, status=WishStatus.ASKED).first()


def optional_keys(offer: Offer) -> tuple[str, ...]:
    """The keys of the lines that the client may tick."""
    return tuple(str(line["key"]) for line in offer.documents.get("optional", ()))


def lines_agreed(offer: Offer, choice: Sequence[str]) -> list[dict[str, Any]]:  # Any: JSON
    """The lines of an offer with the optional ones that were ticked, and nothing of the others."""
    return [*offer.lines, *(line for line in offer.documents.get("optional", ()) if line["key"] in choice)]


def with_choice(documents: dict[str, Any], choice: Sequence[str]) -> dict[str, Any]:  # Any: JSON
    """What the role gets once these optional lines are ticked. Nothing of the others is in it."""
    ticked = [line for line in documents.get("optional", ()) if line["key"] in choice]
    if not ticked:
        return documents
    managed = [
        *documents["managed_policy_arns"],
        *(arn for line in ticked for arn in line["managed_policies"]),
    ]
    return {
        **documents,
        "managed_policy_arns": list(dict.fromkeys(managed)),
        "statements": [*documents["statements"], *(each for line in ticked for each in line["statements"])],
    }


def consent_latest(engagement: Engagement, *, first: Contact | None = None) -> Consent | None:
    """The newest consent that took effect, withdrawn or not; one of `first`, if they gave any.

    With contact, person and offer.
    """
    rows = consents_of(engagement).filter(CONSENT_IN_FORCE).order_by("-given_at")
    newest = rows.first()
    if first is None or newest is None or newest.contact_id == first.pk:
        return newest
    return rows.filter(offer=newest.offer_id, contact=first).first() or newest


def _consent_in_short(engagement_id: UUID) -> QuerySet[Consent]:
    rows = Consent.objects.select_related("contact__user", "offer").filter(
        CONSENT_IN_FORCE, engagement=engagement_id
    )
    of_offer = ("number", "documents", "template_version_id")
    shown = ("given_at", "contact__user__name", *(f"offer__{each}" for each in of_offer))
    return rows.only("engagement", *shown).order_by("-given_at")[:1]


_CONSENT_IN_SHORT: Final = Repeated(_consent_in_short, mark=any_id())


def consent_in_short(engagement: Engagement) -> Consent | None:
    """The newest consent that took effect, as far as a page tells of it beside other things.

    When it was given, the name of who gave it, and the offer's number, documents and place: anything else of these rows
    costs a query of its own.
    """
    return _CONSENT_IN_SHORT.first(engagement.pk)


def consents_of(engagement: Engagement) -> QuerySet[Consent]:
    """Every consent in the order in which they were given, withdrawn or not, of changes too."""
    rows = engagement.consents.select_related("contact__user", "offer", "withdrawn_by")
    return rows.order_by("given_at", "pk")


def consent_live(engagement: Engagement) -> Consent | None:
    """The consent that holds now, or None."""
    rows = engagement.consents.select_related("contact__user", "offer").filter(
        CONSENT_IN_FORCE, withdrawn_at=None
    )
    return rows.order_by("-given_at").first()


@dataclass(frozen=True, slots=True, kw_only=True)
class Approvals:
    """Where several people have to agree: who did, in order, and who of the client is still asked."""

    needed: int
    agreed: tuple[Consent, ...] = ()
    asked: tuple[Contact, ...] = ()

    def has_agreed(self, contact: Contact) -> bool:
        """True for whoever said yes already."""
        return any(consent.contact_id == contact.pk for consent in self.agreed)


def approvals_of(engagement: Engagement, offer: Offer | None = None) -> Approvals:
    """How far the agreement to an offer has come: to the one that holds, or is asked, unless another is named.

    Reads nothing where one person is enough.
    """
    if engagement.approvals_needed == 1:
        return Approvals(needed=1)
    offer = offer or offer_current(engagement)
    agreed = tuple(consents_of(engagement).filter(offer=offer, withdrawn_at=None))
    people = Contact.objects.filter(client_id=engagement.client_id, role=ContactRole.APPROVER, ended_at=None)
    said_yes = [consent.contact_id for consent in agreed]
    asked = people.exclude(pk__in=said_yes).select_related("user").order_by("user__name")
    return Approvals(needed=engagement.approvals_needed, agreed=agreed, asked=tuple(asked))


def remarks_of(engagement: Engagement) -> list[Remark]:
    """Questions and answers, the oldest first. Nothing is asked where the engagement was read without any."""
    if vars(engagement).get("has_remarks") is False:
        return []
    return list(engagement.remarks.select_related("author").order_by("said_at", "pk"))


def referrals_of(engagement: Engagement) -> list[Referral]:
    """Who was named as the one who should answer, the newest first; each row notes `is_contact`."""
    there = Contact.objects.filter(client_id=OuterRef("client_id"), ended_at=None)
    same = there.filter(user__email=OuterRef("email"))
    rows = engagement.referrals.select_related("contact__user").annotate(is_contact=Exists(same))
    return list(rows.order_by("-made_at", "pk"))


def consent_checkpoint(consent: Consent) -> AuditCheckpoint | None:
    """The first seal of the practice's record that has this consent under it; None until there is one."""
    return checkpoints.checkpoint_over(
        EngagementEvent.CONSENT_GIVEN, subject=consent, about_id=consent.engagement_id
    )


def assignments_of(engagement: Engagement) -> list[Assignment]:
    """Who works on it or is about to, the lead first."""
    return lead_first(engagement.assignments.select_related("consultant").filter(NOT_OVER))


def _staffing(engagement_id: UUID) -> QuerySet[Assignment]:
    is_over = Case(When(NOT_OVER, then=False), default=True, output_field=BooleanField())
    rows = Assignment.objects.select_related("consultant").filter(engagement=engagement_id)
    return rows.annotate(is_over=is_over)


_STAFFING: Final = Repeated(_staffing, mark=any_id())


def staffing_of(engagement: Engagement) -> list[Assignment]:
    """Everybody who ever was on it, the lead first; each row notes `is_over`. One query."""
    return lead_first(_STAFFING.rows(engagement.pk))


def lead_of(engagement: Engagement) -> User:
    """The lead consultant: the human on every page. Raises NotVisible if nobody leads."""
    for assignment in assignments_of(engagement):
        if assignment.role == AssignmentRole.LEAD:
            return assignment.consultant
    raise NotVisible


def profiles_offered(language: str = "en") -> list[AccessProfile]:
    """What can be asked for: the shipped library, then the practice's own by title."""
    own = PracticeProfile.objects.filter(retired_at=None).order_by("title", "code")
    return [*profiles_in(language).values(), *(profile_of(row, language) for row in own)]


def profile_for(code: str, language: str = "en") -> AccessProfile:
    """A shipped profile, or one of the practice in scope that is not retired. Raises KeyError for any other."""
    if (shipped := profiles_in(language).get(code)) is not None:
        return shipped
    row = PracticeProfile.objects.filter(code=code, retired_at=None).first()
    if row is None:
        raise KeyError(code)
    return profile_of(row, language)


def practice_profile(code: str) -> PracticeProfile:
    """The row of a practice's own profile, retired or not, to be edited. Raises NotVisible."""
    if (row := PracticeProfile.objects.filter(code=code).first()) is None:
        raise NotVisible
    return row


def profile_of(row: PracticeProfile, language: str = "en") -> AccessProfile:
    """A practice's own profile in the shape of the shipped ones. Its lines are in the words that it was written in."""
    return profile_from(
        code=row.code,
        title=row.title,
        kind=row.kind,
        summary=row.summary,
        lines=row.lines,
        limits=row.limits,
        guards=row.guards,
        warnings=row.warnings,
        language=language,
    )


def document_of(consent: Consent, kind: DocumentKind) -> Document | None:
    """The signed paper of this kind, with its bytes; None while it is being made."""
    return Document.objects.filter(consent_id=consent.pk, kind=kind).first()


def documents_of(engagement: Engagement) -> list[Document]:
    """Every signed paper of an engagement without its bytes, the oldest first."""
    rows = Document.objects.defer("pdf").filter(engagement=engagement)
    return list(rows.select_related("consent").order_by("made_at", "pk"))


def document_newest(engagement: Engagement, kind: DocumentKind) -> Document:
    """The newest signed paper of a kind. Raises NotVisible while there is none."""
    rows = Document.objects.filter(engagement=engagement, kind=kind)
    if (found := rows.order_by("-made_at", "-pk").first()) is None:
        raise NotVisible
    return found


def grouped(reference: str) -> str:
    """A reference as people read it: in groups of five."""
    return "-".join(reference[start : start + 5] for start in range(0, len(reference), 5))


def reference_mark(reference: str) -> str:
    """What the database finds a reference by, however it was typed. No file has such a fingerprint by chance."""
    plain = "".join(reference.upper().split()).replace("-", "").translate(MISREAD)
    return hashlib.sha256(f"latchkey-paper-reference\n{plain}".encode()).hexdigest()


def document_verify_reference(reference: str) -> Verdict:
    """What is known of a typed reference. All that is not one of ours is looked up and answered alike."""
    return _verdict_on(reference_mark(reference)) or Verdict(state=DocumentState.UNKNOWN)


def document_verify_file(pdf: bytes) -> Verdict:
    """What is known of a file: genuine is what has the very bytes that we kept, and nothing else."""
    if (found := _verdict_on(hashlib.sha256(pdf).hexdigest())) is not None:
        return found
    if any(_mark_found(reference_mark(text)) for text in _references_in(pdf)):
        return Verdict(state=DocumentState.ALTERED)
    match judging.judge(pdf, keys.known_certificates()):
        case Judgement.BROKEN:
            return Verdict(state=DocumentState.ALTERED)
        case Judgement.WHOLE:
            return Verdict(state=DocumentState.UNRECORDED)
        case Judgement.FOREIGN:  # pragma: no branch  # every judgement is named
            return Verdict(state=DocumentState.UNKNOWN)


def _references_in(pdf: bytes) -> list[str]:
    """References that stand in a file's own description, which is not compressed."""
    found = (match[0].decode("ascii") for match in IN_A_FILE.finditer(pdf))
    return list(dict.fromkeys(found))[:MOST_IN_A_FILE]


def _mark_found(mark: str) -> DocumentMark | None:
    """The one row that a fingerprint opens; no other row of anybody is visible meanwhile."""
    with apart(tenancy.bearer_scope(mark, read_only=True)):
        return DocumentMark.objects.first()


def _verdict_on(mark: str) -> Verdict | None:
    found = _mark_found(mark)
    if found is None:
        return None
    with apart(tenancy.client_scope(found.practice_id, found.client_id, read_only=True)):
        rows = Document.objects.defer("pdf").select_related("consent", "engagement")
        document = rows.get(pk=found.document_id)
    return Verdict(state=_state_of(document), kind=DocumentKind(document.kind), made_at=document.made_at)


def _state_of(document: Document) -> DocumentState:
    """A certificate stays what it is; a receipt is of something that may be over."""
    if document.kind == DocumentKind.CERTIFICATE:
        return DocumentState.GENUINE
    if document.consent.withdrawn_at is not None:
        return DocumentState.WITHDRAWN
    return DocumentState.ENDED if document.engagement.status in OVER else DocumentState.GENUINE


def templates_offered() -> list[EngagementTemplate]:
    """What drafts can be made of, by name."""
    return list(EngagementTemplate.objects.filter(retired_at=None).order_by("name", "code"))


def page_door(practice_code: str) -> str:
    """By what a practice's intake page is found before anybody is known."""
    return secrets.fingerprint(f"intake page of {practice_code}")


def shop_door(code: str) -> str:
    """By what a connection is found before its message was checked."""
    return secrets.fingerprint(f"shop {code}")


def intake_page_at(practice_code: str) -> IntakePage:
    """The open page of a practice, with practice and template. Raises NotVisible: shut and never made look the same."""
    read_only = tenancy.current().read_only
    with apart(tenancy.bearer_scope(page_door(practice_code), read_only=read_only)):
        page = IntakePage.objects.filter(token_sha256=page_door(practice_code), is_open=True).first()
    if page is None:
        raise NotVisible
    with apart(tenancy.practice_scope(page.practice_id, read_only=read_only)):
        return IntakePage.objects.select_related("practice", "template", "lead").get(pk=page.pk)


def shop_at(code: str) -> Shop | None:
    """The connection at this address, as long as it takes anything."""
    with apart(tenancy.bearer_scope(shop_door(code))):
        return Shop.objects.filter(token_sha256=shop_door(code), closed_at=None).exclude(secret=b"").first()


def order_find(*, token: str) -> Order | None:
    """The order that this link confirms, live or over; no other row of anybody is visible meanwhile."""
    door = secrets.fingerprint(token)
    with apart(tenancy.bearer_scope(door, read_only=tenancy.current().read_only)):
        return Order.objects.filter(token_sha256=door).first()


def order_to_confirm(*, token: str, practice_code: str) -> Order | None:
    """A live order with its practice and template, if the link is this practice's. None when it is over."""
    found = order_find(token=token)
    if found is None or found.is_over_at(clock.now()):
        return None
    with apart(tenancy.practice_scope(found.practice_id, read_only=tenancy.current().read_only)):
        rows = Order.objects.select_related("practice", "template")
        return rows.filter(pk=found.pk, practice__code=practice_code).first()


def doorbell_waiting(engagement: Engagement, *, now: dt.datetime) -> list[Doorbell]:
    """Who rings and was not answered, the longest waiting first."""
    rows = Doorbell.objects.filter(engagement=engagement, status=DoorbellStatus.RINGING, expires_at__gt=now)
    return list(rows.order_by("rung_at"))


def doorbells_of(engagement: Engagement, *, limit: int = 20) -> list[Doorbell]:
    """Who rang, newest first, with who answered."""
    rows = Doorbell.objects.select_related("answered_by").filter(engagement=engagement)
    return list(rows.order_by("-rung_at")[:limit])
