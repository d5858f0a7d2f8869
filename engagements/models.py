"""The paper side's rows. Offers are immutable, consents are given and withdrawn but never edited."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from typing import ClassVar, Final

from django.db import models
from django.db.models.functions import Now

from accounts.models import Client, Contact, Practice, Row, User, new_code
from engagements.lifecycle import (
    AssignmentRole,
    ChangeStatus,
    DocumentKind,
    DoorbellStatus,
    EngagementStatus,
    ShopKind,
    WishStatus,
)
from engagements.profiles import Kind

MOST_APPROVALS: Final = 3
LANDING: Final = re.compile(r"/e/(?P<code>[^/]+)/")  # where an invitation to an engagement leads
ORDER_PURPOSE: Final = "order"  # what the tokens in links that confirm an order are made for


def new_shop_code() -> str:
    """Names a connection in its address: as hard to guess as a password, though it opens nothing without the secret."""
    return new_code() + new_code()


class Engagement(Row):
    """One gig: why, who, until when, in which AWS account. `account_id` is 12 digits, or empty while unknown."""

    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="+")
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="engagements")
    code = models.CharField(max_length=12, default=new_code, unique=True)
    title = models.CharField(max_length=120)
    purpose = models.CharField(max_length=300)
    contract_reference = models.CharField(max_length=60, blank=True, default="")
    account_id = models.CharField(max_length=12, blank=True, default="")
    account_name = models.CharField(max_length=120, blank=True, default="")
    profile = models.CharField(max_length=40, default="cost_review")
    optional = models.JSONField(
        default=list, blank=True
    )  # keys of the optional lines that the client may tick
    ends_at = models.DateTimeField()
    status = models.CharField(max_length=10, choices=EngagementStatus.choices, default=EngagementStatus.DRAFT)
    invited_at = models.DateTimeField(null=True)
    agreed_at = models.DateTimeField(null=True)
    activated_at = models.DateTimeField(null=True)
    paused_at = models.DateTimeField(null=True)
    closing_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    # Who made the latest move, and the words they gave for it; empty when the portal moved it by itself.
    moved_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    moved_note = models.CharField(max_length=300, blank=True, default="")
    # How the client has to agree: so many people, and each with a code that was mailed for it.
    approvals_needed = models.PositiveSmallIntegerField(default=1)
    code_at_agreement = models.BooleanField(default=False)
    # Whether the client lets each visit in, and whether it may be entered unasked in an emergency. Terms of the offer.
    # (No `db_default`: Django would read them back while a draft is made, before its lead may see it; see rls.reading_only.)
    doorbell = models.BooleanField(default=False)
    break_glass = models.BooleanField(default=False)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(approvals_needed__range=(1, MOST_APPROVALS)),
                name="engagement_approvals_one_to_three",
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=EngagementStatus.values), name="engagement_known_status"
            ),
            models.CheckConstraint(
                condition=models.Q(account_id__regex=r"^([0-9]{12})?$"),
                name="engagement_account_is_12_digits",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["practice", "client", "status"], name="engagement_by_client")
        ]

    def __str__(self) -> str:
        return self.title


class Assignment(Row):
    """A consultant on an engagement, in one part, for a time. A later part is a row of its own: nothing is rewritten."""

    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="+")
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+")
    engagement = models.ForeignKey(Engagement, on_delete=models.PROTECT, related_name="assignments")
    consultant = models.ForeignKey(User, on_delete=models.PROTECT, related_name="assignments")
    role = models.CharField(max_length=10, choices=AssignmentRole.choices)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            # A floor below what the services check under the engagement's lock: planned ends are theirs alone.
            models.UniqueConstraint(
                fields=["engagement", "consultant"],
                condition=models.Q(ends_at=None),
                name="assignment_one_open_per_person",
            ),
            models.UniqueConstraint(
                fields=["engagement"],
                condition=models.Q(role=AssignmentRole.LEAD, ends_at=None),
                name="assignment_one_lead",
            ),
            models.CheckConstraint(
                condition=models.Q(role__in=AssignmentRole.values), name="assignment_known_role"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.role} on {self.engagement_id}"


NOT_OVER: Final = models.Q(ends_at=None) | models.Q(ends_at__gt=Now())  # holds, or is planned


def lead_first(rows: Iterable[Assignment]) -> list[Assignment]:
    """In the order in which people are named."""
    return sorted(rows, key=lambda row: (row.role != AssignmentRole.LEAD, row.starts_at))


class Offer(Row):
    """The frozen snapshot of what is asked. Only the place of its published template is filled in later."""

    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="+")
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+")
    engagement = models.ForeignKey(Engagement, on_delete=models.PROTECT, related_name="offers")
    number = models.PositiveSmallIntegerField()
    lines = models.JSONField()
    documents = models.JSONField()
    template = models.TextField()
    template_sha256 = models.CharField(max_length=64)
    offer_sha256 = models.CharField(max_length=64)
    frozen_at = models.DateTimeField()
    template_version_id = models.CharField(max_length=120, blank=True, default="")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["engagement", "number"], name="offer_numbered_once"),
        ]

    def __str__(self) -> str:
        return f"offer {self.number} of {self.engagement_id}"

    @property
    def other_account(self) -> str:
        """The AWS account that this offer asks for in place of the agreed one, 12 digits; empty for all that move none."""
        return str(self.documents.get("account_id", ""))


class Variant(Row):
    """The frozen template of one offer with some of its optional lines ticked; the offer's own template has none.

    `choice`: their keys, in the order of the offer. Only the place of its published template is filled in later.
    """

    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="+")
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+")
    engagement = models.ForeignKey(Engagement, on_delete=models.PROTECT, related_name="+")
    offer = models.ForeignKey(Offer, on_delete=models.PROTECT, related_name="variants")
    choice = models.JSONField()
    template = models.TextField()
    template_sha256 = models.CharField(max_length=64)
    template_version_id = models.CharField(max_length=120, blank=True, default="")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["offer", "choice"], name="variant_one_per_choice"),
        ]

    def __str__(self) -> str:
        return f"{self.offer_id} with {', '.join(self.choice)}"


class ScopeChange(Row):
    """Another access asked of a client whose access is on: `offer` is to take the place of `before`.

    Until the role in AWS was proved to be what `offer` says, `before` and its consent hold.
    """

    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="+")
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+")
    engagement = models.ForeignKey(Engagement, on_delete=models.PROTECT, related_name="changes")
    offer = models.OneToOneField(Offer, on_delete=models.PROTECT, related_name="change")
    before = models.ForeignKey(Offer, on_delete=models.PROTECT, related_name="+")
    status = models.CharField(max_length=10, choices=ChangeStatus.choices, default=ChangeStatus.ASKED)
    asked_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True)
    in_force_at = models.DateTimeField(null=True)
    moved_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    moved_note = models.CharField(max_length=300, blank=True, default="")

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(status__in=ChangeStatus.values), name="change_known_status"
            ),
            models.UniqueConstraint(
                fields=["engagement"],
                condition=models.Q(status__in=[ChangeStatus.ASKED, ChangeStatus.AGREED]),
                name="change_one_open",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.offer_id} instead of {self.before_id}"


class AccountWish(Row):
    """The client would rather use another AWS account than the agreed one. The practice confirms it, or says why not.

    Confirmed, it is asked as a change of scope with an offer of its own: no wish changes what holds.
    """

    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="+")
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+")
    engagement = models.ForeignKey(Engagement, on_delete=models.PROTECT, related_name="wishes")
    contact = models.ForeignKey(Contact, on_delete=models.PROTECT, related_name="+")
    account_id = models.CharField(max_length=12)
    instead_of = models.CharField(max_length=12)
    status = models.CharField(max_length=10, choices=WishStatus.choices, default=WishStatus.ASKED)
    asked_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True)
    moved_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    moved_note = models.CharField(max_length=300, blank=True, default="")

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(status__in=WishStatus.values), name="wish_known_status"
            ),
            models.CheckConstraint(
                condition=models.Q(account_id__regex=r"^[0-9]{12}$", instead_of__regex=r"^[0-9]{12}$"),
                name="wish_accounts_are_12_digits",
            ),
            models.UniqueConstraint(
                fields=["engagement"],
                condition=models.Q(status=WishStatus.ASKED),
                name="wish_one_open",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account_id} instead of {self.instead_of}"


# What was first asked, or a change once it holds; a change that is only asked for changes nothing.
IN_FORCE: Final = models.Q(change=None) | models.Q(change__status=ChangeStatus.IN_FORCE)
CONSENT_IN_FORCE: Final = models.Q(offer__change=None) | models.Q(offer__change__status=ChangeStatus.IN_FORCE)


class Consent(Row):
    """A contact's recorded agreement to one offer, with the exact bytes shown.

    `choice`: keys of the optional lines that were ticked. `template_sha256` is of the template with that choice, and
    `agreed_sha256` seals offer, choice and template together; both are empty for consents from before there was a choice.

    Where several people have to agree, each has a row, all with one choice. `record` is the whole of it as one JSON
    text, made at the moment of agreement (engagements.consent_record).
    """

    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="+")
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+")
    engagement = models.ForeignKey(Engagement, on_delete=models.PROTECT, related_name="consents")
    offer = models.ForeignKey(Offer, on_delete=models.PROTECT, related_name="consents")
    contact = models.ForeignKey(Contact, on_delete=models.PROTECT, related_name="consents")
    account_id = models.CharField(max_length=12)
    shown_html = models.TextField()
    shown_sha256 = models.CharField(max_length=64)
    offer_sha256 = models.CharField(max_length=64)
    choice = models.JSONField(default=list, blank=True)
    template_sha256 = models.CharField(max_length=64, blank=True, default="")
    agreed_sha256 = models.CharField(max_length=64, blank=True, default="")
    evidence = models.JSONField()
    record = models.TextField(default="")
    given_at = models.DateTimeField()
    withdrawn_at = models.DateTimeField(null=True)
    withdrawn_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(account_id__regex=r"^[0-9]{12}$"), name="consent_account_is_12_digits"
            ),
            # A floor below what the service checks under the engagement's lock: nobody counts twice.
            models.UniqueConstraint(fields=["offer", "contact"], name="consent_one_per_person"),
        ]

    def __str__(self) -> str:
        return f"consent to {self.offer_id}"


class Document(Row):
    """A signed paper as it left the house: the receipt of a consent, or the certificate of its end. Never made again.

    `reference` proves it on the public page, so it cannot be guessed (100 bits); people read it in groups of five.
    `trouble` says why there is no time stamp although one was asked for.
    """

    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="+")
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+")
    engagement = models.ForeignKey(Engagement, on_delete=models.PROTECT, related_name="papers")
    consent = models.ForeignKey(Consent, on_delete=models.PROTECT, related_name="papers")
    kind = models.CharField(max_length=12, choices=DocumentKind.choices)
    language = models.CharField(max_length=10)
    reference = models.CharField(max_length=20, unique=True)
    pdf = models.BinaryField()
    sha256 = models.CharField(max_length=64, unique=True)
    made_at = models.DateTimeField()
    signed_by = models.CharField(max_length=64)
    stamped_at = models.DateTimeField(null=True)
    trouble = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["consent", "kind"], name="document_one_of_a_kind"),
            models.CheckConstraint(
                condition=models.Q(kind__in=DocumentKind.values), name="document_known_kind"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.consent_id}"


class DocumentMark(models.Model):
    """What opens one paper on the public page: the fingerprint of its bytes, or of its reference. Ids only."""

    token_sha256 = models.CharField(max_length=64, primary_key=True)
    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="+")
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+")
    document = models.ForeignKey(Document, on_delete=models.PROTECT, related_name="marks")

    def __str__(self) -> str:
        return f"mark of {self.document_id}"


class AgreementCode(Row):
    """A code that was mailed to one contact, to agree to one offer with. Only its keyed hash is kept."""

    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="+")
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+")
    engagement = models.ForeignKey(Engagement, on_delete=models.PROTECT, related_name="+")
    offer = models.ForeignKey(Offer, on_delete=models.PROTECT, related_name="+")
    contact = models.ForeignKey(Contact, on_delete=models.PROTECT, related_name="+")
    mark = models.CharField(max_length=64)
    made_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    tries = models.PositiveSmallIntegerField(default=0)
    used_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"code for {self.offer_id}"


class Remark(Row):
    """One line of the talk about an engagement: a question of the client's, or an answer. Never rewritten."""

    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="+")
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+")
    engagement = models.ForeignKey(Engagement, on_delete=models.PROTECT, related_name="remarks")
    author = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    is_from_client = models.BooleanField()
    text = models.CharField(max_length=1000)
    said_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"remark on {self.engagement_id}"


