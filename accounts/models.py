"""People and organisations. Row-level security decides who sees which row (`migrations/0002_walls.py`)."""

from __future__ import annotations

import datetime as dt
import secrets
import uuid
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.db.models.functions import Lower, Now

from accounts.lifecycle import AssetKind, ContactRole, MemberRole

LOGO_SHOWN_HEIGHT = 36  # pixels
LOGO_SHOWN_WIDTH = 160
CODE_LETTERS = "23456789abcdefghjkmnpqrstvwxyz"  # nothing that is misread aloud


def new_code() -> str:
    """Ten random characters (49 bits): a public name that says nothing and can be read out."""
    return "".join(secrets.choice(CODE_LETTERS) for _ in range(10))


class Row(models.Model):
    """An unguessable key."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)

    class Meta:
        abstract = True


class UserManager(BaseUserManager["User"]):
    """Makes people by address. There is no superuser: no flag opens a tenant's rows."""

    def create_user(self, email: str, **fields: Any) -> User:  # Any: the model's own fields
        """A person who signs in by e-mailed code; the address is kept in lower case."""
        user = self.model(email=email.strip().lower(), **fields)
        user.set_unusable_password()
        user.save(force_insert=True, using=self._db)
        return user


class User(Row, AbstractBaseUser, PermissionsMixin):
    """A person of either side; the e-mail address is the name they sign in with."""

    email = models.EmailField()
    name = models.CharField(max_length=120)
    phone = models.CharField(max_length=40, blank=True, default="")
    language = models.CharField(max_length=10, blank=True, default="")  # empty: they never chose one
    timezone = models.CharField(max_length=60, default="Europe/London")
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)

    objects = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar = ["name"]

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(Lower("email"), name="user_one_per_address"),
            models.UniqueConstraint(fields=["email"], name="user_email_as_written"),
        ]

    def __str__(self) -> str:
        return self.name or self.email

    @property
    def reads(self) -> str:
        """The language of what is written to them; English for who never chose one."""
        return self.language or "en"

    @property
    def first_name(self) -> str:
        """How the pages address them."""
        return self.name.split(" ")[0]

    @property
    def initials(self) -> str:
        """What stands in the circle beside the name."""
        return "".join(word[0] for word in self.name.split()[:2]).upper()


class Practice(Row):
    """A consultancy; the outer tenant."""

    code = models.SlugField(max_length=40, unique=True)
    name = models.CharField(max_length=120)
    legal_name = models.CharField(max_length=160)
    address = models.CharField(max_length=240)
    support_email = models.EmailField()
    support_phone = models.CharField(max_length=40, blank=True, default="")
    # Its own look (`accounts.brand`). Empty: the portal's. The hashes are addresses of `BrandAsset`s.
    sender_name = models.CharField(max_length=120, blank=True, default="")
    privacy_url = models.CharField(max_length=300, blank=True, default="")
    brand_colour = models.CharField(max_length=7, blank=True, default="")
    brand_colour_dark = models.CharField(max_length=7, blank=True, default="")
    brand_sheet = models.CharField(max_length=64, blank=True, default="")
    brand_logo = models.CharField(max_length=64, blank=True, default="")
    logo_width = models.PositiveSmallIntegerField(default=0)
    logo_height = models.PositiveSmallIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            # They stand in stylesheets and mails: nothing but a colour can get there.
            models.CheckConstraint(
                condition=models.Q(brand_colour__regex=r"^(#[0-9a-f]{6})?$")
                & models.Q(brand_colour_dark__regex=r"^(#[0-9a-f]{6})?$"),
                name="practice_colours_are_colours",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def sender(self) -> str:
        """The name in front of our address in its mails."""
        return self.sender_name or self.name

    @property
    def logo_shown_width(self) -> int:
        """In pixels, at the height that logos are shown in; wide ones are shown smaller."""
        return min(LOGO_SHOWN_WIDTH, max(1, self._scaled_width))

    @property
    def logo_shown_height(self) -> int:
        """In pixels, so that the picture keeps its shape."""
        wide = max(1, self._scaled_width)
        return (
            LOGO_SHOWN_HEIGHT
            if wide <= LOGO_SHOWN_WIDTH
            else max(1, LOGO_SHOWN_HEIGHT * LOGO_SHOWN_WIDTH // wide)
        )

    @property
    def _scaled_width(self) -> int:
        return LOGO_SHOWN_HEIGHT * self.logo_width // max(1, self.logo_height)


class BrandAsset(Row):
    """A stylesheet or a logo of a practice, found by the SHA-256 of its bytes: pages and mails may keep it for ever.

    Whoever knows the hash reads it, signed in or not: mails show it too. It is never changed.
    """

    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="+")
    token_sha256 = models.CharField(max_length=64, db_index=True)
    kind = models.CharField(max_length=3, choices=AssetKind.choices)
    body = models.BinaryField()
    made_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["practice", "token_sha256"], name="brand_asset_kept_once"),
            models.CheckConstraint(
                condition=models.Q(kind__in=AssetKind.values), name="brand_asset_known_kind"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.token_sha256}.{self.kind}"


