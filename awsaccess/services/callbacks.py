"""Call-backs of the clients' stacks: collected from the hub's queue, checked as anything is, answered in words.

A message is an untrusted hint (SECURITY A16). It makes the portal look at once and answer; it never changes what is known
of an access. That is done by the check itself, with the external ID and the role of the grant's own row.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from awsaccess.aws.answering import Answer, ResponseAddress, response_address
from awsaccess.aws.arns import BadAddress
from awsaccess.aws.errors import AwsError, AwsMisconfigured, AwsRejected, AwsTransient
from awsaccess.aws.gateway import HubIdentity
from awsaccess.aws.messages import QueueAddress, QueuedMessage, StackId
from awsaccess.callback import Hint, Kind, Reason, Refusal, read_message
from awsaccess.door import answer_door, gateway, hub_for, hub_identity
from awsaccess.lifecycle import (
    BROKEN,
    CALLBACK_ANSWER_WITHIN,
    CALLBACK_DENIED_FOR,
    CALLBACK_DOUBT_FOR,
    CALLBACK_LOOKS_EVERY,
    NOT_SEEN_YET,
    WATCHED,
    AccessEvent,
    CallbackStatus,
    GrantStatus,
    Verdict,
)
from awsaccess.models import Callback, DeadLetter, Grant, Hub
from awsaccess.services.checks import CHECK, LOOKED_AT, grant_verify
from awsaccess.services.hubs import LISTEN
from awsaccess.services.leaving import CLOSING
from awsaccess.services.records import grant_record_within
from engagements.lifecycle import EngagementStatus
from engagements.models import Engagement
from portal.kernel import clock, due, tenancy
from portal.kernel.actor import machine
from portal.kernel.secrets import Unreadable, fingerprint, place_of, seal, unseal

ANSWER: Final = "stack.answer"
PURPOSE: Final = "stack.answer"
LISTENER: Final = machine("listen")
EXPECTED_FOR: Final = dt.timedelta(hours=1)
WAIT_EXPECTING, WAIT_IDLE = (
    2,
    1,
)  # seconds a poll may take; one at least, or SQS asks only some of its servers
REST_EXPECTING: Final = dt.timedelta(milliseconds=500)
REST_IDLE: Final = dt.timedelta(seconds=15)
REST_BROKEN: Final = dt.timedelta(minutes=1)
# The role goes after the resource that reports: looked at too early it would still be there.
AFTER_A_DELETE: Final = dt.timedelta(seconds=10)
GIVE_UP_AFTER: Final = dt.timedelta(minutes=10)
MOST_OF_A_GRANT: Final = 10
MOST_DEAD_LETTERS: Final = 200  # in an hour: anybody may publish, and nobody shall fill our disk
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ear:
    """One queue to listen to, with the topics that deliver into it."""

    hub: HubIdentity
    queue: QueueAddress
    topics: frozenset[str]


# ---------------------------------------------------------------- listening


def hub_listen(*, hub_id: UUID) -> dt.datetime | None:
    """Read what lies in the queues of a hub. Gives the moment of the next look, or None without any queue."""
    hub = Hub.objects.select_related("practice").filter(pk=hub_id).first()
    ears = [] if hub is None else _ears(hub)
    if not ears:
        return None
    is_expecting = _is_expecting()
    try:
        for ear in ears:
            _listen(ear, WAIT_EXPECTING if is_expecting else WAIT_IDLE)
    except AwsTransient:
        return clock.now() + REST_IDLE
    except AwsError as error:
        log.warning("the hub's queue cannot be read: %s", error)
        return clock.now() + REST_BROKEN
    return clock.now() + (REST_EXPECTING if is_expecting else REST_IDLE)


@transaction.atomic(durable=True)
def listen_soon() -> None:
    """A stack may report within minutes: listen closely from now on."""
    for hub in Hub.objects.exclude(queue_url=""):
        due.schedule(LISTEN, hub.pk, at=clock.now())


def _ears(hub: Hub) -> list[Ear]:
    """The hub's own queue, and those that stacks of earlier offers still report to (ADR 5)."""
    found = {}
    if hub.queue_url:
        found[hub.queue_url] = (hub_identity(hub), set(hub.topic_arns.values()))
    grants = Grant.objects.exclude(callback_sha256="").exclude(status=GrantStatus.GONE)
    earlier = grants.exclude(offer__documents__queue_url=hub.queue_url)
    for grant in earlier.select_related("offer__practice"):
        documents = grant.offer.documents
        _, topics = found.setdefault(documents["queue_url"], (hub_for(grant.offer, grant), set()))
        topics.update(documents["topic_arns"].values())
    return [
        Ear(hub=identity, queue=QueueAddress.parse(url), topics=frozenset(topics))
        for url, (identity, topics) in found.items()
    ]


