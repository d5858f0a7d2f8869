"""All that one access key did, out of the account's own event history: every region, every page, at AWS's pace.

What could not be looked at is a gap, and is said: an empty history proves nothing by itself.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from awsaccess.aws.errors import AwsDenied, AwsError
from awsaccess.aws.gateway import AwsGateway, HistoryAsk, HistoryEvent, SessionCredentials
from awsaccess.aws.pace import Bucket

REQUESTS_A_SECOND: Final = 1.9  # AWS takes two, counted by its own clock
MOST_PAGES: Final = 20  # of 50 events in one region
SECONDS: Final = 55.0  # for all regions together: a task is stopped after 90
# Where what belongs to no region is written down (AWS_FACTS §13).
HOMES: Final = {"aws": "us-east-1", "aws-us-gov": "us-gov-west-1", "aws-cn": "cn-north-1"}
# On in every account. Those that a client switched on by choice are a gap.
ALWAYS_ON: Final = {
    "aws": (
        *("us-east-1", "us-east-2", "us-west-1", "us-west-2", "ca-central-1", "sa-east-1"),
        *("eu-west-1", "eu-west-2", "eu-west-3", "eu-central-1", "eu-north-1"),
        *("ap-south-1", "ap-northeast-1", "ap-northeast-2", "ap-northeast-3"),
        *("ap-southeast-1", "ap-southeast-2"),
    ),
    "aws-us-gov": ("us-gov-east-1", "us-gov-west-1"),
    "aws-cn": ("cn-north-1", "cn-northwest-1"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The events, oldest first. `unseen` are regions that gave no answer, `cut` those with more than was read.

    `is_denied`: no region at all let us look.
    """

    events: tuple[HistoryEvent, ...]
    unseen: tuple[str, ...] = ()
    cut: tuple[str, ...] = ()
    is_denied: bool = False


def regions_of(partition: str, *, first: str, only: str = "") -> tuple[str, ...]:
    """Where to look: the home of what has no region, `first` (the hub's), then the others; or `only` beside the home."""
    home = HOMES[partition]
    wanted = (only,) if only else (first, *ALWAYS_ON[partition])
    return tuple(dict.fromkeys((home, *wanted)))


def look(
    door: AwsGateway,
    credentials: SessionCredentials,
    *,
    regions: Iterable[str],
    access_key_id: str,
    since: dt.datetime,
    until: dt.datetime,
    now: Callable[[], float] = time.monotonic,
) -> Found:
    """Look everywhere, as long as there is time. Raises nothing of AWS's: what failed is a gap."""
    events: dict[str, HistoryEvent] = {}
    unseen, cut, denied, asked, ends = [], [], 0, 0, now() + SECONDS
    for region in regions:
        asked += 1
        if now() > ends:
            unseen.append(region)
            continue
        ask = HistoryAsk(region=region, access_key_id=access_key_id, since=since, until=until)
        try:
            found, is_whole = _pages(door, credentials, ask)
        except AwsError as error:
            denied += isinstance(error, AwsDenied)
            unseen.append(region)
            continue
        events |= {one.event_id: one for one in found}
        cut += [] if is_whole else [region]
    ordered = sorted(events.values(), key=lambda one: (one.at, one.event_id))
    return Found(events=tuple(ordered), unseen=tuple(unseen), cut=tuple(cut), is_denied=denied == asked)


def _pages(
    door: AwsGateway, credentials: SessionCredentials, ask: HistoryAsk
) -> tuple[list[HistoryEvent], bool]:
    """AWS counts requests by account and region, so each region has its own pace."""
    found: list[HistoryEvent] = []
    bucket, token = Bucket(REQUESTS_A_SECOND), ""
    for _ in range(MOST_PAGES):
        bucket.take()
        page = door.lookup_events(credentials, ask, next_token=token)
        found += page.events
        token = page.next_token
        if not token:
            return found, True
    return found, False
