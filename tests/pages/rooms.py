"""Scenes of the door, reports of visits, the new key and ending open visits, for the crawl in other languages.

With them what differs in AWS, sentence by sentence.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict
from functools import partial
from typing import Final

from accounts.lifecycle import ContactRole
from awsaccess.lifecycle import PROPAGATION, Gap, ReportStatus, RotationStatus, Verdict
from awsaccess.models import Grant, Verification, Visit, VisitReport
from awsaccess.policy.compare import Difference
from engagements.lifecycle import DoorbellStatus
from engagements.models import Doorbell, Offer
from engagements.services.pauses import engagement_pause
from portal.kernel import clock, tenancy
from tests.pages import stage, test_deeds, test_door, test_elsewhere, test_ending_visits, test_new_key
from tests.pages.stage import Stage
from tests.pages.test_changing import agree, asked
from tests.pages.test_problems import CASES, TECHNICAL
from tests.pages.test_screens import Sight

REASON: Final = "compare server sizes"
DENIED_LONG_AGO: Final = PROPAGATION + dt.timedelta(seconds=5)
POLICIES: Final = "arn:aws:iam::aws:policy/"
MUCH: Final = "Allow ec2:StopInstances, iam:PassRole, s3:GetObject, s3:PutObject on *"
# One of each sentence that portal.pages.differences has.
DIFFERENCES: Final = (
    Difference(what="trust", expected=None, actual="Allow sts:AssumeRole to *", wider=True),
    Difference(what="trust", expected="a", actual="b", wider=None),
    Difference(what="trust", expected="a", actual="b", wider=False),
    Difference(what="attached", expected=None, actual=f"{POLICIES}AdministratorAccess", wider=True),
    Difference(what="attached", expected=None, actual=f"{POLICIES}ReadOnlyAccess", wider=None),
    Difference(what="attached", expected=None, actual=f"{POLICIES}AWSDenyAll", wider=False),
    Difference(what="attached", expected=f"{POLICIES}ReadOnlyAccess", actual=None, wider=False),
    Difference(what="inline more", expected=None, actual="Allow * on *", wider=True),
    Difference(what="inline more", expected=None, actual=MUCH, wider=True),
    Difference(what="inline more", expected="Deny kms:Decrypt on *", actual=None, wider=True),
    Difference(what="inline more", expected=MUCH, actual=None, wider=False),
    Difference(what="max_session_duration", expected="3600 seconds", actual="43200 seconds", wider=True),
    Difference(what="max_session_duration", expected="5400 seconds", actual="3600 seconds", wider=False),
    Difference(what="permissions_boundary", expected=None, actual=f"{POLICIES}ReadOnlyAccess", wider=False),
    Difference(what="tags", expected="latchkey:client = a", actual=None, wider=False),
)


def rung() -> Stage:
    """Maya rings, and what became of each ring before stands below."""
    scene = stage.active(doorbell=True, break_glass=True)
    _ring_before(scene, *(one for one in DoorbellStatus if one != DoorbellStatus.RINGING))
    test_door.ring(scene, REASON)
    return scene


def key_of_ring(scene: Stage) -> str:
    """The ring that waits, as the form names it."""
    with tenancy.use(scene.scope):
        return str(Doorbell.objects.get(status=DoorbellStatus.RINGING).pk)


def shut() -> Stage:
    """Access is paused, so the door is."""
    scene = stage.active(doorbell=True)
    with tenancy.use(scene.client_scope):
        engagement_pause(engagement=scene.engagement, actor=scene.sam_acts)
    return scene


def reported() -> Stage:
    """A visit of each kind: all gaps, each state of a report, none at all, less than agreed, and nobody let in."""
    scene = stage.active()
    gaps = [{"gap": gap.value, "regions": ["eu-north-1", "ap-southeast-2"]} for gap in Gap]
    test_deeds.reported(scene, flagged=["kms:Decrypt"], gaps=gaps, status=ReportStatus.MISSING)
    for number, status in enumerate((ReportStatus.WAITING, ReportStatus.FIRST, ReportStatus.COMPLETE)):
        _report(scene, stage.make_visit(scene, minutes_ago=80 - number, reason=REASON), status)
    narrowing = {"read_only": True, "no_contents": True, "one_address": True, "region": "eu-west-1"}
    stage.make_visit(scene, minutes_ago=5, reason=REASON, narrowing=narrowing)
    stage.make_visit(scene, minutes_ago=4, reason=REASON, status="refused")
    return scene


def key_begun(*, published: bool = True, **changes: object) -> Stage:
    """An exchange of the key, in the state that is given."""
    scene = test_new_key.begun(published=published)
    if changes:
        test_new_key.move(scene, **changes)
    return scene


def key_turned() -> Stage:
    """The new key works, and the old one can go."""
    return key_begun(status=RotationStatus.DROPPING, turned_at=clock.now())


def key_seen() -> Stage:
    """AWS has the template, and is given its two minutes."""
    return key_begun(seen_at=clock.now())


def key_after_visits() -> Stage:
    """Open visits are being ended, and the key waits for that."""
    scene = key_begun()
    stage.make_visit(scene, minutes_ago=1, reason=REASON)
    with tenancy.use(scene.scope):
        Grant.objects.update(deny_before=clock.now())
    return scene


def key_none() -> Stage:
    """No exchange, and no role that could have one."""
    scene = stage.active()
    with tenancy.use(scene.scope):
        Grant.objects.update(is_rotating=False)
    return scene


def ending_prepared() -> Stage:
    """Asked for, and the template is on its way."""
    scene = test_ending_visits.opened()
    test_ending_visits.move(scene, deny_before=clock.now())
    return scene


def ending_asked() -> Stage:
    """The template lies in the bucket."""
    scene = test_ending_visits.opened()
    test_ending_visits.asked(scene)
    return scene


def ending_seen(*, ago: dt.timedelta = dt.timedelta(minutes=1)) -> Stage:
    """The block was seen in AWS."""
    scene = test_ending_visits.opened()
    test_ending_visits.move(scene, denied_before=test_ending_visits.asked(scene, ago=ago))
    return scene


def ending_over() -> Stage:
    """Nobody is inside any more, and the block still stands."""
    scene = stage.active()
    test_ending_visits.move(scene, role_seen_at=clock.now())
    test_ending_visits.move(scene, denied_before=test_ending_visits.asked(scene))
    return scene


def ending_while_closing() -> Stage:
    """The access is being closed, and one visit is open still."""
    scene = stage.closing()
    test_ending_visits.move(scene, role_seen_at=clock.now() - dt.timedelta(days=1))
    test_ending_visits.asked(scene)
    return scene


def _ring_before(scene: Stage, *statuses: DoorbellStatus) -> None:
    """Rings that are over or answered; Tomasz rang, so that Maya still can."""
    now = clock.now()
    with tenancy.use(scene.scope):
        tomasz = scene.engagement.assignments.exclude(consultant=scene.maya).get().consultant
        for number, status in enumerate(statuses, start=1):
            Doorbell.objects.create(
                practice=scene.practice,
                client=scene.client,
                engagement=scene.engagement,
                consultant=tomasz,
                consultant_name=tomasz.name,
                reason=REASON,
                kind="cli",
                status=status,
                rung_at=now - dt.timedelta(minutes=number),
                expires_at=now + dt.timedelta(minutes=60 - number),
                answered_at=now,
                answered_by=scene.sam,
            )


def _report(scene: Stage, visit: Visit, status: ReportStatus) -> None:
    with tenancy.use(scene.scope):
        VisitReport.objects.create(
            practice=scene.practice,
            client=scene.client,
            engagement=scene.engagement,
            visit=visit,
            status=status,
            fetched_at=None if status == ReportStatus.WAITING else clock.now(),
            events=[test_deeds.kept(1, "ec2:DescribeInstances", "looked")],
        )


def differing(*, narrower: bool = False) -> Stage:
    """A check found every kind of difference in AWS, or only what takes away."""
    case = CASES["not what was agreed"]
    scene = stage.broken(case.checks, status=case.status, problem=TECHNICAL)
    found = [asdict(one) for one in DIFFERENCES if one.wider is False or not narrower]
    with tenancy.use(scene.scope):
        Grant.objects.update(is_narrower=narrower)
        Verification.objects.create(
            practice=scene.practice,
            client=scene.client,
            grant=Grant.objects.get(engagement=scene.engagement),
            at=clock.now(),
            verdict=Verdict.DRIFTED,
            findings={"in_words": found},
        )
    return scene


VIEWER: Final = ContactRole.VIEWER


def change_agreed() -> Stage:
    """Sam agreed to a change; the stack in AWS is as it was."""
    scene = asked()
    agree(scene)
    with tenancy.use(scene.scope):
        Offer.objects.filter(engagement=scene.engagement).update(template_version_id="v2")
    return scene


SIGHTS: Final = {
    "question": Sight(make=stage.invited, page="question/"),
    "colleague": Sight(make=stage.invited, page="colleague/"),
    "trouble": Sight(make=stage.agreed, page="trouble/"),
    "elsewhere": Sight(make=test_elsewhere.named),
    "elsewhere, viewer": Sight(make=test_elsewhere.named, role=VIEWER),
    "elsewhere, asked": Sight(make=test_elsewhere.wished),
    "elsewhere, confirmed": Sight(make=test_elsewhere.confirmed),
    "change, account": Sight(make=test_elsewhere.confirmed, page="change/"),
    "hand over": Sight(make=stage.agreed, page="hand-over/"),
    "connect, for AWS alone": Sight(make=stage.agreed, page="connect/", role=ContactRole.AWS_ADMIN),
    "change": Sight(make=asked, page="change/"),
    "change, much": Sight(make=partial(asked, profile="full_administrator", days=30), page="change/"),
    "change, no": Sight(make=asked, page="change/decline/"),
    "change, asked": Sight(make=asked),
    "change, for AWS": Sight(make=change_agreed, page="change/"),
    "change, agreed": Sight(make=change_agreed),
    "consent, doorbell": Sight(make=partial(stage.invited, doorbell=True, break_glass=True)),
    "consent, doorbell alone": Sight(make=partial(stage.invited, doorbell=True)),
    "door": Sight(make=rung, page="door/"),
    "door, nobody": Sight(make=partial(stage.active, doorbell=True), page="door/"),
    "door, off": Sight(make=shut, page="door/"),
    "status, rung": Sight(make=rung),
    "status, rung, viewer": Sight(make=rung, role=VIEWER),
    "visits": Sight(make=reported, page="visits/"),
    "visits, none": Sight(make=stage.active, page="visits/"),
    "status, reported": Sight(make=reported),
    "key": Sight(make=key_begun, page="key/"),
    "key, drop": Sight(make=key_turned, page="key/"),
    "key, undo": Sight(make=partial(key_begun, status=RotationStatus.UNDOING), page="key/"),
    "key, seen": Sight(make=key_seen, page="key/"),
    "key, preparing": Sight(make=partial(key_begun, published=False), page="key/"),
    "key, after visits": Sight(make=key_after_visits, page="key/"),
    "key, none": Sight(make=key_none, page="key/"),
    "status, key": Sight(make=key_begun),
    "open visits": Sight(make=test_ending_visits.opened, page="open-visits/"),
    "open visits, viewer": Sight(make=test_ending_visits.opened, page="open-visits/", role=VIEWER),
    "open visits, preparing": Sight(make=ending_prepared, page="open-visits/"),
    "open visits, in AWS": Sight(make=ending_asked, page="open-visits/"),
    "open visits, settling": Sight(make=ending_seen, page="open-visits/"),
    "open visits, denied": Sight(make=partial(ending_seen, ago=DENIED_LONG_AGO), page="open-visits/"),
    "open visits, over": Sight(make=ending_over, page="open-visits/"),
    "open visits, closing": Sight(make=ending_while_closing, page="open-visits/"),
    "open visits, none": Sight(make=stage.visited, page="open-visits/"),
    "status, differing": Sight(make=differing),
    "status, differing, narrower": Sight(make=partial(differing, narrower=True)),
    "connect, differing": Sight(make=differing, page="connect/"),
}
# Where much is folded away.
FOLDED: Final = ("visits", "key", "open visits, in AWS", "open visits, over", "status, differing")
