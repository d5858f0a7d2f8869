"""Never faster than the bucket lets through, slower under throttles, and one broken hub holds up no other."""

from __future__ import annotations

import threading

import pytest

from awsaccess.aws.errors import AwsDenied, AwsMisconfigured, AwsTransient
from awsaccess.aws.fake import FakeAwsGateway
from awsaccess.aws.gateway import AssumeRequest, HubIdentity
from awsaccess.aws.messages import QueueAddress
from awsaccess.aws.pace import Bucket, PacedGateway, Paces


class Clock:
    """A clock that goes on by the pauses alone."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._lock = threading.Lock()

    def __call__(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        with self._lock:
            self.now += seconds


def hub(account_id: str = "111111111111") -> HubIdentity:
    return HubIdentity(
        practice_code="northgate",
        account_id=account_id,
        role_arn=f"arn:aws:iam::{account_id}:role/latchkey-hub",
        region="eu-west-1",
        template_bucket="latchkey-templates",
    )


REQUEST = AssumeRequest(
    role_arn="arn:aws:iam::441709265583:role/latchkey-x",
    external_id=None,
    role_session_name="latchkey-check",
    duration_seconds=900,
)


def test_a_second_lets_as_many_through_as_the_rate() -> None:
    clock = Clock()
    bucket, began = Bucket(100, now=clock, pause=clock.pause), clock.now
    for _ in range(300):
        bucket.take()
    assert 2.9 < clock.now - began <= 3.0


def test_after_a_rest_only_a_little_comes_at_once() -> None:
    clock = Clock()
    bucket = Bucket(100, now=clock, pause=clock.pause)
    clock.now += 3600
    began, at_once = clock.now, 0
    while clock.now == began:
        bucket.take()
        at_once += 1
    assert at_once <= 12


def test_a_throttle_halves_the_rate_once_for_all_that_were_throttled_together_and_it_recovers() -> None:
    clock = Clock()
    bucket = Bucket(64, now=clock, pause=clock.pause)
    for _ in range(10):
        bucket.slow_down()
    assert bucket.rate == 32
    for _ in range(20):
        clock.now += 1
        bucket.slow_down()
    assert bucket.rate == 1
    clock.now += 61
    bucket.take()
    assert bucket.rate == 64


def test_a_hub_has_its_own_bucket_and_keeps_it() -> None:
    paces = Paces(10)
    assert paces.of(hub()) is paces.of(hub())
    assert paces.of(hub()) is not paces.of(hub("999999999999"))


def test_who_we_are_is_asked_once_in_a_batch() -> None:
    fake = FakeAwsGateway(hub())
    door = PacedGateway(fake, Paces(1000))
    assert door.own_identity(hub()) == door.own_identity(hub())
    assert [call.method for call in fake.calls] == ["own_identity"]


def test_a_throttle_slows_the_bucket_and_another_fault_does_not() -> None:
    fake, paces = FakeAwsGateway(hub()), Paces(1000)
    door = PacedGateway(fake, paces)
    for error, rate in (
        (AwsTransient(code="ServiceUnavailable"), 1000),
        (AwsTransient(code="Throttling"), 500),
    ):
        fake.fail("assume", error, times=1)
        with pytest.raises(AwsTransient):
            door.assume(hub(), REQUEST)
        assert paces.of(hub()).rate == rate


def test_a_broken_hub_is_not_asked_again_in_its_batch_and_others_are() -> None:
    ours, theirs = hub(), hub("999999999999")
    fake = FakeAwsGateway(ours, theirs)
    fake.powerless.add(ours.role_arn)
    door = PacedGateway(fake, Paces(1000))
    with pytest.raises(AwsDenied):
        door.assume(ours, REQUEST)
    with pytest.raises(AwsMisconfigured):
        door.control(ours)
    asked = len(fake.calls)
    for refused in (door.assume, door.assume_as_another):
        with pytest.raises(AwsMisconfigured):
            refused(ours, REQUEST)
    assert len(fake.calls) == asked
    door.control(theirs)
    with pytest.raises(AwsDenied):
        door.assume_as_another(theirs, REQUEST)


def test_what_is_no_business_of_the_pace_passes() -> None:
    ours = hub()
    fake = FakeAwsGateway(ours)
    door = PacedGateway(fake, Paces(1000))
    assert door.upload_template(ours, key="k", body=b"{}")
    queue = QueueAddress.parse("https://sqs.eu-west-1.amazonaws.com/111111111111/latchkey-callback")
    message = fake.publish(str(queue), "{}")
    door.try_queue(ours, queue)
    assert door.receive_messages(ours, queue, wait_seconds=1) == (message,)
    door.delete_message(ours, queue, receipt_handle=message.receipt_handle)
    assert door.receive_messages(ours, queue, wait_seconds=1) == ()