def _is_expecting() -> bool:
    """Whether somebody may be sitting in front of AWS: agreed or ended not long ago, or unanswered."""
    since = clock.now() - EXPECTED_FOR
    agreed = Q(status__in=NOT_SEEN_YET, engagement__agreed_at__gte=since)
    ended = Q(status=GrantStatus.ENDING, exit_proof__begun_at__gte=since)
    waiting = Grant.objects.exclude(callback_sha256="").filter(agreed | ended)
    return waiting.exists() or Callback.objects.filter(status=CallbackStatus.OPEN).exists()


def _listen(ear: Ear, wait_seconds: int) -> None:
    door = gateway()
    for message in door.receive_messages(ear.hub, ear.queue, wait_seconds=wait_seconds):
        if _take(ear, message):
            door.delete_message(ear.hub, ear.queue, receipt_handle=message.receipt_handle)


def _take(ear: Ear, message: QueuedMessage) -> bool:
    """True once the message has left its mark and may go."""
    read = read_message(message.body, topics=ear.topics)
    if isinstance(read, Hint):
        return _deleted(read, message) if read.kind is Kind.DELETE else _told(read, message)
    _drop(message, read.reason)
    return True


@transaction.atomic(durable=True)
def _drop(message: QueuedMessage, reason: Reason) -> None:
    """Keep why a message was dropped, and of its text only the digest."""
    log.warning("a message of the hub's queue was dropped: %s", reason.value)
    now = clock.now()
    if DeadLetter.objects.filter(at__gte=now - dt.timedelta(hours=1)).count() >= MOST_DEAD_LETTERS:
        return
    raw = _raw(message)
    DeadLetter.objects.create(
        practice_id=tenancy.practice_id(),
        at=now,
        message_id=message.message_id[:100],
        reason=reason,
        size=len(raw),
        body_sha256=hashlib.sha256(raw).hexdigest(),
    )


def _raw(message: QueuedMessage) -> bytes:
    return message.body.encode("utf-8", "surrogatepass")


# ---------------------------------------------------------------- Create and Update


def _told(hint: Hint, message: QueuedMessage) -> bool:
    refusal = _keep(hint, message)
    if refusal is not None:
        _drop(message, refusal.reason)
    return True


@transaction.atomic(durable=True)
def _keep(hint: Hint, message: QueuedMessage) -> Refusal | None:
    """Write the hint down and look at once; nothing of it is believed."""
    grant = _grant_of(hint)
    if grant is None:
        return Refusal(reason=Reason.UNKNOWN_TOKEN)
    if (reason := _objection(grant, hint)) is not None:
        return Refusal(reason=reason)
    now = clock.now()
    told = _row(grant, hint, now)
    told.answer_by = _sent(message, now) + CALLBACK_ANSWER_WITHIN
    told.sealed_url = seal(PURPOSE, hint.response.url.encode(), bound_to=place_of(told))
    told.save()
    grant_record_within(
        AccessEvent.STACK_TOLD, grant, LISTENER, {"kind": hint.kind.value, "stack": str(hint.stack)}
    )
    due.schedule(ANSWER, told.pk, at=now, client_id=grant.client_id)
    return None


def _grant_of(hint: Hint) -> Grant | None:
    """The grant whose template held the token. Locked, so that a message that comes twice comes one after the other."""
    if hint.token is None:
        return None
    rows = Grant.objects.select_for_update(of=("self",)).select_related("engagement", "offer")
    return rows.filter(callback_sha256=fingerprint(hint.token)).first()


def _objection(grant: Grant, hint: Hint) -> Reason | None:
    """What speaks against a message with a token of ours. Another account does not: that is answered in words."""
    if hint.topic.region not in grant.offer.documents["topic_arns"]:
        return Reason.OTHER_REGION
    if hint.role is None or (hint.role.path, hint.role.name) != ("/", grant.role_name):
        return Reason.BAD_ROLE
    told = Callback.objects.filter(grant=grant)
    if told.filter(stack_id=str(hint.stack), request_id=hint.request_id).exists():
        return Reason.REPLAYED
    if grant.callback_stack not in ("", str(hint.stack)):
        return Reason.SPENT_TOKEN
    if told.filter(told_at__gte=clock.now() - GIVE_UP_AFTER).count() >= MOST_OF_A_GRANT:
        return Reason.TOO_MANY
    return None