class Membership(Row):
    """A consultant's place in a practice. Ended, never deleted: the record refers to it."""

    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="memberships")
    role = models.CharField(max_length=12, choices=MemberRole.choices)
    title = models.CharField(max_length=120, blank=True, default="")
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["practice", "user"], name="membership_one_per_person"),
            models.CheckConstraint(
                condition=models.Q(role__in=MemberRole.values), name="membership_known_role"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.role} of {self.practice_id}"


class Client(Row):
    """An organisation that a practice works for; the inner tenant."""

    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="clients")
    code = models.CharField(max_length=12, default=new_code, unique=True)
    name = models.CharField(max_length=120)

    def __str__(self) -> str:
        return self.name


class Contact(Row):
    """A person at a client, in one role."""

    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="+")
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="contacts")
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="contacts")
    role = models.CharField(max_length=12, choices=ContactRole.choices)
    title = models.CharField(max_length=120, blank=True, default="")
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["client", "user"], name="contact_one_per_person"),
            models.CheckConstraint(
                condition=models.Q(role__in=ContactRole.values), name="contact_known_role"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.role} at {self.client_id}"


class Invitation(Row):
    """A link for one contact. Only the token's SHA-256 is kept; the link opens exactly this row."""

    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="+")
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+")
    contact = models.ForeignKey(Contact, on_delete=models.PROTECT, related_name="invitations")
    invited_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    token_sha256 = models.CharField(max_length=64, unique=True)
    landing_path = models.CharField(max_length=200)
    letter_kind = models.CharField(
        max_length=80, default="accounts.invitation"
    )  # the outbox kind that mails it
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)
    replaced_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"invitation of {self.contact_id}"

    def is_live_at(self, moment: dt.datetime) -> bool:
        """Not used, not replaced, not expired."""
        return self.used_at is None and self.replaced_at is None and moment < self.expires_at


class SignInService(Row):
    """A practice's own OpenID Connect provider. It vouches for people of this practice, and opens this practice alone.

    `door_sha256` is made of the practice's code: by it the row is found before anybody is known. Each change counts
    `revision` up, and a sign-in that began under another one is over.
    """

    practice = models.OneToOneField(Practice, on_delete=models.PROTECT, related_name="+")
    door_sha256 = models.CharField(max_length=64, unique=True)
    issuer = models.CharField(max_length=300)
    oauth_client = models.CharField(max_length=300)  # its "client ID"; that word is a tenant's here
    client_secret = models.BinaryField()  # sealed for this row
    domains: models.JSONField[list[str], list[str]] = (
        models.JSONField()
    )  # of email addresses it may vouch for
    is_enabled = models.BooleanField(default=False)
    is_required = models.BooleanField(default=False)
    revision = models.PositiveIntegerField(default=1)

    def __str__(self) -> str:
        return f"sign-in service of {self.practice_id}"


class PinnedAccount(Row):
    """Which account at the sign-in service is which member: written at the first sign-in, and right from then on."""

    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="+")
    service = models.ForeignKey(SignInService, on_delete=models.PROTECT, related_name="accounts")
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    subject = models.CharField(max_length=255)
    made_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["service", "user"], name="pinned_account_one_per_person"),
            models.UniqueConstraint(fields=["service", "subject"], name="pinned_account_one_per_subject"),
        ]

    def __str__(self) -> str:
        return f"account of {self.user_id}"


class StepUp(Row):
    """A fresh proof of who somebody is, for one act on one object from one browser session; used once (SECURITY §4)."""

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    session_sha256 = models.CharField(max_length=64)
    action = models.CharField(max_length=80)
    object_id = models.UUIDField()
    method = models.CharField(max_length=20)
    made_at = models.DateTimeField(db_default=Now())
    used_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(
                fields=["user", "action", "object_id"],
                condition=models.Q(used_at__isnull=True),
                name="step_up_unused",
            )
        ]

    def __str__(self) -> str:
        return f"{self.action} by {self.method}"


class BrowserSession(models.Model):
    """A browser that is known. The key is the SHA-256 of what its cookie holds; the content is sealed.

    Read before anybody is known, so no wall stands round it: it holds no tenant's words.
    """

    session_key = models.CharField(max_length=64, primary_key=True)
    session_data = models.TextField()
    user = models.ForeignKey(User, on_delete=models.CASCADE, null=True, related_name="+")
    made_at = models.DateTimeField(db_default=Now())
    seen_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"session since {self.made_at}"


class Attempts(models.Model):
    """How often something was tried lately. Here and not in the cache, which may be flushed or lie (SECURITY W6).

    `key` is a keyed hash of what is counted: whoever reads the table learns no address and no name.
    """

    key = models.CharField(max_length=64, primary_key=True)
    tries = models.PositiveIntegerField(default=0)
    since = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"{self.tries} since {self.since}"
