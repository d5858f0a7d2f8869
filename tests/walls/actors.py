"""One world for the walk: two practices, three clients, an engagement per state, and everybody who might come by.

Names: client X and client Y belong to practice A; practice B has a client of its own.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.db import connection, transaction
from django.test import Client as Browser

from accounts.emails import invitation_url
from accounts.lifecycle import ContactRole, MemberRole
from accounts.models import Client, Contact, Invitation, Membership, Practice, SignInService, User
from accounts.selectors import door_of
from accounts.services.branding import brand_mark, look_of, practice_brand
from accounts.sessions import SessionStore
from awsaccess.aws.fake import FakeAwsGateway
from awsaccess.door import hub_identity
from awsaccess.lifecycle import GrantStatus
from awsaccess.models import ExitProof, Grant, Hub, Verification, Visit
from awsaccess.services.changing import change_offer
from awsaccess.services.checks import target_of
from awsaccess.services.leaving import certificate_keep
from awsaccess.services.profiles import practice_profile_save
from awsaccess.services.sending import engagement_send
from engagements.lifecycle import AssignmentRole, ShopKind
from engagements.models import (
    AccountWish,
    Assignment,
    Consent,
    Engagement,
    EngagementTemplate,
    IntakePage,
    Offer,
    ScopeChange,
    Shop,
)
from engagements.profiles import Kind
from engagements.profiles.own import DraftLine, DraftProfile
from engagements.services.changes import change_agree_within
from engagements.services.closing import engagement_end
from engagements.services.documents import receipt_make
from engagements.services.drafts import engagement_draft
from engagements.services.moves import engagement_locked
from engagements.services.pauses import engagement_pause
from engagements.services.shops import Handing, intake_set_up, shop_add, shop_close, shop_secret_make
from engagements.services.talk import question_ask
from engagements.services.templates import Gig, template_add
from engagements.services.wishes import wish_make
from portal.console import opening
from portal.kernel import actor, clock, tenancy
from portal.kernel.models import AuditEvent, OutboxMessage
from tests.pages.stage import ALL_WELL, EVIDENCE, Stage, _give_consent, make_visit
from tests.signing_in import ProvingBrowser, let_in

ACTORS: Final = (
    "anonymous",
    "loner",  # signed in, in no practice and at no client
    "a_owner",
    "a_assigned",
    "a_unassigned",
    "a_auditor",
    "a_left",  # a consultant whose membership is over; the assignments still stand
    "x_approver",
    "x_viewer",
    "x_aws_admin",
    "x_left",  # a contact who left
    "y_approver",
    "b_owner",
)
ELSEWHERE: Final = "555555555555"  # an account that nobody agreed to
SIGNS_OUT: Final = "admin:accounts_membership_sign-out"
# Each address that acts gets an engagement of its own, so that no cell of the walk spoils another.
STATES: Final[Mapping[str, str]] = {
    "draft": "draft",
    "draft_to_send": "draft",
    "draft_to_cancel": "draft",
    "invited": "invited",
    "invited_to_agree": "invited",
    "invited_to_decline": "invited",
    "agreed": "agreed",
    "agreed_to_move": "agreed",
    "wished_to_keep": "wished",
    "wished_to_confirm": "wished",
    "wished_to_refuse": "wished",
    "active": "active",
    "active_to_pause": "active",
    "active_to_end": "active",
    "active_to_pause_here": "active",
    "active_to_end_here": "active",
    "paused_by_client": "paused_by_client",
    "paused_by_practice": "paused_by_practice",
    "changing": "changing",
    "changing_to_keep": "changing",
    "changing_to_take_back": "changing",
    "change_agreed": "change_agreed",
    "closing": "closing",
    "closed": "closed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What one client has: an engagement per state, and one row of each other kind that an address can name."""

    practice_id: UUID
    client_id: UUID
    client_code: str
    title: str
    contact: str
    spare_contact: str
    codes: Mapping[str, str]
    engagement_ids: Mapping[str, UUID]
    grant: str
    visit: str
    invitation: str
    token: str
    hub: str
    profiles: Mapping[str, str]
    service: str
    membership: str
    event: str
    message: str
    practice_code: str
    template: str
    page: str
    shop: str
    digest: str
    wishes: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Rooms by client, people by their name in ACTORS."""

    rooms: Mapping[str, Room]
    people: Mapping[str, UUID]
    aws: FakeAwsGateway

    def user(self, name: str) -> User:
        """The person."""
        return User.objects.get(pk=self.people[name])

    def strange_to(self, name: str) -> set[str]:
        """Words of rooms that this person must not read anywhere."""
        if name.startswith("a_") and name != "a_left":
            clients = {room.title for key, room in self.rooms.items() if key == "B"}
            own = {"a_owner": "XY", "a_auditor": "XY", "a_assigned": "X", "a_unassigned": ""}[name]
        else:
            own = {"x": "X", "y": "Y", "b": "B"}.get(name[0], "") if name != "x_left" else ""
            clients = {room.title for key, room in self.rooms.items() if key not in own}
        works = {
            f"{room.title} {slot}" for key, room in self.rooms.items() if key not in own for slot in STATES
        }
        return clients | works

    def browser(self, name: str, *, strict: bool = False, proves: bool = True) -> Browser:
        """A fresh browser of this person, strict about CSRF as in production, and proving what is asked for."""
        is_plain = strict or not proves or name == "anonymous"
        browser = Browser(enforce_csrf_checks=strict) if is_plain else ProvingBrowser()
        if name != "anonymous":
            sign_in(browser, self.user(name))
        return browser


@dataclass(slots=True, kw_only=True)
class Walker:
    """Somebody who goes on with one session, and comes in anew only when an answer has changed it."""

    world: World
    actor: str
    browser: Browser = field(init=False)
    key: str = field(init=False)

    def __post_init__(self) -> None:
        self.come_in()

    def come_in(self) -> None:
        """With a fresh session."""
        self.browser = self.world.browser(self.actor)
        self.key = session_of(self.browser)

    def posted(self, name: str) -> None:
        """After a form of this address was sent: the owner's own sessions end there, and no cookie says so."""
        if name == SIGNS_OUT and self.key and not SessionStore().exists(self.key):
            self.come_in()

    def ready(self) -> Browser:
        """The browser, signed in as it was at the start."""
        if session_of(self.browser) != self.key:
            self.come_in()
        return self.browser


