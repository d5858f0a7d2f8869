"""Who sits where, and what a link opens. Reads only; each function opens the scope it needs and no wider one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from allauth.mfa.models import Authenticator
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.lifecycle import STRONG_FACTORS, AssetKind, ContactRole, FactorKind, MemberRole
from accounts.models import BrandAsset, Contact, Invitation, Membership, SignInService, User
from portal.kernel import clock, secrets, tenancy, web
from portal.kernel.errors import NotAllowed, PortalError


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """One place of one person, without any name: what can be told before a practice is chosen."""

    seat_id: UUID
    practice_id: UUID
    client_id: UUID | None  # None: on the practice's side

    def scope(self, *, user_id: UUID | None = None, read_only: bool = False) -> tenancy.Scope:
        """The view from this seat."""
        if self.client_id is None:
            return tenancy.practice_scope(self.practice_id, user_id=user_id, read_only=read_only)
        return tenancy.client_scope(self.practice_id, self.client_id, user_id=user_id, read_only=read_only)


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedSeat:
    """A seat as the chooser shows it; `client_name` is empty on the practice's side."""

    seat_id: UUID
    practice_name: str
    client_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """One app or one passkey, as its owner knows it."""

    pk: int
    kind: FactorKind
    name: str
    made_at: dt.datetime
    used_at: dt.datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Factors:
    """What a person can prove themselves with."""

    strong: tuple[Factor, ...] = ()
    recovery_left: int = 0

    @property
    def has_totp(self) -> bool:
        """True with an authenticator app."""
        return any(one.kind is FactorKind.TOTP for one in self.strong)

    @property
    def has_passkey(self) -> bool:
        """True with at least one passkey."""
        return any(one.kind is FactorKind.PASSKEY for one in self.strong)

    @property
    def is_enough(self) -> bool:
        """True with at least one factor of its own; recovery codes alone are none."""
        return bool(self.strong)


@contextmanager
def apart(scope: tenancy.Scope) -> Iterator[None]:
    """Look from somewhere else than the request does, by way of nobody: never from one tenant into another."""
    with tenancy.use(tenancy.NOBODY), tenancy.use(scope):
        yield


def seats_of(user_id: UUID, *, only_practice: str = "") -> list[Seat]:
    """Every live seat of a person, the practices' first. A session of `only_practice` reaches that one membership."""
    with apart(tenancy.user_scope(user_id, read_only=tenancy.current().read_only)):
        return _reachable([*_memberships(user_id), *_contacts(user_id)], only_practice)


def named_seats_of(user_id: UUID, *, only_practice: str = "") -> list[NamedSeat]:
    """As above with their names, each read from that seat: nobody sees across practices."""
    return [_named(seat) for seat in seats_of(user_id, only_practice=only_practice)]


def practice_scopes() -> list[tenancy.Scope]:
    """The side of every practice. Each has an owner, and nobody sees all practices: they are found by their people."""
    people = User.objects.filter(is_staff=True).order_by("pk").values_list("pk", flat=True)
    seats = (seat for user_id in people for seat in seats_of(user_id) if seat.client_id is None)
    return [tenancy.practice_scope(key) for key in dict.fromkeys(seat.practice_id for seat in seats)]


def door_of(practice_code: str) -> str:
    """By what a practice's sign-in service is found before anybody is known."""
    return secrets.fingerprint(f"sign-in service of {practice_code}")


def service_at(practice_code: str) -> SignInService | None:
    """The service of a practice, if it is switched on; no other row of anybody is visible meanwhile."""
    door = door_of(practice_code)
    with apart(tenancy.bearer_scope(door, read_only=tenancy.current().read_only)):
        return SignInService.objects.filter(door_sha256=door, is_enabled=True).first()


def factors_of(user_id: UUID) -> Factors:
    """What this person has set up, read from their own scope."""
    with apart(tenancy.user_scope(user_id, read_only=tenancy.current().read_only)):
        return factors_seen(user_id)


