"""Leaving: the role must refuse us for long enough, every session must be over, and then the proof is written."""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import transaction

from accounts.lifecycle import HANDS
from accounts.models import Contact
from awsaccess.door import gateway
from awsaccess.lifecycle import AccessEvent, GrantStatus, VisitStatus, closing_wait
from awsaccess.models import ExitProof, Grant, Visit
from awsaccess.probes import is_refused
from awsaccess.services.checks import CHECK, account_settle_within, rotations_open, target_of
from awsaccess.services.records import grant_record_within
from engagements.models import Consent, Document, Engagement
from engagements.papers.certificate import EndFacts
from engagements.services.closing import certificate_key, engagement_close_within
from engagements.services.documents import certificate_make
from engagements.services.moves import engagement_locked
from engagements.services.standing import was_agreed
from portal.kernel import audit, checkpoints, clock, due, outbox
from portal.kernel.actor import Actor, machine
from portal.kernel.errors import InvalidMove, NotAllowed

CLOSING: Final = "grant.closing"
CERTIFICATE: Final = "grant.certificate"
CLOSER: Final = machine("closing")
# One refusal may be chance or a change still spreading through IAM; three over the time of the settings are not.
FEWEST_REFUSALS: Final = 3


@transaction.atomic(durable=True)
def closing_begin(*, engagement_id: UUID) -> None:
    """Nobody gets in from now on; from now on it is tried whether the role is really gone. Twice does no harm."""
    engagement = engagement_locked(engagement_id)
    now = clock.now()
    for grant in Grant.objects.select_for_update(of=("self",)).filter(engagement=engagement):
        if grant.status in (GrantStatus.ENDING, GrantStatus.GONE):
            continue
        # The message of the consent may come after this one: the account that the client named is not lost.
        account_settle_within(grant, engagement)
        Grant.objects.filter(pk=grant.pk).update(status=GrantStatus.ENDING)
        ExitProof.objects.create(
            practice_id=grant.practice_id,
            client_id=grant.client_id,
            engagement=engagement,
            grant=grant,
            begun_at=now,
        )
        grant_record_within(
            AccessEvent.GRANT_MOVED, grant, CLOSER, {"from": grant.status, "to": GrantStatus.ENDING}
        )
        due.drop(CHECK, grant.pk)
        due.schedule(CLOSING, grant.pk, at=now, client_id=grant.client_id)


@transaction.atomic(durable=True)
def deletion_confirm(*, engagement: Engagement, contact: Contact, actor: Actor) -> None:
    """The client says that the access was deleted in AWS. It is tried at once; saying so proves nothing alone."""
    if contact.client_id != engagement.client_id or contact.ended_at is not None or contact.role not in HANDS:
        raise NotAllowed
    proofs = ExitProof.objects.filter(engagement=engagement, proved_at=None).select_related("grant")
    if not proofs:
        raise InvalidMove
    for proof in proofs:
        if proof.confirmed_at is None:
            ExitProof.objects.filter(pk=proof.pk).update(
                confirmed_at=clock.now(), confirmed_by_id=actor.user_id
            )
            grant_record_within(AccessEvent.DELETION_CONFIRMED, proof.grant, actor, {})
        due.schedule(CLOSING, proof.grant_id, at=clock.now(), client_id=proof.client_id)


def closing_probe(*, grant_id: UUID) -> dt.datetime | None:
    """One try to get in where nobody should. Gives the moment of the next, or None once it is proved.

    The one question to AWS that needs no live consent: it proves that its end came. Nobody enters by it, whatever
    AWS answers, and an account whose owner never agreed is not asked.
    """
    grant = (
        Grant.objects.select_related("offer__practice", "engagement")
        .filter(pk=grant_id, status=GrantStatus.ENDING)
        .first()
    )
    if grant is None or not was_agreed(offer=grant.offer):
        return None
    # While an external ID was being exchanged the role may accept either: both must be refused.
    refused = is_refused(gateway(), target_of(grant, rotations_open([grant]).get(grant.pk)))
    return _note(grant, refused)


@transaction.atomic(durable=True)
def _note(grant: Grant, refused: bool | None) -> dt.datetime | None:  # noqa: FBT001  # an answer, not a switch
    engagement = engagement_locked(grant.engagement_id)
    proof = ExitProof.objects.select_for_update(of=("self",)).get(grant=grant)
    now = clock.now()
    if proof.proved_at is not None:
        return None
    since = None if refused is None else _counted(proof, refused=refused, now=now)
    # Only a refusal ends it, never the mere passing of time while AWS could not be asked.
    if since is None or not _is_proved(proof, engagement, now, since=since):
        return now + closing_wait(now - proof.begun_at)
    _prove(proof, grant, engagement, now)
    return None