class Referral(Row):
    """Somebody at the client names a colleague who should answer. It opens nothing: the practice invites, or not."""

    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="+")
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+")
    engagement = models.ForeignKey(Engagement, on_delete=models.PROTECT, related_name="referrals")
    contact = models.ForeignKey(Contact, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=120)
    email = models.EmailField(max_length=254)
    made_at = models.DateTimeField()
    # The invitation came to somebody else, who says whose it is: `contact` is whom it was meant for.
    is_misdirected = models.BooleanField(default=False)

    def __str__(self) -> str:
        return f"referral on {self.engagement_id}"


class Doorbell(Row):
    """A consultant asks to be let in, for one visit. `expires_at`: of the ring, and once let in, of that.

    `kind` is the door that was asked for, as the AWS side names it.
    """

    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="+")
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+")
    engagement = models.ForeignKey(Engagement, on_delete=models.PROTECT, related_name="doorbells")
    consultant = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    consultant_name = models.CharField(max_length=120)
    reason = models.CharField(max_length=300)
    kind = models.CharField(max_length=8)
    status = models.CharField(max_length=8, choices=DoorbellStatus.choices, default=DoorbellStatus.RINGING)
    rung_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True)
    answered_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(status__in=DoorbellStatus.values), name="doorbell_known_status"
            ),
            models.UniqueConstraint(
                fields=["engagement", "consultant"],
                condition=models.Q(status__in=(DoorbellStatus.RINGING, DoorbellStatus.LET_IN)),
                name="doorbell_one_open_per_person",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.consultant_name}, {self.status}"