def sign_in(browser: Browser, user: User) -> None:
    """Everything that makes a session a full one, in this one place: consultants have shown a factor."""
    let_in(browser, user)


def session_of(browser: Browser) -> str:
    """The session's key, or "" for nobody."""
    found = browser.cookies.get(settings.SESSION_COOKIE_NAME)
    return found.value if found is not None else ""


def build() -> World:
    """Make everything, with real commits."""
    practice_a, maya = _practice("northgate", "Northgate Cloud", "111111111111")
    practice_b, harold = _practice("harbour", "Harbour Cloud", "999999999999")
    team = {
        "a_assigned": _member(practice_a, "Tomasz Lis", MemberRole.CONSULTANT),
        "a_unassigned": _member(practice_a, "Ines Duarte", MemberRole.CONSULTANT),
        "a_auditor": _member(practice_a, "Ada Novak", MemberRole.AUDITOR),
        "a_left": _member(practice_a, "Lena Fischer", MemberRole.CONSULTANT),
    }
    helpers = [team["a_assigned"], team["a_left"]]
    room_x, x = _room(practice_a, maya, "Brightwater Dental", "441709265583", helpers)
    room_y, y = _room(practice_a, maya, "Hollins Farm", "222222222222", [])
    room_b, _b = _room(practice_b, harold, "Acacia Legal", "333333333333", [])
    with tenancy.use(tenancy.practice_scope(practice_a.pk)):
        Membership.objects.filter(user=team["a_left"]).update(ended_at=clock.now())
    people = {
        "loner": User.objects.create_user("lou@nowhere.example", name="Lou Nemo", is_staff=True),
        "a_owner": maya,
        **team,
        "x_approver": x.sam,
        "x_viewer": _contact(x, "Vic Hart", ContactRole.VIEWER),
        "x_aws_admin": _contact(x, "Ann Boyd", ContactRole.AWS_ADMIN),
        "x_left": _contact(x, "Leo Grey", ContactRole.APPROVER, left=True),
        "y_approver": y.sam,
        "b_owner": harold,
    }
    with tenancy.use(
        x.scope
    ):  # further than the other practice's record reaches, so that it has no such number
        last = AuditEvent.objects.latest("seq").seq
    return World(
        rooms={"X": replace(room_x, event=str(last)), "Y": room_y, "B": room_b},
        people={name: user.pk for name, user in people.items()},
        aws=_aws(practice_a, practice_b),
    )