def _counted(proof: ExitProof, *, refused: bool, now: dt.datetime) -> dt.datetime | None:
    """Since when it is refused without a break, if it is: one opening starts the count anew."""
    if refused:
        proof.refused_since, proof.last_refused_at = proof.refused_since or now, now
        proof.refusals += 1
    else:
        proof.last_opened_at, proof.refused_since, proof.refusals = now, None, 0
    proof.save()
    return proof.refused_since


def _is_proved(proof: ExitProof, engagement: Engagement, now: dt.datetime, *, since: dt.datetime) -> bool:
    """Long enough, often enough, sessions over, and the refusal is not only the passed date of a role that stands."""
    long_enough = now - since >= dt.timedelta(seconds=settings.EXIT_PROOF_SECONDS)
    often_enough = proof.refusals >= FEWEST_REFUSALS
    not_only_the_date = proof.confirmed_at is not None or now < engagement.ends_at
    return long_enough and often_enough and not_only_the_date and sessions_end(engagement) <= now


def sessions_end(engagement: Engagement) -> dt.datetime:
    """When the last session of any visit is over at the latest; the beginning of time if there was none."""
    held = Visit.objects.filter(engagement=engagement).exclude(status=VisitStatus.REFUSED, access_key_id="")
    ends = [visit.latest_end for visit in held]
    return max(ends, default=dt.datetime.min.replace(tzinfo=dt.UTC))


def _prove(proof: ExitProof, grant: Grant, engagement: Engagement, now: dt.datetime) -> None:
    evidence = _evidence(proof, grant, engagement, now)
    digest = hashlib.sha256(audit.canonical(evidence)).hexdigest()
    ExitProof.objects.filter(pk=proof.pk).update(
        proved_at=now, sessions_over_at=now, evidence=evidence, evidence_sha256=digest
    )
    Grant.objects.filter(pk=grant.pk).update(status=GrantStatus.GONE, gone_at=now)
    grant_record_within(AccessEvent.EXIT_PROVED, grant, CLOSER, {"sha256": digest})
    still_there = Grant.objects.filter(engagement=engagement).exclude(status=GrantStatus.GONE)
    if not still_there.exists():
        # Before the news of the end, which waits for it.
        outbox.put(
            CERTIFICATE,
            engagement.pk,
            dedupe_key=certificate_key(engagement.pk),
            client_id=engagement.client_id,
        )
        engagement_close_within(engagement=engagement, actor=CLOSER)


def certificate_keep(*, engagement_id: UUID) -> Document | None:
    """The signed certificate of an access that is proved to be gone, made now unless there is one.

    None without a consent or a proof: there is nothing to certify. Raises PaperFailed.
    """
    proofs = ExitProof.objects.select_related("grant").filter(engagement_id=engagement_id)
    proof = proofs.exclude(proved_at=None).order_by("-proved_at").first()
    consent = Consent.objects.filter(engagement_id=engagement_id).order_by("-given_at").first()
    if proof is None or proof.proved_at is None or consent is None:
        return None
    checkpoints.checkpoint_make()
    issued = Visit.objects.filter(engagement_id=engagement_id).exclude(issued_at=None).count()
    end = EndFacts(
        role_arn=proof.grant.role_arn,
        visits=issued,
        refusals=proof.refusals,
        refused_since=proof.refused_since,
        last_refused_at=proof.last_refused_at,
        confirmed_at=proof.confirmed_at,
        sessions_over_at=proof.sessions_over_at,
        proved_at=proof.proved_at,
        evidence_sha256=proof.evidence_sha256,
    )
    return certificate_make(consent_id=consent.pk, end=end)


def _evidence(
    proof: ExitProof, grant: Grant, engagement: Engagement, now: dt.datetime
) -> dict[str, Any]:  # Any: JSON
    visits = Visit.objects.filter(engagement=engagement, status=VisitStatus.ISSUED).count()
    return {
        "format": 1,
        "engagement": engagement.code,
        "account": grant.account_id,
        "role_arn": grant.role_arn,
        "refusals": proof.refusals,
        "refused_since": _iso(proof.refused_since),
        "seconds_to_refusal": proof.seconds_to_refusal,
        "last_refused_at": _iso(proof.last_refused_at),
        "deletion_confirmed_at": _iso(proof.confirmed_at),
        "visits": visits,
        "proved_at": _iso(now),
    }


def _iso(moment: dt.datetime | None) -> str | None:
    return moment.astimezone(dt.UTC).isoformat(timespec="seconds") if moment else None
