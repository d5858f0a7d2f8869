"""The queue is read, the hint kept, the role checked, the stack answered: each way that can go."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Final

import pytest

from awsaccess.aws.errors import AwsMisconfigured, AwsRejected, AwsTransient
from awsaccess.callback import Reason
from awsaccess.lifecycle import (
    CALLBACK_ANSWER_WITHIN,
    CALLBACK_DENIED_FOR,
    CALLBACK_DOUBT_FOR,
    CALLBACK_LOOKS_EVERY,
    CALLBACK_MOVES,
    CALLBACK_TIMEOUT,
    AccessEvent,
    CallbackStatus,
    GrantStatus,
)
from awsaccess.models import Callback, Grant, Hub
from awsaccess.provision.access_stack import CALLBACK_SECONDS
from awsaccess.services import callbacks as service
from awsaccess.services.callbacks import ANSWER, hub_listen, listen_soon, stack_answer
from awsaccess.services.hubs import LISTEN
from awsaccess.services.leaving import CLOSING
from engagements.lifecycle import EngagementStatus
from portal.kernel import clock, due, tenancy
from tests.awsaccess.callbacks import scene
from tests.awsaccess.callbacks.scene import Spy, stack_id
from tests.awsaccess.services.cast import (
    Case,
    agreed,
    begin_closing,
    check,
    end_by_client,
    make_practice,
    sent,
    watched,
)
from tests.awsaccess.services.worlds import InMemory
from tests.factories import Firm
from tests.plugins.sandbox_process import STRANGER

pytestmark = pytest.mark.usefixtures("db")
LATE: Final = CALLBACK_ANSWER_WITHIN + dt.timedelta(seconds=1)


def told_once(memory: InMemory, case: Case, kind: str = "Create") -> Callback:
    scene.tell(memory, case, scene.genuine(case, kind))
    (told,) = scene.callbacks(case)
    return told


def widen(memory: InMemory, case: Case) -> None:
    memory.deploy(case)
    memory.widen(case)


def answered_later(case: Case, after: dt.timedelta) -> None:
    with clock.frozen(clock.now() + after):
        assert scene.answer(case) == [None]


def the_answer(spy: Spy) -> tuple[bool, str]:
    ((_, answer),) = spy.sent
    return answer.succeeded, answer.reason


# ---------------------------------------------------------------- Create


def test_a_report_is_written_down_and_answered_after_a_check(north: Firm, memory: InMemory, spy: Spy) -> None:
    case = scene.expected(north)
    memory.deploy(case)
    told = told_once(memory, case)
    assert str(told) == "Create, open"
    assert scene.planned(case, told)
    assert spy.sent == []
    assert b"Signature" not in bytes(told.sealed_url)
    assert case.grant().status == GrantStatus.EXPECTED  # nothing is believed
    assert scene.answer(case) == [None]
    ((address, answer),) = spy.sent
    assert address.url == scene.response_url(stack_id())
    assert (answer.succeeded, answer.stack_id, answer.request_id, answer.logical_id, answer.physical_id) == (
        True,
        stack_id(),
        scene.REQUEST,
        scene.LOGICAL,
        case.grant().role_name,
    )
    assert case.fresh().status == EngagementStatus.ACTIVE
    (told,) = scene.callbacks(case)
    assert (told.status, bytes(told.sealed_url), bool(told.answered_at)) == ("granted", b"", True)
    record = dict(case.told())
    assert record[AccessEvent.STACK_TOLD] == {"kind": "Create", "stack": stack_id()}
    assert record[AccessEvent.STACK_ANSWERED]["answer"] == "granted"
    with tenancy.use(north.practice_side):
        assert stack_answer(callback_id=told.pk) is None


def test_an_update_keeps_the_physical_id_of_the_request(north: Firm, memory: InMemory, spy: Spy) -> None:
    case = scene.expected(north)
    memory.deploy(case)
    told_once(memory, case, "Update")
    scene.answer(case)
    assert spy.sent[0][1].physical_id == "latchkey-lk"


def test_a_role_that_refuses_is_waited_for_and_then_the_stack_is_told_no(
    north: Firm, memory: InMemory, spy: Spy
) -> None:
    case = scene.expected(north)
    told_once(memory, case)
    now = clock.now()
    (again,) = scene.answer(case)
    assert again is not None
    assert again >= now + CALLBACK_LOOKS_EVERY
    assert spy.sent == []
    answered_later(case, CALLBACK_DENIED_FOR)
    succeeded, words = the_answer(spy)
    assert (succeeded, "did not let Latchkey use the role" in words) == (False, True)
    assert case.grant().status == GrantStatus.EXPECTED


def test_a_role_that_is_wider_is_doubted_for_a_while_and_then_refused(
    north: Firm, memory: InMemory, spy: Spy
) -> None:
    case = scene.expected(north)
    widen(memory, case)
    told_once(memory, case)
    assert scene.answer(case) != [None]
    answered_later(case, CALLBACK_DOUBT_FOR)
    succeeded, words = the_answer(spy)
    assert not succeeded
    assert words.startswith("The role is not as agreed. ")
    assert case.grant().problem in words


@pytest.mark.parametrize("error", [AwsTransient(), AwsMisconfigured()])
def test_what_could_not_be_asked_is_nobodys_fault(
    error: Exception, north: Firm, memory: InMemory, spy: Spy
) -> None:
    case = scene.expected(north)
    memory.deploy(case)
    memory.fake.fail("assume", error)  # type: ignore[arg-type]  # both are AwsError
    told_once(memory, case)
    assert scene.answer(case) != [None]
    answered_later(case, LATE)
    assert the_answer(spy) == (False, service.COULD_NOT_CHECK)
    assert case.grant().status == GrantStatus.EXPECTED


def test_an_access_that_was_on_is_checked_anew_before_the_answer(
    north: Firm, memory: InMemory, spy: Spy, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = scene.expected(north)
    memory.deploy(case)
    check(case)
    told_once(memory, case, "Update")
    monkeypatch.setattr(service, "grant_verify", lambda **_: None)  # somebody else's check came first
    assert scene.answer(case) != [None]
    answered_later(case, LATE)
    assert the_answer(spy) == (False, service.COULD_NOT_CHECK)


def test_another_account_is_told_so_at_once_without_the_agreed_one(
    north: Firm, memory: InMemory, spy: Spy
) -> None:
    case = scene.expected(north)
    other = case.grant().role_arn.replace(case.account_id, STRANGER)
    body = scene.genuine(case, StackId=stack_id(STRANGER), properties={"RoleArn": other})
    scene.tell(memory, case, body)
    before = len(memory.fake.calls)
    assert scene.answer(case) == [None]
    succeeded, words = the_answer(spy)
    assert (succeeded, "another AWS account" in words, case.account_id in words) == (False, True, False)
    assert [call for call in memory.fake.calls[before:] if call.method == "assume"] == []


def test_before_anybody_agreed_the_stack_is_told_to_wait(north: Firm, memory: InMemory, spy: Spy) -> None:
    scene.set_up(north)
    case = sent(north)
    told_once(memory, case)
    assert scene.answer(case) == [None]
    assert "Nobody has agreed" in the_answer(spy)[1]
    assert memory.door.counts["assume"] == 0


def test_while_the_consent_is_on_its_way_the_stack_waits(north: Firm, memory: InMemory, spy: Spy) -> None:
    scene.set_up(north)
    case = agreed(north)
    body = scene.genuine(case)
    with tenancy.use(north.practice_side):
        Grant.objects.update(account_id="")
    scene.tell(memory, case, body)
    assert scene.answer(case) != [None]
    assert spy.sent == []
    assert memory.door.counts["assume"] == 0


def test_after_the_end_the_stack_is_told_that_it_is_over(north: Firm, memory: InMemory, spy: Spy) -> None:
    case = scene.expected(north)
    told_once(memory, case)
    end_by_client(case)
    assert scene.answer(case) == [None]
    assert "has ended" in the_answer(spy)[1]


def test_an_ending_that_comes_during_the_check_counts(
    north: Firm, memory: InMemory, spy: Spy, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = scene.expected(north)
    told_once(memory, case)

    def end(**_grant: object) -> None:
        Grant.objects.update(status=GrantStatus.ENDING)

    monkeypatch.setattr(service, "grant_verify", end)
    assert scene.answer(case) == [None]
    assert "has ended" in the_answer(spy)[1]


def test_a_topic_that_the_hub_got_later_is_of_no_use_to_an_earlier_offer(
    north: Firm, memory: InMemory, spy: Spy
) -> None:
    case = scene.expected(north)
    later = scene.TOPIC.replace("eu-west-1", "eu-central-1")
    scene.set_up(north, topic_arns=[scene.TOPIC, later])
    body = scene.envelope(
        scene.request(
            scene.token_of(case),
            case.grant().role_arn,
            StackId=stack_id(region="eu-central-1"),
            ResponseURL=scene.response_url(
                stack_id(region="eu-central-1"),
                host="cloudformation-custom-resource-response-eucentral1.s3.eu-central-1.amazonaws.com",
            ),
        ),
        TopicArn=later,
    )
    scene.tell(memory, case, body)
    assert [letter.reason for letter in scene.dead(case)] == [Reason.OTHER_REGION]
    assert spy.sent == []


def test_two_workers_decide_once(north: Firm, memory: InMemory, spy: Spy) -> None:
    case = scene.expected(north)
    told = told_once(memory, case)
    with tenancy.use(north.practice_side):
        other = service.Decision(status=CallbackStatus.REFUSED, reason="first")
        service._decided(told, other)
        late = service._decided(told, service.Decision(status=CallbackStatus.GRANTED, reason="second"))
    assert (late.status, late.reason) == ("refused", "first")
    assert case.grant().callback_stack == ""
    assert case.kinds().count(AccessEvent.STACK_ANSWERED) == 1


# ---------------------------------------------------------------- the way out fails


def test_an_answer_that_does_not_get_through_is_sent_again_and_says_the_same(
    north: Firm, memory: InMemory, spy: Spy
) -> None:
    case = scene.expected(north)
    memory.deploy(case)
    told_once(memory, case)
    spy.fails.append(AwsTransient())
    assert scene.answer(case) != [None]
    memory.remove(case)  # what is decided is decided
    assert scene.answer(case) == [None]
    assert the_answer(spy)[0]


def lapsed(case: Case) -> str:
    (told,) = scene.callbacks(case)
    assert (told.status, bytes(told.sealed_url)) == (CallbackStatus.LAPSED, b"")
    return told.reason


def test_it_is_not_tried_for_ever(north: Firm, memory: InMemory, spy: Spy) -> None:
    case = scene.expected(north)
    memory.deploy(case)
    told_once(memory, case)
    spy.fails.extend([AwsTransient(), AwsTransient()])
    scene.answer(case)
    answered_later(case, LATE + service.GIVE_UP_AFTER)
    assert "not delivered" in lapsed(case)


@pytest.mark.parametrize("error", [AwsRejected("waits no more"), AwsMisconfigured("leads inside")])
def test_a_refused_answer_is_kept_with_why(
    error: AwsRejected | AwsMisconfigured, north: Firm, memory: InMemory, spy: Spy
) -> None:
    case = scene.expected(north)
    memory.deploy(case)
    told_once(memory, case)
    spy.fails.append(error)
    assert scene.answer(case) == [None]
    assert error.user_message in lapsed(case)
    assert case.grant().status == GrantStatus.VERIFIED  # the access does not depend on it


def test_an_address_that_was_sealed_under_a_lost_key_is_given_up(
    north: Firm, memory: InMemory, spy: Spy
) -> None:
    case = scene.expected(north)
    memory.deploy(case)
    told_once(memory, case)
    with tenancy.use(north.practice_side):
        Callback.objects.update(sealed_url=b"lost")
    assert scene.answer(case) == [None]
    assert "cannot be read any more" in lapsed(case)


# ---------------------------------------------------------------- Delete


def deleted(memory: InMemory, case: Case, **changes: object) -> None:
    scene.tell(memory, case, scene.genuine(case, "Delete", **{"RequestId": "d" * 36, **changes}))


def test_a_deletion_is_answered_and_only_looked_into(north: Firm, memory: InMemory, spy: Spy) -> None:
    case = scene.expected(north)
    memory.deploy(case)
    check(case)
    before = clock.now()
    deleted(memory, case)
    assert the_answer(spy)[0]
    assert spy.sent[0][1].physical_id == "latchkey-lk"
    assert case.grant().status == GrantStatus.VERIFIED
    assert before < case.next_check() <= clock.now() + service.AFTER_A_DELETE
    (told,) = scene.callbacks(case)
    assert (told.kind, told.status) == ("Delete", "granted")
    deleted(memory, case)
    assert len(spy.sent) == 1
    assert [letter.reason for letter in scene.dead(case)] == [Reason.REPLAYED]


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        ({"Token": "x" * 32}, Reason.UNKNOWN_TOKEN),
        ({"Token": None}, Reason.UNKNOWN_TOKEN),
        ({"RoleArn": None, "Token": "no token"}, Reason.UNKNOWN_TOKEN),
    ],
)
def test_a_deletion_that_nobody_knows_is_answered_all_the_same_and_once(
    properties: dict[str, object], reason: Reason, north: Firm, memory: InMemory, spy: Spy
) -> None:
    case = scene.expected(north)
    before = scene.state(case)
    for _ in range(3):
        deleted(memory, case, properties=properties)
    assert the_answer(spy)[0]
    assert [letter.reason for letter in scene.dead(case)] == [reason, Reason.REPLAYED, Reason.REPLAYED]
    assert scene.state(case) == before


def test_a_deletion_in_another_account_is_answered_and_moves_nothing(
    north: Firm, memory: InMemory, spy: Spy
) -> None:
    case = scene.expected(north)
    planned = case.next_check()
    deleted(memory, case, StackId=stack_id(STRANGER))
    assert the_answer(spy)[0]
    assert [letter.reason for letter in scene.dead(case)] == [Reason.OTHER_ACCOUNT]
    assert case.next_check() == planned


def test_while_closing_a_deletion_leads_to_the_next_try(north: Firm, memory: InMemory, spy: Spy) -> None:
    case = scene.expected(north)
    memory.deploy(case)
    check(case)
    end_by_client(case)
    begin_closing(case)
    deleted(memory, case)
    with tenancy.use(north.practice_side):
        planned = due.next_look(CLOSING, case.grant().pk)
    assert planned is not None
    assert planned > clock.now()
    assert the_answer(spy)[0]


def test_after_the_end_a_deletion_leads_nowhere(north: Firm, memory: InMemory, spy: Spy) -> None:
    case = scene.expected(north)
    with tenancy.use(north.practice_side):
        Grant.objects.update(status=GrantStatus.GONE)
    deleted(memory, case)
    assert the_answer(spy)[0]


def test_a_deletion_comes_back_until_it_is_answered(north: Firm, memory: InMemory, spy: Spy) -> None:
    case = scene.expected(north)
    spy.fails.append(AwsTransient())
    deleted(memory, case)
    assert len(memory.fake.queues[scene.QUEUE]) == 1
    assert scene.callbacks(case) == []
    scene.listen(case)
    assert memory.fake.queues[scene.QUEUE] == []
    assert the_answer(spy)[0]


def test_after_ten_minutes_nobody_waits_any_more(north: Firm, memory: InMemory, spy: Spy) -> None:
    case = scene.expected(north)
    memory.fake.publish(scene.QUEUE, scene.genuine(case, "Delete", RequestId="d" * 36))
    spy.fails.append(AwsTransient())
    with clock.frozen(clock.now() + service.GIVE_UP_AFTER):
        scene.listen(case)
    assert memory.fake.queues[scene.QUEUE] == []
    assert len(scene.callbacks(case)) == 1


def test_a_refused_answer_to_a_deletion_is_the_end_of_it(north: Firm, memory: InMemory, spy: Spy) -> None:
    case = scene.expected(north)
    spy.fails.append(AwsRejected("expired"))
    deleted(memory, case)
    assert memory.fake.queues[scene.QUEUE] == []
    assert len(scene.callbacks(case)) == 1


# ---------------------------------------------------------------- when it listens


def looks(firm: Firm) -> dt.timedelta | None:
    with tenancy.use(firm.practice_side):
        next_at = hub_listen(hub_id=Hub.objects.get().pk)
    return None if next_at is None else next_at - clock.now()


def test_it_listens_closely_while_somebody_is_at_it(north: Firm, memory: InMemory, spy: Spy) -> None:
    scene.set_up(north)
    assert (looks(north) or dt.timedelta()) > dt.timedelta(seconds=10)
    case = agreed(north)
    assert (looks(north) or dt.timedelta()) <= service.REST_EXPECTING
    memory.deploy(case)
    case = Case(firm=north, engagement=case.engagement)
    with clock.frozen(clock.now() + service.EXPECTED_FOR + dt.timedelta(minutes=1)):
        assert (looks(north) or dt.timedelta()) > dt.timedelta(seconds=10)
        told_once(memory, case)
        assert (looks(north) or dt.timedelta()) <= service.REST_EXPECTING


def test_it_listens_closely_while_an_access_is_being_deleted(north: Firm, memory: InMemory) -> None:
    case = scene.expected(north)
    memory.deploy(case)
    check(case)
    assert (looks(north) or dt.timedelta()) > dt.timedelta(seconds=10)
    end_by_client(case)
    begin_closing(case)
    assert (looks(north) or dt.timedelta()) <= service.REST_EXPECTING


@pytest.mark.parametrize(
    ("error", "rest"), [(AwsTransient(), service.REST_IDLE), (AwsMisconfigured(), service.REST_BROKEN)]
)
def test_a_queue_that_cannot_be_read_is_tried_again(
    error: AwsTransient | AwsMisconfigured, rest: dt.timedelta, north: Firm, memory: InMemory
) -> None:
    scene.set_up(north)
    memory.fake.fail("receive_messages", error)
    waits = looks(north)
    assert waits is not None
    assert dt.timedelta() < waits <= rest


def test_without_a_queue_it_does_not_listen(db: None, memory: InMemory) -> None:
    firm = make_practice("northgate")
    assert looks(firm) is None
    with tenancy.use(firm.practice_side):
        hub = Hub.objects.get()
        Hub.objects.all().delete()
        assert hub_listen(hub_id=hub.pk) is None
    assert memory.door.counts["receive_messages"] == 0


def test_stacks_of_an_earlier_offer_are_heard_after_the_queue_was_changed(
    north: Firm, memory: InMemory, spy: Spy
) -> None:
    case = scene.expected(north)
    memory.deploy(case)
    for changes in ({"queue_url": f"{scene.QUEUE}-2"}, {"queue_url": "", "topic_arns": []}):
        scene.set_up(north, **changes)
        assert looks(north) is not None
    told_once(memory, case)
    scene.answer(case)
    assert the_answer(spy)[0]


def test_agreeing_and_ending_wake_the_listener(north: Firm) -> None:
    hub = scene.set_up(north)
    with tenancy.use(north.practice_side):
        later = clock.now() + dt.timedelta(minutes=5)
        from django.db import transaction

        with transaction.atomic():
            due.schedule(LISTEN, hub.pk, at=later)
        listen_soon()
        planned = due.next_look(LISTEN, hub.pk)
    assert planned is not None
    assert planned < later


@pytest.mark.parametrize("kind", [LISTEN, ANSWER])
def test_both_looks_have_their_handler(kind: str) -> None:
    handlers: dict[str, Callable[[due.Turn], dt.datetime | None]] = due.HANDLERS
    assert kind in handlers


def test_a_message_without_its_moment_counts_from_now(north: Firm, memory: InMemory) -> None:
    from dataclasses import replace

    case = scene.expected(north)
    message = memory.fake.publish(scene.QUEUE, scene.genuine(case))
    memory.fake.queues[scene.QUEUE] = [replace(message, sent_at=None)]
    scene.listen(case)
    (told,) = scene.callbacks(case)
    assert told.answer_by - told.told_at == CALLBACK_ANSWER_WITHIN


def test_the_answer_comes_before_cloudformation_stops_waiting() -> None:
    assert dt.timedelta(seconds=int(CALLBACK_SECONDS)) == CALLBACK_TIMEOUT
    assert CALLBACK_DOUBT_FOR < CALLBACK_DENIED_FOR < CALLBACK_ANSWER_WITHIN < CALLBACK_TIMEOUT
    assert all(not CALLBACK_MOVES[status] for status in CallbackStatus if status is not CallbackStatus.OPEN)


def test_an_offer_of_a_hub_without_call_back_is_as_it_always_was(db: None, memory: InMemory) -> None:
    firm = make_practice("northgate")
    case = watched(firm)
    assert case.grant().callback_sha256 == ""
    assert "Callback" not in case.offer().template
    memory.deploy(case)
    check(case)
    assert case.grant().status == GrantStatus.VERIFIED