def factors_seen(user_id: UUID) -> Factors:
    """As above, in the scope in force, which must be this person's."""
    rows = list(Authenticator.objects.filter(user_id=user_id).order_by("pk"))
    recovery = [row for row in rows if row.type == FactorKind.RECOVERY]
    return Factors(
        strong=tuple(
            Factor(
                pk=row.pk,
                kind=FactorKind(row.type),
                name=row.data.get("name", ""),
                made_at=row.created_at,
                used_at=row.last_used_at,
            )
            for row in rows
            if row.type in STRONG_FACTORS
        ),
        recovery_left=sum(len(row.data["codes"]) for row in recovery),
    )


def place_of(*, user_id: UUID, seat: str, in_console: bool, read_only: bool, only_practice: str) -> web.Place:
    """Where this request happens: the seat chosen last, or the only one; else the person's own view of seats.

    Two queries: the seats of one side, then the row with its practice (and client). A session that a practice's
    service vouched for has `only_practice`: it reaches that one membership and no client's seat.
    """
    with tenancy.use(tenancy.user_scope(user_id, read_only=read_only)):
        seats = _memberships(user_id) if in_console else _contacts(user_id)
    seats = _reachable(seats, only_practice)
    only = seats[0] if len(seats) == 1 else None
    chosen = next((one for one in seats if str(one.seat_id) == seat), only)
    if chosen is None:
        return web.Place(scope=tenancy.user_scope(user_id, read_only=read_only))
    scope = chosen.scope(user_id=user_id, read_only=read_only)
    with tenancy.use(scope):
        if not in_console:
            return web.Place(scope=scope, contact=_with_names(Contact, chosen))
        membership = _membership_with_service(chosen)
    if (closed := _closed(membership, is_by_service=bool(only_practice))) is not None:
        return web.Place(scope=tenancy.user_scope(user_id, read_only=read_only), closed=closed)
    return web.Place(scope=scope, membership=membership)


def invitation_find(*, token: str) -> Invitation | None:
    """The row that this token opens, live or dead; no other row of anybody is visible meanwhile."""
    with apart(tenancy.bearer_scope(secrets.fingerprint(token), read_only=tenancy.current().read_only)):
        return Invitation.objects.first()


def invitation_scope(invitation: Invitation, *, read_only: bool = False) -> tenancy.Scope:
    """The view of the client that was invited."""
    return tenancy.client_scope(invitation.practice_id, invitation.client_id, read_only=read_only)


def invitation_welcome(*, token: str) -> Invitation | None:
    """What the landing page shows of a live invitation: the person, the inviter, the practice. None if dead."""
    found = invitation_find(token=token)
    if found is None or not found.is_live_at(clock.now()):
        return None
    with apart(invitation_scope(found, read_only=tenancy.current().read_only)):
        return _complete(Invitation.objects.filter(pk=found.pk)).first()


def is_from_colleague(invitation: Invitation) -> bool:
    """Whether somebody at the same client invites, and not the practice."""
    with apart(invitation_scope(invitation, read_only=tenancy.current().read_only)):
        rows = Contact.objects.filter(client_id=invitation.client_id, user_id=invitation.invited_by_id)
        return rows.exists()


def invitation_is_own(*, token: str, user_id: UUID) -> Invitation | None:
    """The invitation behind a dead link, if it was this very person's: they may simply go on."""
    found = invitation_find(token=token)
    if found is None:
        return None
    with apart(invitation_scope(found, read_only=tenancy.current().read_only)):
        return _complete(Invitation.objects.filter(pk=found.pk)).filter(contact__user_id=user_id).first()


def invitation_to_send(invitation_id: UUID) -> Invitation | None:
    """A live invitation with everything its mail names, in the scope in force; None when it need not be sent."""
    found = _complete(Invitation.objects.filter(pk=invitation_id)).first()
    return found if found is not None and found.is_live_at(clock.now()) else None


def owners_of(practice_id: UUID) -> QuerySet[Membership]:
    """Who owns a practice and may come in, with person and practice; the longest known first."""
    return _owners(practice_id).filter(user__is_active=True).select_related("user", "practice").order_by("pk")


def seat_find(seat_id: UUID) -> Membership | Contact | None:
    """A place at either side, live or not, with the person and the names round it, in the scope in force."""
    place = Membership.objects.select_related("user", "practice").filter(pk=seat_id).first()
    seats = Contact.objects.select_related("user", "practice", "client")
    return place or seats.filter(pk=seat_id).first()