class Handover(Row):
    """Somebody at the client asks a colleague to do the step in AWS. The portal adds and mails them, or says why not.

    `hands` is the colleague once they were added; `problem` the name of what stood against it.
    """

    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="+")
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+")
    engagement = models.ForeignKey(Engagement, on_delete=models.PROTECT, related_name="handovers")
    contact = models.ForeignKey(Contact, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=120)
    email = models.EmailField(max_length=254)
    asked_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)
    hands = models.ForeignKey(Contact, on_delete=models.PROTECT, null=True, related_name="handovers")
    problem = models.CharField(max_length=20, blank=True, default="")

    def __str__(self) -> str:
        return f"handover of {self.engagement_id}"


class PracticeProfile(Row):
    """A practice's own access profile, as it was judged and saved. Offers freeze a copy: a later change reaches no client.

    `lines`: each with key, icon, title, why, optional, policy (the text as written), statements, managed_policies.
    `limits`: each with key and kept_by, proved when it was saved. `number` counts the saves.
    """

    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="+")
    code = models.CharField(max_length=40)
    title = models.CharField(max_length=60)
    kind = models.CharField(max_length=6, choices=[(kind.value, kind.value) for kind in Kind])
    summary = models.CharField(max_length=200)
    lines = models.JSONField()
    limits = models.JSONField()
    guards = models.JSONField()
    warnings = models.JSONField(default=list)
    number = models.PositiveIntegerField(default=1)
    saved_at = models.DateTimeField()
    retired_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["practice", "code"], name="practice_profile_one_per_code"),
            models.CheckConstraint(
                condition=models.Q(kind__in=[kind.value for kind in Kind]), name="practice_profile_known_kind"
            ),
            # A code of the shipped library means the same in every practice.
            models.CheckConstraint(
                condition=models.Q(code__startswith="own-"), name="practice_profile_own_code"
            ),
        ]

    def __str__(self) -> str:
        return self.title