def _row(grant: Grant, hint: Hint, now: dt.datetime) -> Callback:
    return Callback(
        practice_id=grant.practice_id,
        client_id=grant.client_id,
        grant=grant,
        kind=hint.kind,
        stack_id=str(hint.stack),
        request_id=hint.request_id,
        logical_id=hint.logical_id,
        # The same for the life of the resource: another one on Update would make CloudFormation send a Delete.
        physical_id=hint.physical_id or grant.role_name,
        told_at=now,
        answer_by=now,
    )


def _sent(message: QueuedMessage, now: dt.datetime) -> dt.datetime:
    """When CloudFormation began to wait, as far as the queue knows; never in the future."""
    return min(message.sent_at or now, now)


# ---------------------------------------------------------------- the answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the stack is told."""

    status: CallbackStatus
    reason: str


def stack_answer(*, callback_id: UUID) -> dt.datetime | None:
    """Look at the role and answer the stack once it is clear. Gives the moment of the next look, or None."""
    told = _unanswered(callback_id)
    if told is None:
        return None
    if told.status == CallbackStatus.OPEN:
        decision = _decide(told)
        if decision is None:
            return clock.now() + CALLBACK_LOOKS_EVERY
        told = _decided(told, decision)
    return _send(told)


def _unanswered(callback_id: UUID) -> Callback | None:
    rows = Callback.objects.select_related("grant__engagement", "grant__practice")
    return rows.filter(pk=callback_id, answered_at=None).first()


def _decide(told: Callback) -> Decision | None:
    """None while it is not clear yet and CloudFormation still waits."""
    grant, engagement = told.grant, told.grant.engagement
    agreed_account = engagement.account_id  # the grant's follows, as soon as a worker has turned it
    if agreed_account and StackId.parse(told.stack_id).account_id != agreed_account:
        return _no(
            "This stack is in another AWS account than the one that was agreed. Create it there instead."
        )
    if refusal := _too_early_or_late(engagement):
        return refusal
    if grant.account_id == agreed_account:  # else the message of the consent is still on its way
        grant_verify(grant_id=grant.pk)
    return _judged(told, Grant.objects.get(pk=grant.pk))


def _too_early_or_late(engagement: Engagement) -> Decision | None:
    if engagement.status in LOOKED_AT:
        return None
    if engagement.status == EngagementStatus.INVITED:
        return _no(
            "Nobody has agreed to this access yet. Agree in Latchkey first, then create the stack again."
        )
    return _no("This access has ended or was never agreed. Nothing is set up any more.")


def _judged(told: Callback, grant: Grant) -> Decision | None:
    now = clock.now()
    age, is_late = now - told.told_at, now >= told.answer_by
    is_fresh = grant.last_ok_at is not None and grant.last_ok_at >= told.told_at
    if grant.status == GrantStatus.VERIFIED and is_fresh:
        return Decision(status=CallbackStatus.GRANTED, reason="Latchkey has checked the role. Access is on.")
    if grant.status in (GrantStatus.ENDING, GrantStatus.GONE):
        return _no("This access has ended. Nothing is set up any more.")
    if grant.last_verdict == Verdict.UNKNOWN or not grant.last_verdict:
        return _no(COULD_NOT_CHECK) if is_late else None
    if grant.last_verdict == Verdict.DENIED:
        return _no(WAS_REFUSED) if is_late or age >= CALLBACK_DENIED_FOR else None
    if grant.status in BROKEN and (is_late or age >= CALLBACK_DOUBT_FOR):
        return _no(f"The role is not as agreed. {grant.problem}")
    return _no(COULD_NOT_CHECK) if is_late else None


COULD_NOT_CHECK: Final = (
    "Latchkey could not finish its check in time. Nothing is wrong with your account: create the stack again."
)
WAS_REFUSED: Final = (
    "AWS did not let Latchkey use the role, and gave no reason. Use the template unchanged, and try again."
)


def _no(reason: str) -> Decision:
    return Decision(status=CallbackStatus.REFUSED, reason=reason)


@transaction.atomic(durable=True)
def _decided(told: Callback, decision: Decision) -> Callback:
    """Written before it is sent: what is sent twice says the same."""
    rows = Callback.objects.filter(pk=told.pk, status=CallbackStatus.OPEN)
    if rows.update(status=decision.status, reason=decision.reason[:300]) == 1:
        if decision.status is CallbackStatus.GRANTED:
            Grant.objects.filter(pk=told.grant_id).update(callback_stack=told.stack_id)
        details = {"answer": decision.status.value, "reason": decision.reason[:300], "stack": told.stack_id}
        grant_record_within(AccessEvent.STACK_ANSWERED, told.grant, LISTENER, details)
    return Callback.objects.select_related("grant").get(pk=told.pk)