def once_for(user_id: UUID, engagement_id: UUID, visit_id: str) -> str:
    """The mark of the form that opens AWS, as its page would have given it to this person."""
    mark = {"visit": visit_id, "engagement": str(engagement_id), "user": str(user_id)}
    return signing.dumps(mark, salt=opening.SALT)


def _practice(word: str, name: str, account: str) -> tuple[Practice, User]:
    practice = Practice(
        code=word,
        name=name,
        legal_name=f"{name} Ltd",
        address="12 Quay Street, Bristol BS1 4QZ",
        support_email=f"help@{word}.example",
    )
    with tenancy.use(tenancy.practice_scope(practice.pk)):
        practice.save(force_insert=True)
        Hub.objects.create(
            practice=practice,
            account_id=account,
            role_arn=f"arn:aws:iam::{account}:role/latchkey-hub",
            region="eu-west-1",
            template_bucket=f"latchkey-templates-{account}",
        )
        SignInService.objects.create(
            practice=practice,
            door_sha256=door_of(word),
            issuer="http://127.0.0.1:9",
            oauth_client="latchkey",
            client_secret=b"",
            domains=[f"{word}.example"],
        )
    owner = _member(practice, f"Owner Of{word.title()}", MemberRole.OWNER)
    _sell(practice, owner)
    return practice, owner


def _sell(practice: Practice, owner: User) -> None:
    """What a practice has for who orders: a look of its own, a template, an open page, and a shop that was closed."""
    gig = Gig(name="Two weeks", title="Cost review", purpose="to look", profile="cost_review", days=14)
    who = actor.machine("test")
    with tenancy.use(tenancy.practice_scope(practice.pk)):
        look = replace(look_of(practice), colour="#0b6b3a")
        practice_brand(practice=practice, look=look, seen=brand_mark(practice), actor=who)
        handing = Handing(template=template_add(practice=practice, gig=gig, actor=who), lead=owner)
        intake_set_up(practice=practice, handing=handing, welcome="", is_open=True, actor=who)
        shop = shop_add(practice=practice, name="Shop", kind=ShopKind.SIGNED, handing=handing, actor=who)
        shop_secret_make(shop=shop, actor=who)
        shop_close(shop=shop, actor=who)


def _member(practice: Practice, name: str, role: MemberRole) -> User:
    user = User.objects.create_user(_address(name, practice.code), name=name, is_staff=True)
    with tenancy.use(tenancy.practice_scope(practice.pk)):
        Membership.objects.create(practice=practice, user=user, role=role)
    return user


def _contact(stage: Stage, name: str, role: ContactRole, *, left: bool = False) -> User:
    user = User.objects.create_user(_address(name, "brightwater"), name=name)
    with tenancy.use(stage.scope):
        Contact.objects.create(
            practice=stage.practice,
            client=stage.client,
            user=user,
            role=role,
            ended_at=clock.now() if left else None,
        )
    return user


def _address(name: str, host: str) -> str:
    return f"{name.lower().replace(' ', '.')}@{host}.example"


def _room(
    practice: Practice, owner: User, name: str, account: str, helpers: list[User]
) -> tuple[Room, Stage]:
    sam = User.objects.create_user(
        _address("approver", name.split(maxsplit=1)[0].lower()), name=f"Sam {name}"
    )
    with tenancy.use(tenancy.practice_scope(practice.pk)):
        client = Client.objects.create(practice=practice, name=name)
        contact = Contact.objects.create(
            practice=practice, client=client, user=sam, role=ContactRole.APPROVER
        )
    stages: dict[str, Stage] = {}
    for slot, state in STATES.items():
        drafted = _draft(practice, client, owner, sam, contact, account, f"{name} {slot}", helpers)
        MOVES[state](drafted)
        stages[slot] = drafted
    _sign_papers(stages["active"], stages["closed"])
    _contact(stages["active"], f"Spare {name}", ContactRole.VIEWER)
    return _look_round(stages), stages["active"]


def _sign_papers(*stages: Stage) -> None:
    """Receipts, and certificates of what is over: only the worker's role can make one."""
    connection.close()
    connection.settings_dict["USER"] = "portal_worker"
    try:
        for stage in stages:
            with tenancy.use(stage.scope):
                receipt_make(consent_id=Consent.objects.get(engagement=stage.engagement).pk)
                certificate_keep(engagement_id=stage.engagement.pk)
    finally:
        connection.close()
        connection.settings_dict["USER"] = "portal_web"