def answerable_for(seat: Membership | Contact) -> QuerySet[User]:
    """Who hears that this place changed: the practice's owners, or who may agree for the client; never its holder.

    Only who has come in at least once: to others the portal is unknown until they are invited.
    """
    if isinstance(seat, Membership):
        own = Q(pk__in=_owners(seat.practice_id).values("user_id"))
    else:
        own = Q(pk__in=_approvers(seat.client_id).values("user_id"))
    known = User.objects.filter(own, is_active=True, last_login__isnull=False)
    return known.exclude(pk=seat.user_id).order_by("pk")


def _owners(practice_id: UUID) -> QuerySet[Membership]:
    return Membership.objects.filter(practice_id=practice_id, role=MemberRole.OWNER, ended_at=None)


def _approvers(client_id: UUID) -> QuerySet[Contact]:
    return Contact.objects.filter(client_id=client_id, role=ContactRole.APPROVER, ended_at=None)


def _complete(rows: QuerySet[Invitation]) -> QuerySet[Invitation]:
    """Only for people who may still come in."""
    live = rows.filter(contact__ended_at__isnull=True, contact__user__is_active=True)
    return live.select_related("contact__user", "invited_by", "practice", "client")


def _reachable(seats: list[Seat], only_practice: str) -> list[Seat]:
    if not only_practice:
        return seats
    return [one for one in seats if one.client_id is None and str(one.practice_id) == only_practice]


def _membership_with_service(seat: Seat) -> Membership:
    """With its practice, and with how the practice's sign-in service stands, in the same query."""
    services = SignInService.objects.filter(practice_id=OuterRef("practice_id"), is_enabled=True)
    rows = Membership.objects.select_related("practice").annotate(
        has_service=Exists(services), must_use_service=Exists(services.filter(is_required=True))
    )
    return rows.get(pk=seat.seat_id)


def _closed(membership: Membership, *, is_by_service: bool) -> PortalError | None:
    """Why this seat is not open to this session, or None. Owners always come in: they mend a service that is broken."""
    noted = vars(membership)
    if is_by_service and not noted["has_service"]:
        return NotAllowed(
            _(
                "Your practice has switched its company sign-in off. Sign out, then sign in with a code by email."
            ),
            title=_("This sign-in is over"),
            next_url=reverse("account_logout"),
            next_label=_("Sign out"),
        )
    if not is_by_service and noted["must_use_service"] and membership.role != MemberRole.OWNER:
        return NotAllowed(
            _("Your practice asks everybody to sign in with the company’s account."),
            title=_("Sign in with your company’s account"),
            next_url=reverse("service_door", args=[membership.practice.code]),
            next_label=_("Sign in with your company’s account"),
        )
    return None


def _memberships(user_id: UUID) -> list[Seat]:
    rows = Membership.objects.filter(user_id=user_id, ended_at__isnull=True).order_by("pk")
    return [
        Seat(seat_id=pk, practice_id=practice_id, client_id=None)
        for pk, practice_id in rows.values_list("pk", "practice_id")
    ]


def _contacts(user_id: UUID) -> list[Seat]:
    rows = Contact.objects.filter(user_id=user_id, ended_at__isnull=True).order_by("pk")
    return [
        Seat(seat_id=pk, practice_id=practice_id, client_id=client_id)
        for pk, practice_id, client_id in rows.values_list("pk", "practice_id", "client_id")
    ]


def _with_names(model: type[Membership | Contact], seat: Seat) -> Membership | Contact:
    names = ["practice"] if seat.client_id is None else ["practice", "client"]
    return model.objects.select_related(*names).get(pk=seat.seat_id)


def _named(seat: Seat) -> NamedSeat:
    with apart(seat.scope(read_only=tenancy.current().read_only)):
        row = _with_names(Membership if seat.client_id is None else Contact, seat)
    client_name = row.client.name if isinstance(row, Contact) else ""
    return NamedSeat(seat_id=seat.seat_id, practice_name=row.practice.name, client_name=client_name)


def brand_asset_find(*, digest: str, kind: AssetKind) -> bytes | None:
    """The stylesheet or logo with this SHA-256, of whichever practice; no other row of anybody is visible meanwhile."""
    with apart(tenancy.bearer_scope(digest, read_only=True)):
        found = BrandAsset.objects.filter(token_sha256=digest, kind=kind).first()
    return bytes(found.body) if found is not None else None