class EngagementTemplate(Row):
    """What a gig that is sold again and again asks for. `days`: how long the access lasts from the day of the order."""

    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="+")
    code = models.CharField(max_length=12, default=new_code)
    name = models.CharField(max_length=60)
    title = models.CharField(max_length=120)
    purpose = models.CharField(max_length=300)
    profile = models.CharField(max_length=40)
    days = models.PositiveSmallIntegerField()
    account_name = models.CharField(max_length=120, blank=True, default="")
    number = models.PositiveIntegerField(default=1)
    retired_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["practice", "code"], name="template_one_per_code"),
            models.CheckConstraint(
                condition=models.Q(days__gte=1, days__lte=366), name="template_days_are_possible"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class IntakePage(Row):
    """A practice's public page for who has just bought something. `token_sha256` is how a visitor finds it."""

    practice = models.OneToOneField(Practice, on_delete=models.PROTECT, related_name="+")
    token_sha256 = models.CharField(max_length=64, db_index=True)
    template = models.ForeignKey(EngagementTemplate, on_delete=models.PROTECT, related_name="+")
    lead = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    welcome = models.CharField(max_length=300, blank=True, default="")
    is_open = models.BooleanField(default=False)

    def __str__(self) -> str:
        return "the intake page"


class Shop(Row):
    """A connection through which a shop tells of orders. The secret is sealed, and empty until it is set."""

    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="+")
    code = models.CharField(max_length=32, default=new_shop_code)
    token_sha256 = models.CharField(max_length=64, db_index=True)
    name = models.CharField(max_length=60)
    kind = models.CharField(max_length=6, choices=ShopKind.choices)
    secret = models.BinaryField(default=bytes)
    template = models.ForeignKey(EngagementTemplate, on_delete=models.PROTECT, related_name="+")
    lead = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField()
    secret_set_at = models.DateTimeField(null=True)
    heard_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["practice", "code"], name="shop_one_per_code"),
            models.CheckConstraint(condition=models.Q(kind__in=ShopKind.values), name="shop_known_kind"),
        ]

    def __str__(self) -> str:
        return self.name