def _draft(
    practice: Practice,
    client: Client,
    owner: User,
    sam: User,
    contact: Contact,
    account: str,
    title: str,
    helpers: list[User],
) -> Stage:
    with tenancy.use(tenancy.practice_scope(practice.pk)):
        engagement = engagement_draft(
            client=client,
            lead=owner,
            title=title,
            purpose="to find out why the bill went up",
            profile="cost_review",
            ends_at=clock.now() + dt.timedelta(days=28),
            actor=actor.machine("test"),
            account_id=account,
        )
        for helper in helpers:
            Assignment.objects.create(
                practice=practice,
                client=client,
                engagement=engagement,
                consultant=helper,
                role=AssignmentRole.MEMBER,
                starts_at=clock.now(),
            )
    return Stage(
        practice=practice, client=client, maya=owner, sam=sam, contact=contact, engagement=engagement
    )


def _stay(_stage: Stage) -> None:
    """A draft is a draft."""


def _invite(stage: Stage) -> None:
    with tenancy.use(stage.scope):
        engagement_send(engagement=stage.engagement, actor=actor.machine("test"))


def _agree(stage: Stage) -> None:
    _invite(stage)
    with tenancy.use(stage.client_scope):
        _give_consent(stage, EVIDENCE)
    with tenancy.use(stage.scope):
        Offer.objects.filter(engagement=stage.engagement).update(template_version_id="v1")


def _wish(stage: Stage) -> None:
    _agree(stage)
    with tenancy.use(stage.client_scope):
        wish_make(
            engagement=stage.engagement, contact=stage.contact, account_id=ELSEWHERE, actor=stage.sam_acts
        )


def _activate(stage: Stage) -> None:
    _agree(stage)
    now = clock.now()
    with tenancy.use(stage.scope):
        Engagement.objects.filter(pk=stage.engagement.pk).update(status="active", activated_at=now)
        Grant.objects.filter(engagement=stage.engagement).update(
            status=GrantStatus.VERIFIED,
            checks=ALL_WELL,
            # Only one grant may hold a verified role, so this client's others were verified and stay so by rule.
            verified_at=now,
            checked_at=now,
            last_ok_at=now,
            last_verdict="ok",
        )
        grant = Grant.objects.select_related("offer").get(engagement=stage.engagement)
        Verification.objects.create(
            practice=stage.practice,
            client=stage.client,
            grant=grant,
            at=now,
            verdict="ok",
            findings={"offer_sha256": grant.offer.offer_sha256},
        )
    make_visit(stage, minutes_ago=20, reason="compare server sizes with last month’s use")
    with tenancy.use(stage.client_scope):
        question_ask(
            engagement=stage.engagement,
            contact=stage.contact,
            text="What will it cost?",
            actor=stage.sam_acts,
        )


def _pause_by_client(stage: Stage) -> None:
    _activate(stage)
    with tenancy.use(stage.client_scope):
        engagement_pause(engagement=stage.engagement, actor=stage.sam_acts, reason="a question")


def _pause_by_practice(stage: Stage) -> None:
    _activate(stage)
    with tenancy.use(stage.scope):
        engagement_pause(engagement=stage.engagement, actor=actor.machine("test"), reason="a holiday")


def _change(stage: Stage) -> None:
    _activate(stage)
    with tenancy.use(stage.scope):
        change_offer(
            engagement=stage.engagement,
            profile="security_review",
            optional=(),
            ends_at=stage.engagement.ends_at,
            actor=actor.machine("test"),
        )


def _agree_to_change(stage: Stage) -> None:
    _change(stage)
    with tenancy.use(stage.scope), transaction.atomic():
        engagement = engagement_locked(stage.engagement.pk)
        change = ScopeChange.objects.get(engagement=engagement)
        change_agree_within(engagement=engagement, change=change, actor=actor.machine("test"))


def _close(stage: Stage) -> None:
    _activate(stage)
    with tenancy.use(stage.client_scope):
        engagement_end(engagement=stage.engagement, actor=stage.sam_acts)
    with tenancy.use(stage.scope):
        grant = Grant.objects.get(engagement=stage.engagement)
        Grant.objects.filter(pk=grant.pk).update(status=GrantStatus.ENDING)
        ExitProof.objects.create(
            practice=stage.practice,
            client=stage.client,
            engagement=stage.engagement,
            grant=grant,
            begun_at=clock.now(),
        )


