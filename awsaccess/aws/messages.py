"""The addresses of a call-back: topic, queue and stack. Taken apart by strict patterns, rebuilt from their parts.

One topic per offered region, one queue for all of them (AWS_FACTS §4). A text that is not exactly what its parts
give back is refused.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, field
from typing import Final

from awsaccess.aws.arns import PARTITIONS, BadAddress, BadArn, partition_named

_PARTITION: Final = "|".join(PARTITIONS)
_REGION: Final = r"[a-z]{2}(?:-[a-z]{2,12}){1,3}-[0-9]"
TOPIC_ARN: Final = re.compile(
    rf"arn:(?P<partition>{_PARTITION}):sns:(?P<region>{_REGION}):(?P<account_id>[0-9]{{12}})"
    r":(?P<name>[A-Za-z0-9_-]{1,256})",
    re.ASCII,
)
QUEUE_URL: Final = re.compile(
    rf"https://sqs\.(?P<region>{_REGION})\.(?P<suffix>amazonaws\.com(?:\.cn)?)"
    r"/(?P<account_id>[0-9]{12})/(?P<name>[A-Za-z0-9_-]{1,80})",
    re.ASCII,
)
STACK_ID: Final = re.compile(
    rf"arn:(?P<partition>{_PARTITION}):cloudformation:(?P<region>{_REGION}):(?P<account_id>[0-9]{{12}})"
    r":stack/(?P<name>[A-Za-z][A-Za-z0-9-]{0,127})/(?P<guid>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})",
    re.ASCII,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicArn:
    """A topic of the hub: what a stack of that region reports to."""

    partition: str
    region: str
    account_id: str
    name: str

    @classmethod
    def parse(cls, text: str) -> TopicArn:
        """Raises BadArn for anything but one standard topic of a partition and region that are offered."""
        found = TOPIC_ARN.fullmatch(text)
        if found is None:
            raise BadArn("not the ARN of a topic")
        _check_region(found["partition"], found["region"])
        return cls(**found.groupdict())

    def __str__(self) -> str:
        return f"arn:{self.partition}:sns:{self.region}:{self.account_id}:{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueAddress:
    """The hub's queue, in which the messages of all its topics are collected."""

    partition: str
    region: str
    account_id: str
    name: str

    @classmethod
    def parse(cls, text: str) -> QueueAddress:
        """From AWS's own address of a queue. Raises BadAddress."""
        found = QUEUE_URL.fullmatch(text)
        if found is None:
            raise BadAddress("not the address of a queue")
        for world in PARTITIONS.values():
            if world.api_suffix == found["suffix"] and world.regions.fullmatch(found["region"]):
                return cls(
                    partition=world.name,
                    region=found["region"],
                    account_id=found["account_id"],
                    name=found["name"],
                )
        raise BadAddress("not the address of a queue in a region that is offered")

    def __str__(self) -> str:
        suffix = PARTITIONS[self.partition].api_suffix
        return f"https://sqs.{self.region}.{suffix}/{self.account_id}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StackId:
    """A stack in a client's account. Part of a message, and so a claim."""

    partition: str
    region: str
    account_id: str
    name: str
    guid: str

    @classmethod
    def parse(cls, text: str) -> StackId:
        """Raises BadArn for what is no stack of a partition and region that are offered."""
        found = STACK_ID.fullmatch(text)
        if found is None:
            raise BadArn("not the id of a stack")
        _check_region(found["partition"], found["region"])
        return cls(**found.groupdict())

    def __str__(self) -> str:
        return f"arn:{self.partition}:cloudformation:{self.region}:{self.account_id}:stack/{self.name}/{self.guid}"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedMessage:
    """A message as it lay in the queue: whatever anybody published. `sent_at` is AWS's own, None if it gave none."""

    message_id: str
    receipt_handle: str = field(repr=False)
    body: str = field(repr=False)
    sent_at: dt.datetime | None


def _check_region(partition: str, region: str) -> None:
    try:
        partition_named(partition).check_region(region)
    except BadAddress:
        raise BadArn("not in a region that is offered") from None