class Order(Row):
    """Somebody bought something: on the intake page (then `shop` is empty, and it counts once confirmed) or in a shop.

    `event_id` names it at the shop, once. `token_sha256` is what the link opens that confirms the address. `problem`
    says why no draft could be made of it.
    """

    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="+")
    template = models.ForeignKey(EngagementTemplate, on_delete=models.PROTECT, related_name="+")
    lead = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    shop = models.ForeignKey(Shop, on_delete=models.PROTECT, null=True, related_name="orders")
    event_id = models.CharField(max_length=255, blank=True, default="")
    name = models.CharField(max_length=120)
    company = models.CharField(max_length=120, blank=True, default="")
    email = models.EmailField()
    account_id = models.CharField(max_length=12, blank=True, default="")
    order_number = models.CharField(max_length=60)
    language = models.CharField(max_length=10, blank=True, default="")  # of the page it was asked on
    token_sha256 = models.CharField(max_length=64, blank=True, default="", db_index=True)
    made_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)
    confirmed_at = models.DateTimeField(null=True)
    engagement = models.OneToOneField(Engagement, on_delete=models.PROTECT, null=True, related_name="order")
    problem = models.CharField(max_length=300, blank=True, default="")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["practice", "shop", "event_id"],
                condition=models.Q(shop__isnull=False),
                name="order_taken_once",
            ),
            models.CheckConstraint(
                condition=models.Q(account_id__regex=r"^([0-9]{12})?$"), name="order_account_is_12_digits"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["practice", "-made_at"], name="orders_newest_first")]

    def __str__(self) -> str:
        return f"order {self.order_number}"

    @property
    def grouped_account(self) -> str:
        """By four, as AWS shows it."""
        return " ".join(self.account_id[start : start + 4] for start in (0, 4, 8)).strip()

    def is_over_at(self, moment: dt.datetime) -> bool:
        """Confirmed, or never to be confirmed any more."""
        return self.confirmed_at is not None or (self.expires_at is not None and self.expires_at <= moment)