def _prove(stage: Stage) -> None:
    _close(stage)
    now = clock.now()
    with tenancy.use(stage.scope):
        ExitProof.objects.filter(engagement=stage.engagement).update(
            refused_since=now,
            last_refused_at=now,
            refusals=61,
            sessions_over_at=now,
            proved_at=now,
            evidence_sha256="5f" * 32,
        )
        Grant.objects.filter(engagement=stage.engagement).update(status=GrantStatus.GONE)
        Engagement.objects.filter(pk=stage.engagement.pk).update(status="closed", closed_at=now)


MOVES: Final[Mapping[str, Callable[[Stage], None]]] = {
    "draft": _stay,
    "invited": _invite,
    "agreed": _agree,
    "wished": _wish,
    "active": _activate,
    "paused_by_client": _pause_by_client,
    "paused_by_practice": _pause_by_practice,
    "changing": _change,
    "change_agreed": _agree_to_change,
    "closing": _close,
    "closed": _prove,
}


def _look_round(stages: Mapping[str, Stage]) -> Room:
    stage = stages["active"]
    with tenancy.use(stage.scope):
        mine = {"client_id": stage.client.pk}
        invitation = Invitation.objects.filter(**mine).earliest("expires_at")
        return Room(
            practice_id=stage.practice.pk,
            client_id=stage.client.pk,
            client_code=stage.client.code,
            title=stage.client.name,
            contact=str(stage.contact.pk),
            spare_contact=str(Contact.objects.get(role=ContactRole.VIEWER, **mine).pk),
            codes={slot: one.engagement.code for slot, one in stages.items()},
            engagement_ids={slot: one.engagement.pk for slot, one in stages.items()},
            grant=str(Grant.objects.get(engagement=stage.engagement).pk),
            visit=str(Visit.objects.get(engagement=stage.engagement).pk),
            invitation=str(invitation.pk),
            token=invitation_url(invitation).rstrip("/").rpartition("/")[2],
            hub=str(Hub.objects.get().pk),
            profiles={use: _profile(stage.practice, use) for use in ("read", "retire")},
            service=str(SignInService.objects.get().pk),
            membership=str(Membership.objects.get(user=stage.maya).pk),
            event=str(AuditEvent.objects.order_by("seq").last().seq),  # type: ignore[union-attr]  # X's room is full
            practice_code=stage.practice.code,
            template=EngagementTemplate.objects.get().code,
            page=str(IntakePage.objects.get().pk),
            shop=Shop.objects.get().code,
            digest=Practice.objects.get().brand_sheet,
            wishes={
                slot: str(one.pk)
                for slot, each in stages.items()
                for one in AccountWish.objects.filter(engagement=each.engagement)
            },
            message=str(OutboxMessage.objects.filter(**mine).order_by("pk").first().pk),  # type: ignore[union-attr]  # as above
        )


def _profile(practice: Practice, title: str) -> str:
    """One of the practice's own, by its code."""
    policy = '{"Effect": "Allow", "Action": "ec2:Describe*", "Resource": "*"}'
    line = DraftLine(title="See your servers", why="So we can see which ones are too big.", policy=policy)
    draft = DraftProfile(
        title=f"To {title}", kind=Kind.LOOK, summary="They can look at your servers.", lines=(line,)
    )
    return practice_profile_save(practice=practice, draft=draft, actor=actor.machine("test")).code


def _aws(*practices: Practice) -> FakeAwsGateway:
    """An AWS in memory that holds every role that was agreed to."""
    hubs, roles = [], []
    for practice in practices:
        with tenancy.use(tenancy.practice_scope(practice.pk)):
            hubs.append(hub_identity(Hub.objects.select_related("practice").get()))
            grants = Grant.objects.select_related("offer", "engagement", "practice")
            roles += [(grant.role_arn, target_of(grant).expected) for grant in grants]
    # The owner's walk writes another hub role down, to which it then moves the accesses.
    others = [replace(hub, role_arn=f"{hub.role_arn}-2") for hub in hubs]
    fake = FakeAwsGateway(*hubs, *others)
    for arn, expected in roles:
        fake.make_role(arn, expected)
    return fake
