"""Engagements taken through sending, agreeing, proving and entering by the services themselves."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from accounts.models import User
from awsaccess.aws.arns import ConsoleService
from awsaccess.lifecycle import PROPAGATION
from awsaccess.models import ExitProof, Grant, Hub, Rotation, Verification, Visit
from awsaccess.services.checks import CHECK, grant_verify, grant_watch
from awsaccess.services.hubs import hub_set_up
from awsaccess.services.leaving import closing_begin
from awsaccess.services.sending import engagement_send, offer_publish
from awsaccess.services.visits import SigninForm, visit_open
from engagements.models import Engagement, Offer
from engagements.services.closing import engagement_end
from portal.kernel import clock, due, tenancy
from portal.kernel.models import AuditBody, OutboxMessage
from tests.factories import ACCOUNT_ID, Firm, acting, give_consent, make_engagement_drafted, make_firm
from tests.plugins.sandbox_process import HARBOUR, NORTHGATE

if TYPE_CHECKING:
    from tests.awsaccess.services.worlds import World

REASON: Final = "compare server sizes with last month's use"
ALL_WELL: Final = {"found": "ok", "lock": "ok", "scope": "ok", "ends": "ok"}


@dataclass(frozen=True, slots=True, kw_only=True)
class HubFacts:
    """What an owner writes down of a practice's AWS side."""

    account_id: str
    role_arn: str
    region: str
    bucket: str


def _facts(account_id: str) -> HubFacts:
    return HubFacts(
        account_id=account_id,
        role_arn=f"arn:aws:iam::{account_id}:role/latchkey-hub",
        region="eu-west-1",
        bucket=f"latchkey-templates-{account_id}",
    )


HUBS: Final = {"northgate": _facts(NORTHGATE), "harbour": _facts(HARBOUR)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One engagement of a firm, read anew at each look."""

    firm: Firm
    engagement: Engagement
    account_id: str = ACCOUNT_ID

    def seen(self) -> AbstractContextManager[object]:
        """The practice's view, or the client's where a test looks from there already."""
        is_client = tenancy.current().side is tenancy.Side.CLIENT
        return nullcontext() if is_client else tenancy.use(self.firm.practice_side)

    def fresh(self) -> Engagement:
        with self.seen():
            return Engagement.objects.select_related("practice", "client").get(pk=self.engagement.pk)

    def grant(self) -> Grant:
        with self.seen():
            return Grant.objects.select_related("offer").get(engagement=self.engagement)

    def offer(self) -> Offer:
        with self.seen():
            return Offer.objects.get(engagement=self.engagement)

    def visits(self) -> list[Visit]:
        with self.seen():
            return list(Visit.objects.filter(engagement=self.engagement).order_by("intended_at"))

    def visit(self) -> Visit:
        (found,) = self.visits()
        return found

    def proof(self) -> ExitProof:
        with self.seen():
            return ExitProof.objects.get(engagement=self.engagement)

    def verifications(self) -> list[Verification]:
        with self.seen():
            return list(Verification.objects.filter(grant__engagement=self.engagement).order_by("at"))

    def told(self) -> list[tuple[str, dict[str, Any]]]:  # Any: JSON
        """What the record says of the engagement: kinds and details."""
        with self.seen():
            bodies = AuditBody.objects.filter(event__about_id=self.engagement.pk).select_related("event")
            return [
                (body.event.kind, json.loads(body.text)["details"]) for body in bodies.order_by("event__seq")
            ]

    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.told()]

    def promised(self, kind: str) -> int:
        """How often a message of this kind was promised for the practice."""
        with self.seen():
            return OutboxMessage.objects.filter(kind=kind).count()

    def next_check(self) -> Any:  # Any: a moment or None
        with self.seen():
            return due.next_look(CHECK, self.grant().pk)


def make_practice(word: str, *, with_hub: bool = True) -> Firm:
    """A firm, whose owner has written down its hub."""
    firm = make_firm(word)
    if with_hub:
        set_hub(firm, HUBS[word])
    return firm


def set_hub(firm: Firm, facts: HubFacts) -> Hub:
    with tenancy.use(firm.practice_side):
        return hub_set_up(
            practice=firm.practice,
            role_arn=facts.role_arn,
            region=facts.region,
            template_bucket=facts.bucket,
            actor=acting(firm.owner),
        )


def drafted(firm: Firm, *, account_id: str = ACCOUNT_ID) -> Case:
    return Case(firm=firm, engagement=make_engagement_drafted(firm, account_id=account_id))


def send(case: Case) -> Offer:
    with tenancy.use(case.firm.practice_side):
        return engagement_send(engagement=case.engagement, actor=acting(case.firm.owner))


def publish(case: Case) -> None:
    with tenancy.use(case.firm.practice_side):
        offer_publish(offer_id=case.offer().pk)


def sent(firm: Firm, *, account_id: str = ACCOUNT_ID) -> Case:
    case = drafted(firm, account_id=account_id)
    send(case)
    return case


def agreed(firm: Firm, *, account_id: str = ACCOUNT_ID) -> Case:
    """The client agreed; nobody has looked for the role yet."""
    case = sent(firm, account_id=account_id)
    give_consent(firm, case.engagement)
    return case


def watch(case: Case) -> None:
    with tenancy.use(case.firm.practice_side):
        grant_watch(engagement_id=case.engagement.pk)


def watched(firm: Firm, *, account_id: str = ACCOUNT_ID) -> Case:
    """The role is looked for, and is not there."""
    case = agreed(firm, account_id=account_id)
    watch(case)
    return case


def check(case: Case) -> Any:  # Any: the moment of the next check, or None
    with tenancy.use(case.firm.practice_side):
        return grant_verify(grant_id=case.grant().pk)


def settle(case: Case) -> None:
    """The role was made long enough ago that AWS knows it everywhere: from now on a refusal counts."""
    with tenancy.use(case.firm.practice_side):
        Grant.objects.filter(engagement=case.engagement).update(role_seen_at=clock.now() - PROPAGATION)


def look_twice(case: Case) -> None:
    """Two looks at an exchange of the key, as far apart as IAM takes to spread a change."""
    check(case)
    past = clock.now() - PROPAGATION
    with tenancy.use(case.firm.practice_side):
        Rotation.objects.filter(seen_at__isnull=False).update(seen_at=past)
        Grant.objects.update(checked_at=past)
    check(case)


def verified(firm: Firm, world: World) -> Case:
    """The stack stands and the check has passed."""
    case = watched(firm)
    world.deploy(case)
    check(case)
    return case


def enter(
    case: Case,
    *,
    reason: str = REASON,
    service: ConsoleService = ConsoleService.COSTS,
    who: User | None = None,
    **over: Any,  # Any: what else `visit_open` takes
) -> SigninForm:
    """The firm's owner, who leads the engagement, opens AWS; or somebody else tries."""
    who = who or case.firm.owner
    with tenancy.use(case.firm.practice_side):
        return visit_open(
            engagement=case.fresh(), consultant=who, reason=reason, service=service, actor=acting(who), **over
        )


def end_by_client(case: Case) -> None:
    with tenancy.use(case.firm.client_side):
        engagement_end(engagement=case.fresh(), actor=acting(case.firm.approver))


def begin_closing(case: Case) -> None:
    with tenancy.use(case.firm.practice_side):
        closing_begin(engagement_id=case.engagement.pk)


def closing(firm: Firm, world: World) -> Case:
    """Verified, then ended by the client; the role still stands."""
    case = verified(firm, world)
    end_by_client(case)
    begin_closing(case)
    return case
