"""A practice's own AWS side, set up once by an owner and changed rarely."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, TypeVar
from uuid import UUID

from django.db import transaction

from accounts.models import Practice
from awsaccess.aws import arns
from awsaccess.aws.errors import AwsDenied, AwsError
from awsaccess.aws.gateway import AssumeRequest, AwsGateway, HubIdentity
from awsaccess.aws.messages import QueueAddress, TopicArn
from awsaccess.door import gateway, hub_identity
from awsaccess.lifecycle import HUB_LOOKS_EVERY, AccessEvent
from awsaccess.models import Hub
from awsaccess.provision.naming import LOOK as NAME_OF_A_LOOK
from portal.kernel import audit, clock, due
from portal.kernel.actor import Actor, machine
from portal.kernel.errors import InvalidMove, PortalError, Unavailable

LISTEN: Final = "hub.listen"
LOOK: Final = "hub.look"
LOOKER: Final = machine("watch")
MOST_TOPICS: Final = 20
BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", re.ASCII)


NO_CONTROL: Final = (
    "The hub role opens, but the control role latchkey-control did not let it in. Make that role with"
    " “manage.py hub_stack”, and let the hub role enter roles named latchkey-*"
)
NO_ASKING: Final = "The control role is there, but may not ask for roles. Let it enter roles named latchkey-*, itself among them"
NO_QUEUE: Final = (
    "The roles are well, but the call-back queue cannot be read. Give the hub role sqs:ReceiveMessage and"
    " sqs:DeleteMessage on it"
)
Answer = TypeVar("Answer")


class HubFails(Unavailable):
    """Raised when AWS does not let the hub do what the portal needs, with the next step."""

    code = "hub-fails"
    title = "The AWS set-up does not work"


class BadHub(PortalError):
    """Raised for a hub that AWS could not have, naming what is wrong."""

    code = "bad-hub"
    title = "That hub can't work"


@transaction.atomic(durable=True)
def hub_set_up(
    *,
    practice: Practice,
    role_arn: str,
    region: str,
    template_bucket: str,
    queue_url: str = "",
    topic_arns: Sequence[str] = (),
    actor: Actor,
) -> Hub:
    """Write down the hub role, its region and bucket; account and partition are read off the role's ARN.

    With queue and topics the clients' stacks report by call-back; without them the portal looks for the roles itself.
    Offers that were sent keep the hub they were frozen with. Raises BadHub.
    """
    role = _role(role_arn)
    try:
        arns.partition_named(role.partition).check_region(region)
    except arns.BadAddress as error:
        raise BadHub(f"The region is {error}.") from None
    if not BUCKET.fullmatch(template_bucket):
        raise BadHub("A bucket's name has 3 to 63 small letters, digits and hyphens.")
    topics = topics_of(topic_arns, role)
    facts = {
        "partition": role.partition,
        "account_id": role.account_id,
        "role_arn": str(role),
        "region": region,
        "template_bucket": template_bucket,
        "queue_url": queue_of(queue_url, role),
    }
    if bool(facts["queue_url"]) is not bool(topics):
        raise BadHub("A call-back needs both a queue and at least one topic. Leave both empty to do without.")
    before = Hub.objects.filter(practice=practice).first()
    if before is None or before.role_arn != facts["role_arn"]:
        facts |= {"role_id": ""}  # another role, with an id of its own
    told = {name: value for name, value in facts.items() if name != "role_id"}
    hub, _made = Hub.objects.update_or_create(practice=practice, defaults={**facts, "topic_arns": topics})
    told |= {"topic_arns": " ".join(topics.values())}
    audit.record(AccessEvent.HUB_SET_UP, subject=hub, actor=actor, details=told)
    # Also without a queue now: stacks of earlier offers report to the one they were made with.
    due.schedule(LISTEN, hub.pk, at=clock.now())
    due.schedule(LOOK, hub.pk, at=clock.now())
    return hub


def hub_look(*, hub_id: UUID) -> dt.datetime | None:
    """Ask AWS which hub role answers, and tell a role that was made anew under its name. Gives the next moment.

    A fault of AWS or of our set-up tells nothing of the role, and is shown by the checks.
    """
    hub = Hub.objects.select_related("practice").filter(pk=hub_id).first()
    if hub is None:
        return None
    with suppress(AwsError):
        _hub_seen(hub, gateway().own_identity(hub_identity(hub)).user_id.partition(":")[0])
    return clock.now() + HUB_LOOKS_EVERY


@transaction.atomic(durable=True)
def _hub_seen(hub: Hub, role_id: str) -> None:
    """By compare and swap on the role that was asked for, so that a hub that was changed meanwhile keeps its own."""
    rows = Hub.objects.filter(pk=hub.pk, role_arn=hub.role_arn, role_id=hub.role_id)
    if role_id == hub.role_id or not role_id:
        return
    if not hub.role_id:
        rows.update(role_id=role_id)
    elif rows.update(role_id=role_id, remade_at=clock.now()) == 1:
        details = {"role_id": role_id, "before": hub.role_id}
        audit.record(AccessEvent.HUB_ROLE_MADE_ANEW, subject=hub, actor=LOOKER, details=details)


@transaction.atomic(durable=True)
def hub_role_accept(*, hub: Hub, actor: Actor) -> None:
    """An owner says that they made the role anew. Raises InvalidMove where that was said already."""
    if Hub.objects.filter(pk=hub.pk).exclude(remade_at=None).update(remade_at=None) != 1:
        raise InvalidMove
    audit.record(AccessEvent.HUB_ROLE_ACCEPTED, subject=hub, actor=actor, details={"role_id": hub.role_id})


def hub_try(hub: Hub) -> tuple[str, ...]:
    """Whether the hub can do all that the portal does with it, one sentence for each thing that AWS confirmed.

    Asks AWS, touches no client and changes nothing. Raises HubFails, with what failed and the next step.
    """
    ours, door = hub_identity(hub), gateway()
    own = _tried("The hub role does not open for the portal", lambda: door.own_identity(ours))
    told = [f"The hub role opens: AWS says we are {own.arn}."]
    _tried(NO_CONTROL, lambda: door.control(ours))
    told.append("It may enter roles: the control role let it in.")
    _tried(NO_ASKING, lambda: _ask_as_control(door, ours))
    told.append("The control role may ask for roles, so it can be tested that others are kept out.")
    if hub.queue_url:
        _tried(NO_QUEUE, lambda: door.try_queue(ours, QueueAddress.parse(hub.queue_url)))
        told.append("The call-back queue can be read.")
    return tuple(told)


def _ask_as_control(door: AwsGateway, ours: HubIdentity) -> None:
    """For the role that is there for sure. Whether it says yes is no matter: it was asked."""
    request = AssumeRequest(
        role_arn=ours.control_role_arn,
        external_id=None,
        role_session_name=NAME_OF_A_LOOK,
        duration_seconds=900,
        source_identity=NAME_OF_A_LOOK,
    )
    with suppress(AwsDenied):
        door.assume_as_another(ours, request)


def _tried(otherwise: str, ask: Callable[[], Answer]) -> Answer:
    try:
        return ask()
    except AwsError as error:
        raise HubFails(f"{otherwise}. {error.user_message}") from None


def queue_of(text: str, role: arns.RoleArn) -> str:
    """The address of the hub's queue, rebuilt; empty for none. Raises BadHub."""
    if not text.strip():
        return ""
    try:
        queue = QueueAddress.parse(text.strip())
    except arns.BadAddress:
        raise BadHub(
            "That is not the address of a queue: it looks like"
            " https://sqs.eu-west-1.amazonaws.com/111111111111/latchkey-callback."
        ) from None
    if (queue.partition, queue.account_id) != (role.partition, role.account_id):
        raise BadHub("The queue lies in another account than the hub role.")
    return str(queue)


def topics_of(texts: Sequence[str], role: arns.RoleArn) -> dict[str, str]:
    """By region, because a stack can report to a topic of its own region only. Raises BadHub."""
    try:
        topics = [TopicArn.parse(text.strip()) for text in texts if text.strip()]
    except arns.BadArn:
        raise BadHub(
            "That is not the ARN of a topic: it looks like arn:aws:sns:eu-west-1:111111111111:latchkey-callback."
        ) from None
    if any((topic.partition, topic.account_id) != (role.partition, role.account_id) for topic in topics):
        raise BadHub("A topic lies in another account than the hub role.")
    by_region = {topic.region: str(topic) for topic in topics}
    if len(by_region) != len(topics) or len(topics) > MOST_TOPICS:
        raise BadHub(f"Each region has one topic, and there are at most {MOST_TOPICS}.")
    return by_region


def _role(text: str) -> arns.RoleArn:
    try:
        return arns.RoleArn.parse(text.strip())
    except arns.BadArn:
        raise BadHub(
            "That is not the ARN of a role: it looks like arn:aws:iam::111111111111:role/latchkey-hub."
        ) from None