def _send(told: Callback) -> dt.datetime | None:
    try:
        answer_door().put(_address(told), _answer(told))
    except AwsTransient as error:
        if clock.now() < told.answer_by + GIVE_UP_AFTER:
            return clock.now() + CALLBACK_LOOKS_EVERY
        _close(told, f"{told.reason} (not delivered: {error.user_message})", lapsed=True)
    except (AwsRejected, AwsMisconfigured, BadAddress, Unreadable) as error:
        words = error.user_message if isinstance(error, AwsError) else "its address cannot be read any more"
        log.warning("a stack could not be answered: %s", words)
        _close(told, f"{told.reason} (not delivered: {words})", lapsed=True)
    else:
        _close(told, told.reason, lapsed=False)
    return None


def _address(told: Callback) -> ResponseAddress:
    """Judged anew: the rule may have become stricter since the row was written."""
    url = unseal(PURPOSE, bytes(told.sealed_url), bound_to=place_of(told)).decode()
    return response_address(url, stack=StackId.parse(told.stack_id), logical_id=told.logical_id)


def _answer(told: Callback) -> Answer:
    return Answer(
        succeeded=told.status == CallbackStatus.GRANTED,
        reason=told.reason,
        stack_id=told.stack_id,
        request_id=told.request_id,
        logical_id=told.logical_id,
        physical_id=told.physical_id,
    )


@transaction.atomic(durable=True)
def _close(told: Callback, reason: str, *, lapsed: bool) -> None:
    """Answered for good: the address, a secret, is forgotten."""
    status = CallbackStatus.LAPSED if lapsed else told.status
    Callback.objects.filter(pk=told.pk, answered_at=None).update(
        status=status, reason=reason[:300], answered_at=clock.now(), sealed_url=b""
    )


# ---------------------------------------------------------------- Delete


def _deleted(hint: Hint, message: QueuedMessage) -> bool:
    """Always answered with success, or the client could not delete the stack; never taken for the end of the access."""
    if _was_there(hint, message):
        _drop(message, Reason.REPLAYED)
        return True
    answer = Answer(
        succeeded=True,
        reason="Latchkey was told. It looks at the access once more by itself.",
        stack_id=str(hint.stack),
        request_id=hint.request_id,
        logical_id=hint.logical_id,
        physical_id=hint.physical_id,
    )
    try:
        answer_door().put(hint.response, answer)
    except AwsTransient:
        now = clock.now()
        if now - _sent(message, now) < GIVE_UP_AFTER:
            return False  # it comes back from the queue
    except (AwsRejected, AwsMisconfigured) as error:
        log.warning("a stack could not be answered: %s", error.user_message)
    if (reason := _look_again(hint)) is not None:
        _drop(message, reason)
    return True


def _was_there(hint: Hint, message: QueuedMessage) -> bool:
    told = Callback.objects.filter(stack_id=str(hint.stack), request_id=hint.request_id)
    digest = hashlib.sha256(_raw(message)).hexdigest()
    return told.exists() or DeadLetter.objects.filter(body_sha256=digest).exists()


@transaction.atomic(durable=True)
def _look_again(hint: Hint) -> Reason | None:
    """Nothing is believed but that it is time for a look."""
    grant = _grant_of(hint)
    if grant is None:
        return Reason.UNKNOWN_TOKEN
    if hint.stack.account_id != grant.account_id:
        return Reason.OTHER_ACCOUNT
    now = clock.now()
    told = _row(grant, hint, now)
    told.status, told.answered_at = CallbackStatus.GRANTED, now
    told.save()
    if grant.callback_stack == str(hint.stack):  # the same template may make a new one
        Grant.objects.filter(pk=grant.pk).update(callback_stack="")
    grant_record_within(
        AccessEvent.STACK_TOLD, grant, LISTENER, {"kind": hint.kind.value, "stack": str(hint.stack)}
    )
    if grant.status in WATCHED:
        due.schedule(CHECK, grant.pk, at=now + AFTER_A_DELETE, client_id=grant.client_id)
    elif grant.status == GrantStatus.ENDING:
        due.schedule(CLOSING, grant.pk, at=now + AFTER_A_DELETE, client_id=grant.client_id)
    return None
