"""How fast AWS is asked: a bucket of tokens per hub, which a throttle slows down. Our own limit, so that AWS needs none.

Standard retries alone left three of four roles falsely failed under a throttle; a bucket before them none.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from awsaccess.aws.errors import THROTTLES, AwsMisconfigured, AwsTransient
from awsaccess.aws.gateway import (
    AssumeRequest,
    AwsGateway,
    CallerIdentity,
    HistoryAsk,
    HistoryPage,
    HubIdentity,
    RoleFacts,
    SessionCredentials,
)
from awsaccess.aws.messages import QueueAddress, QueuedMessage

BURST_SECONDS: Final = 0.1  # how much may be asked at once after a rest
SLOWEST: Final = 1 / 64  # of the full speed, under throttle after throttle
RECOVERY_SECONDS: Final = 60.0  # from a standstill back to full speed


def _pause(seconds: float) -> None:
    threading.Event().wait(seconds)


class Bucket:
    """Lets `rate` calls a second through, from whichever threads. `take` waits for its turn."""

    def __init__(
        self,
        rate: float,
        *,
        now: Callable[[], float] = time.monotonic,
        pause: Callable[[float], object] = _pause,
    ) -> None:
        self._full = self._rate = rate
        self._now, self._pause = now, pause
        self._next = self._changed = now()
        self._lock = threading.Lock()

    @property
    def rate(self) -> float:
        """Calls a second at this moment."""
        return self._rate

    def take(self) -> None:
        """Wait until one more call is within the rate."""
        with self._lock:
            now = self._now()
            self._recover(now)
            turn = max(self._next, now - BURST_SECONDS)
            self._next = turn + 1 / self._rate
        if turn > now:
            self._pause(turn - now)

    def slow_down(self) -> None:
        """AWS throttled: half the speed from now on, and back to the full one within a minute if it stays quiet."""
        with self._lock:
            now = self._now()
            # Of many calls that were throttled together only the first says something new.
            if self._rate < self._full and now - self._changed < 1:
                return
            self._rate, self._changed = max(self._full * SLOWEST, self._rate / 2), now
            self._next = max(self._next, now + 1 / self._rate)

    def _recover(self, now: float) -> None:
        if self._rate < self._full and now - self._changed >= 1:
            gained = (now - self._changed) * self._full / RECOVERY_SECONDS
            self._rate, self._changed = min(self._full, self._rate + gained), now


class Paces:
    """The buckets of one process, one for each hub: a practice's quota is its own account's."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._buckets: dict[tuple[str, str], Bucket] = {}
        self._lock = threading.Lock()

    def of(self, hub: HubIdentity) -> Bucket:
        """AWS counts by account and region."""
        with self._lock:
            key = (hub.account_id, hub.region)
            if key not in self._buckets:
                self._buckets[key] = Bucket(self._rate)
            return self._buckets[key]


class PacedGateway:
    """The door for one batch of checks. Calls of the hubs wait for their buckets; others pass.

    Who we are is asked once per hub and batch, and a hub that proved broken is not asked again in it.
    """

    def __init__(self, inner: AwsGateway, paces: Paces) -> None:
        self._inner, self._paces = inner, paces
        self._own: dict[HubIdentity, CallerIdentity] = {}
        self._broken: dict[HubIdentity, AwsMisconfigured] = {}
        self._locks: dict[HubIdentity, threading.Lock] = {}
        self._lock = threading.Lock()

    def own_identity(self, hub: HubIdentity) -> CallerIdentity:
        with self._lock:
            lock = self._locks.setdefault(hub, threading.Lock())
        with lock:
            if hub not in self._own:
                with self._asked(hub):
                    self._own[hub] = self._inner.own_identity(hub)
            return self._own[hub]

    def assume(self, hub: HubIdentity, request: AssumeRequest) -> SessionCredentials:
        with self._asked(hub):
            return self._inner.assume(hub, request)

    def control(self, hub: HubIdentity) -> None:
        with self._asked(hub):
            self._inner.control(hub)

    def assume_as_another(self, hub: HubIdentity, request: AssumeRequest) -> SessionCredentials:
        with self._asked(hub):
            return self._inner.assume_as_another(hub, request)

    def caller_identity(self, credentials: SessionCredentials, region: str) -> CallerIdentity:
        return self._inner.caller_identity(credentials, region)

    def inspect_role(self, credentials: SessionCredentials, *, role_name: str, region: str) -> RoleFacts:
        return self._inner.inspect_role(credentials, role_name=role_name, region=region)

    def upload_template(self, hub: HubIdentity, *, key: str, body: bytes) -> str:
        return self._inner.upload_template(hub, key=key, body=body)

    def receive_messages(
        self, hub: HubIdentity, queue: QueueAddress, *, wait_seconds: int
    ) -> tuple[QueuedMessage, ...]:
        return self._inner.receive_messages(hub, queue, wait_seconds=wait_seconds)

    def try_queue(self, hub: HubIdentity, queue: QueueAddress) -> None:
        self._inner.try_queue(hub, queue)

    def delete_message(self, hub: HubIdentity, queue: QueueAddress, *, receipt_handle: str) -> None:
        self._inner.delete_message(hub, queue, receipt_handle=receipt_handle)

    def lookup_events(
        self, credentials: SessionCredentials, ask: HistoryAsk, *, next_token: str = ""
    ) -> HistoryPage:
        return self._inner.lookup_events(credentials, ask, next_token=next_token)

    def signin_token(self, credentials: SessionCredentials, *, region: str, partition: str) -> str:
        return self._inner.signin_token(credentials, region=region, partition=partition)

    @contextmanager
    def _asked(self, hub: HubIdentity) -> Iterator[None]:
        if hub in self._broken:
            raise AwsMisconfigured(code=self._broken[hub].code)
        bucket = self._paces.of(hub)
        bucket.take()
        try:
            yield
        except AwsTransient as error:
            if error.code in THROTTLES:
                bucket.slow_down()
            raise
        except AwsMisconfigured as error:
            self._broken[hub] = error
            raise
