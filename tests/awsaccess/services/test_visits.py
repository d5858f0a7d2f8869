"""Entering: written down before AWS is asked, named and reasoned, never longer than agreed, and no secret kept."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.lifecycle import MemberRole
from accounts.models import Membership, User
from awsaccess import selectors
from awsaccess.aws.arns import ConsoleService
from awsaccess.aws.errors import AwsDenied, AwsError, AwsMisconfigured, AwsRejected, AwsTransient
from awsaccess.aws.gateway import CallerIdentity
from awsaccess.lifecycle import AccessEvent, GrantStatus, VisitStatus
from awsaccess.models import Grant
from awsaccess.services.checks import CHECK
from awsaccess.services.leaving import sessions_end
from awsaccess.services.visits import (
    LONGEST,
    ORPHAN,
    ORPHANED_AFTER,
    VisitRefused,
    visit_intend,
    visit_issue,
    visit_open,
    visit_orphan,
)
from engagements.lifecycle import AssignmentRole, EngagementStatus
from engagements.models import Assignment
from engagements.services.closing import engagement_expire
from engagements.services.pauses import engagement_pause, engagement_resume
from portal.kernel import clock, due, tenancy
from portal.kernel.errors import InvalidMove, NotAllowed, NotVisible, PortalError, RateLimited, Unavailable
from tests.awsaccess.services.cast import (
    REASON,
    Case,
    agreed,
    check,
    closing,
    end_by_client,
    enter,
    make_practice,
    sent,
    settle,
    verified,
    watched,
)
from tests.awsaccess.services.worlds import InMemory, Simulated, World
from tests.conftest import SqlAs
from tests.factories import Firm, acting

MINUTE: Final = dt.timedelta(minutes=1)


def pause(case: Case) -> None:
    with tenancy.use(case.firm.client_side):
        engagement_pause(engagement=case.fresh(), actor=acting(case.firm.approver))


def resume(case: Case) -> None:
    with tenancy.use(case.firm.client_side):
        engagement_resume(engagement=case.fresh(), actor=acting(case.firm.approver))


def next_look(case: Case, kind: str) -> dt.datetime | None:
    subject = case.visit().pk if kind == ORPHAN else case.grant().pk
    with tenancy.use(case.firm.practice_side):
        return due.next_look(kind, subject)


# A visit that works.


def test_a_visit_is_issued_for_an_hour_under_the_consultants_name(north: Firm, world: World) -> None:
    case = verified(north, world)
    asked = clock.now()
    form = enter(case)
    visit = case.visit()
    assert (visit.status, visit.reason, visit.kind) == (VisitStatus.ISSUED, REASON, "console")
    assert (visit.consultant_id, visit.consultant_name) == (north.owner.pk, "Maya Okafor")
    assert visit.session_name.startswith("owner@northgate.example-")
    assert visit.ends_at == form.ends_at == visit.latest_end
    assert LONGEST - MINUTE < form.ends_at - asked < LONGEST + MINUTE
    assert visit.ends_at <= visit.worst_case_until
    assert visit.access_key_id.startswith("ASIA")
    assert visit.issued_at is not None
    assert next_look(case, ORPHAN) is None
    assert [kind for kind in case.kinds() if ":visit:" in kind] == [
        AccessEvent.VISIT_INTENDED,
        AccessEvent.VISIT_ISSUED,
    ]


def test_a_visit_asks_the_database_no_more_than_it_must(north: Firm, memory: InMemory) -> None:
    case = verified(north, memory)
    enter(case)  # what is written once in a process is written by now
    settle(case)
    with clock.frozen(clock.now()), CaptureQueriesContext(connection) as asked:
        enter(case)
    heads = [each["sql"].split(maxsplit=1)[0] for each in asked]
    statements = [head for head in heads if head not in {"SAVEPOINT", "RELEASE"}]
    # One of them is this test's own; beside them the time is asked once in each of the two transactions.
    assert len(statements) <= 26


def test_the_form_leads_to_aws_and_carries_the_token_in_its_body(north: Firm, memory: InMemory) -> None:
    case = verified(north, memory)
    form = enter(case, service=ConsoleService.EC2)
    assert form.action == "https://eu-west-1.signin.aws.amazon.com/federation"
    assert form.fields["Destination"] == (
        "https://eu-west-1.console.aws.amazon.com/ec2/home?region=eu-west-1"
    )
    assert form.fields["Action"] == "login"
    assert form.fields["Issuer"] == "http://testserver"
    assert form.account_id == "441709265583"
    token = form.fields["SigninToken"]
    assert memory.fake.signins[token].session_arn.endswith(f"/{case.visit().session_name}")
    assert token not in repr(form)
    assert urlsplit(form.action).query == ""


def test_the_token_signs_in_at_the_simulated_aws(north: Firm, simulated: Simulated) -> None:
    case = verified(north, simulated)
    form = enter(case)
    status, page = simulated.sandbox.browser().post("/federation", **form.fields)
    assert status == 200
    assert case.visit().session_name in page


def test_aws_is_told_the_human_the_visit_and_the_right_external_id(north: Firm, memory: InMemory) -> None:
    case = verified(north, memory)
    enter(case)
    (request,) = memory.visits_asked()
    visit, grant = case.visit(), case.grant()
    assert (request.role_arn, request.external_id) == (grant.role_arn, grant.external_id)
    assert request.role_session_name == visit.session_name
    assert request.source_identity == "owner@northgate.example"
    assert request.tags == (
        ("latchkey:practice", "northgate"),
        ("latchkey:engagement", case.engagement.code),
        ("latchkey:visit", str(visit.pk)),
    )
    assert (request.session_policy, request.policy_arns) == (None, ())
    assert request.duration_seconds == 3600
    assert grant.external_id not in repr(request)


def test_two_visits_have_names_of_their_own(north: Firm, memory: InMemory) -> None:
    case = verified(north, memory)
    enter(case)
    enter(case)
    first, second = case.visits()
    assert first.session_name != second.session_name
    with tenancy.use(north.client_side):
        now = clock.now()
        assert selectors.visits_of(case.engagement) == [second, first]
        assert selectors.visits_of(case.engagement, limit=1) == [second]
        assert selectors.open_visits(case.engagement, now=now) == [second, first]
        assert selectors.open_visits(case.engagement, now=now + LONGEST + 2 * MINUTE) == []


def test_a_long_or_odd_address_still_names_the_human(north: Firm, memory: InMemory) -> None:
    odd = User.objects.create_user(f"maya.o'kafor+{'x' * 70}@northgate.example", name="Maya", is_staff=True)
    case = verified(north, memory)
    join(case, odd, AssignmentRole.MEMBER)
    enter(case, who=odd)
    (request,) = memory.visits_asked()
    assert request.role_session_name.startswith("maya.o-kafor+xxx")
    assert len(request.role_session_name) <= 64
    assert request.source_identity == request.source_identity[:64]  # type: ignore[index]  # it is set
    assert request.source_identity.startswith("maya.o-kafor+xxx")  # type: ignore[union-attr]  # as above


# Written down before AWS is asked.


def test_intent_and_record_are_committed_before_sts_is_called(
    real_db: None, memory: InMemory, sql_as: SqlAs
) -> None:
    case = verified(make_practice("northgate"), memory)
    seen: list[tuple[Any, ...]] = []

    def look() -> None:
        assert not connection.in_atomic_block
        elsewhere = sql_as("superuser")
        seen.extend(elsewhere.execute("select status, reason, ends_at from awsaccess_visit").fetchall())
        seen.extend(
            elsewhere.execute(
                "select kind from kernel_auditevent where kind = 'aws:visit:intended'"
            ).fetchall()
        )

    memory.door.before("assume", look)
    enter(case)
    assert seen == [("intended", REASON, None), ("aws:visit:intended",)]


def test_without_a_written_intent_sts_is_not_called(
    north: Firm, memory: InMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = verified(north, memory)
    calls = len(memory.fake.calls)

    def broken(*_arguments: object, **_named: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("awsaccess.services.visits.audit.record", broken)
    with pytest.raises(OSError, match="disk full"):
        enter(case)
    assert len(memory.fake.calls) == calls
    assert case.visits() == []


# Killed between the two transactions.


class Killed(BaseException):
    """What kill -9 looks like from inside: nothing after it runs."""


def killed_while_asked(case: Case, memory: InMemory) -> None:
    def die() -> None:
        raise Killed

    memory.door.before("caller_identity", die)
    with pytest.raises(Killed):
        enter(case)


def test_a_visit_that_died_between_is_shown_as_orphaned_until_its_worst_case(
    north: Firm, memory: InMemory
) -> None:
    case = verified(north, memory)
    killed_while_asked(case, memory)
    visit = case.visit()
    assert (visit.status, visit.ends_at) == (VisitStatus.INTENDED, None)
    assert next_look(case, ORPHAN) == visit.intended_at + ORPHANED_AFTER
    for _ in range(2):
        with tenancy.use(north.practice_side):
            visit_orphan(visit_id=visit.pk)
    visit = case.visit()
    assert (visit.status, visit.latest_end) == (VisitStatus.ORPHANED, visit.worst_case_until)
    assert case.kinds().count(AccessEvent.VISIT_ORPHANED) == 1
    with tenancy.use(north.client_side):
        assert selectors.open_visits(case.engagement, now=clock.now()) == [visit]
        assert selectors.open_visits(case.engagement, now=visit.worst_case_until) == []
    with tenancy.use(north.practice_side):
        assert sessions_end(case.engagement) == visit.worst_case_until


def test_an_answer_that_comes_after_the_visit_was_given_up_opens_nothing(
    north: Firm, memory: InMemory
) -> None:
    case = verified(north, memory)

    def give_up() -> None:
        visit_orphan(visit_id=case.visit().pk)

    memory.door.before("signin_token", give_up)
    with pytest.raises(InvalidMove):
        enter(case)
    assert case.visit().status == VisitStatus.ORPHANED


def test_an_outcome_that_cannot_be_written_opens_nothing(
    north: Firm, memory: InMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = verified(north, memory)

    def broken(**_named: object) -> bool:
        raise OSError("disk full")

    monkeypatch.setattr("awsaccess.services.visits.visit_issue", broken)
    with pytest.raises(OSError, match="disk full"):
        enter(case)
    assert case.visit().status == VisitStatus.INTENDED
    assert next_look(case, ORPHAN) is not None


def test_an_issued_visit_is_no_orphan(north: Firm, memory: InMemory) -> None:
    case = verified(north, memory)
    enter(case)
    with tenancy.use(north.practice_side):
        visit_orphan(visit_id=case.visit().pk)
    assert case.visit().status == VisitStatus.ISSUED


# AWS says no, or nothing.


@pytest.mark.parametrize(
    ("method", "error", "refusal"),
    [
        ("assume", AwsDenied(code="AccessDenied"), VisitRefused),
        ("assume", AwsRejected("that is too long", code="ValidationError"), VisitRefused),
        ("assume", AwsTransient(code="Throttling"), Unavailable),
        ("assume", AwsMisconfigured(code="ExpiredToken"), Unavailable),
        ("caller_identity", AwsTransient(), Unavailable),
        ("signin_token", AwsRejected("the sign-in service gave no reason"), VisitRefused),
        ("signin_token", AwsTransient(), Unavailable),
    ],
)
def test_a_refusal_is_written_down_told_and_looked_into(
    north: Firm, memory: InMemory, method: str, error: AwsError, refusal: type[PortalError]
) -> None:
    case = verified(north, memory)
    with clock.frozen(clock.now() + MINUTE):
        memory.door.fail(method, error)
        with pytest.raises(refusal) as caught:
            enter(case)
        now = clock.now()
    assert caught.value.__cause__ is None
    assert caught.value.user_message
    visit = case.visit()
    assert (visit.status, visit.refusal, visit.issued_at) == (VisitStatus.REFUSED, error.user_message, None)
    assert next_look(case, ORPHAN) is None
    assert next_look(case, CHECK) == now
    assert case.kinds()[-1] == AccessEvent.VISIT_REFUSED
    with tenancy.use(north.client_side):
        assert selectors.open_visits(case.engagement, now=now) == []


@pytest.mark.parametrize("method", ["caller_identity", "signin_token"])
def test_the_end_of_a_session_that_was_opened_and_dropped_stays_on_record(
    north: Firm, memory: InMemory, method: str
) -> None:
    case = verified(north, memory)
    memory.door.fail(method, AwsTransient())
    with pytest.raises(Unavailable):
        enter(case)
    visit = case.visit()
    (session,) = [key for key in memory.fake._sessions if key == visit.access_key_id]
    assert session.startswith("ASIA")
    with tenancy.use(north.practice_side):
        assert sessions_end(case.engagement) == visit.ends_at


def test_a_refused_visit_leaves_no_session_to_wait_for(north: Firm, memory: InMemory) -> None:
    case = verified(north, memory)
    memory.door.fail("assume", AwsDenied(code="AccessDenied"))
    with pytest.raises(VisitRefused):
        enter(case)
    with tenancy.use(north.practice_side):
        assert sessions_end(case.engagement) < clock.now() - dt.timedelta(days=365)


def test_an_assume_role_without_any_answer_may_have_opened_something(north: Firm, memory: InMemory) -> None:
    case = verified(north, memory)
    memory.door.fail("assume", AwsTransient())
    with pytest.raises(Unavailable):
        enter(case)
    visit = case.visit()
    assert visit.status == VisitStatus.ORPHANED
    assert case.kinds()[-1] == AccessEvent.VISIT_ORPHANED
    assert next_look(case, ORPHAN) is None
    with tenancy.use(north.practice_side):
        assert sessions_end(case.engagement) == visit.worst_case_until


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:sts::444455556666:assumed-role/latchkey-x/maya",
        "arn:aws:sts::441709265583:assumed-role/another/maya",
        "arn:aws:iam::441709265583:root",
    ],
)
def test_another_role_than_agreed_is_left_at_once(
    north: Firm, memory: InMemory, monkeypatch: pytest.MonkeyPatch, arn: str
) -> None:
    case = verified(north, memory)
    there = CallerIdentity(account_id=arn.split(":")[4], arn=arn, user_id="AROAX:maya")
    monkeypatch.setattr(memory.fake, "caller_identity", lambda *_: there)
    with pytest.raises(VisitRefused, match="not the one that was agreed"):
        enter(case)
    assert memory.door.counts["signin_token"] == 0
    assert case.visit().status == VisitStatus.REFUSED


def test_a_role_deleted_since_its_last_check_refuses_over_the_wire(north: Firm, world: World) -> None:
    case = verified(north, world)
    settle(case)
    world.remove(case)
    with pytest.raises(VisitRefused, match="without saying why"):
        enter(case)
    assert case.visit().status == VisitStatus.REFUSED
    check(case)
    check(case)
    assert case.grant().status == GrantStatus.UNREACHABLE
    with pytest.raises(VisitRefused, match="did not pass"):
        enter(case)


def test_a_sign_in_service_that_is_down_over_the_wire(north: Firm, simulated: Simulated) -> None:
    case = verified(north, simulated)
    simulated.sandbox.control("POST", "faults", service="signin", status=503)
    with pytest.raises(Unavailable):
        enter(case)
    visit = case.visit()
    assert (visit.status, visit.access_key_id[:4]) == (VisitStatus.REFUSED, "ASIA")


# Access that goes while AWS is asked.


@pytest.mark.parametrize("act", [pause, end_by_client])
def test_access_that_goes_while_aws_is_asked_opens_nothing(
    north: Firm, memory: InMemory, act: Callable[[Case], None]
) -> None:
    case = verified(north, memory)
    memory.door.before("signin_token", lambda: act(case))
    with pytest.raises(VisitRefused, match="in this very moment"):
        enter(case)
    visit = case.visit()
    assert (visit.status, visit.issued_at) == (VisitStatus.REFUSED, None)
    assert visit.refusal == "The access was paused or ended while AWS was asked."
    # The credential was dropped, but AWS knows it: its end counts.
    with tenancy.use(north.practice_side):
        assert sessions_end(case.engagement) == visit.ends_at
    assert case.kinds()[-1] == AccessEvent.VISIT_REFUSED


# Who may not enter, and when.


def stays_out(case: Case, error: type[PortalError], words: str, **over: Any) -> None:
    """Any: what `enter` takes. Nothing is written but the refusal, and AWS is not asked."""
    before, told = case.visits(), case.told()
    with pytest.raises(error, match=words):
        enter(case, **over)
    assert case.visits() == before
    *earlier, (kind, details) = case.told()
    assert earlier == told
    assert kind == AccessEvent.VISIT_NOT_BEGUN
    assert words in details["reason"]


def join(case: Case, user: User, role: AssignmentRole, **over: Any) -> None:
    """Any: the assignment's times. Makes the person a consultant of the practice."""
    with tenancy.use(case.firm.practice_side):
        Membership.objects.create(practice=case.firm.practice, user=user, role=MemberRole.CONSULTANT)
        Assignment.objects.create(
            practice=case.firm.practice,
            client=case.firm.client,
            engagement=case.engagement,
            consultant=user,
            role=role,
            **{"starts_at": clock.now(), **over},
        )


def test_a_visit_needs_a_reason(north: Firm, memory: InMemory) -> None:
    stays_out(verified(north, memory), VisitRefused, "in a few words", reason=" \n ")


def test_a_long_reason_is_cut(north: Firm, memory: InMemory) -> None:
    case = verified(north, memory)
    enter(case, reason="  " + "x" * 400)
    assert case.visit().reason == "x" * 300


def test_only_people_who_work_on_it_enter(north: Firm, memory: InMemory) -> None:
    case, now = verified(north, memory), clock.now()
    colleagues = [
        User.objects.create_user(f"c{number}@northgate.example", name="C", is_staff=True)
        for number in range(5)
    ]
    stranger, observer, former, future, member = colleagues
    join(case, observer, AssignmentRole.OBSERVER)
    join(case, former, AssignmentRole.MEMBER, starts_at=now - MINUTE, ends_at=now)
    join(case, future, AssignmentRole.MEMBER, starts_at=now + dt.timedelta(hours=1))
    join(case, member, AssignmentRole.MEMBER, ends_at=now + dt.timedelta(hours=1))
    for outsider in (stranger, observer, former, future, north.approver):
        stays_out(case, NotAllowed, "Only people who work on this", who=outsider)
    enter(case, who=member)
    assert case.visit().consultant_id == member.pk


def test_nobody_enters_before_the_client_agreed_and_the_role_was_proved(
    north: Firm, memory: InMemory
) -> None:
    for case in (sent(north), agreed(north), watched(north)):
        memory.deploy(case)
        stays_out(case, VisitRefused, "Access is not on")
    assert memory.visits_asked() == []


def test_nobody_enters_while_paused_and_everybody_after_the_resumption(north: Firm, memory: InMemory) -> None:
    case = verified(north, memory)
    pause(case)
    stays_out(case, VisitRefused, "Access is not on")
    resume(case)
    enter(case)
    assert case.visit().status == VisitStatus.ISSUED


def test_nobody_enters_after_the_end(north: Firm, memory: InMemory) -> None:
    stays_out(closing(north, memory), VisitRefused, "Access is not on")


def test_nobody_enters_after_the_window(north: Firm, memory: InMemory) -> None:
    case = verified(north, memory)
    with clock.frozen(case.fresh().ends_at):
        # Even before the sweep has come by.
        with tenancy.use(north.practice_side):
            Grant.objects.update(last_ok_at=clock.now())
        stays_out(case, VisitRefused, "nearly over")
        with tenancy.use(north.practice_side):
            engagement_expire(engagement_id=case.engagement.pk)
        stays_out(case, VisitRefused, "Access is not on")
    assert memory.visits_asked() == []


@pytest.mark.parametrize("status", sorted({*GrantStatus.values} - {GrantStatus.VERIFIED}))
def test_nobody_enters_through_a_role_that_is_not_verified(
    north: Firm, memory: InMemory, status: str
) -> None:
    case = verified(north, memory)
    with tenancy.use(north.practice_side):
        Grant.objects.update(status=status)
    stays_out(case, VisitRefused, "did not pass")


def test_nobody_enters_on_an_old_check(north: Firm, memory: InMemory, settings: Any) -> None:
    case = verified(north, memory)
    with clock.frozen(clock.now() + dt.timedelta(seconds=settings.GRANT_FRESH_SECONDS + 60)):
        memory.door.fail("own_identity", AwsTransient())
        check(case)  # a check that proves nothing makes nothing fresh
        stays_out(case, VisitRefused, "too old")
        check(case)
        enter(case)
    assert case.visit().status == VisitStatus.ISSUED
    with tenancy.use(north.practice_side):
        Grant.objects.update(last_ok_at=None)
    stays_out(case, VisitRefused, "too old")


# Never longer than agreed.


@pytest.mark.parametrize("left", [16, 20, 45, 60, 61, 90])
def test_no_visit_can_outlive_the_consent(north: Firm, memory: InMemory, left: int) -> None:
    case = verified(north, memory)
    ends_at = case.fresh().ends_at
    with clock.frozen(ends_at - left * MINUTE):
        check(case)
        enter(case)
    visit = case.visit()
    assert visit.ends_at is not None
    assert visit.ends_at <= visit.worst_case_until <= ends_at
    (request,) = memory.visits_asked()
    assert request.duration_seconds == min(3600, (left - 1) * 60)


@pytest.mark.parametrize(("longest", "seconds"), [(20, 1200), (5, 900), (240, 3600)])
def test_a_shorter_visit_may_be_asked_for_and_a_longer_one_not(
    north: Firm, memory: InMemory, longest: int, seconds: int
) -> None:
    case = verified(north, memory)
    enter(case, longest=longest * MINUTE)
    (request,) = memory.visits_asked()
    assert request.duration_seconds == seconds


def test_a_form_that_is_sent_twice_enters_once(north: Firm, memory: InMemory) -> None:
    case, key = verified(north, memory), uuid4()
    enter(case, visit_id=key)
    assert case.visit().pk == key
    stays_out(case, VisitRefused, "used already", visit_id=key)
    assert len(memory.visits_asked()) == 1


def test_more_visits_than_a_person_needs_are_refused_in_words_and_told(
    north: Firm, memory: InMemory, settings: Any
) -> None:
    settings.VISITS_PER_HOUR = 2
    case = verified(north, memory)
    for _ in range(2):
        enter(case)
    before = len(memory.fake.calls)
    with pytest.raises(RateLimited, match="Wait an hour") as caught:
        enter(case)
    assert caught.value.http_status == 429
    assert len(memory.fake.calls) == before
    assert len(case.visits()) == 2
    kind, details = case.told()[-1]
    assert (kind, details["code"]) == (AccessEvent.VISIT_NOT_BEGUN, "rate-limited")


def test_a_whole_practice_has_its_measure_too(north: Firm, memory: InMemory, settings: Any) -> None:
    settings.PRACTICE_VISITS_PER_HOUR = 1
    case = verified(north, memory)
    enter(case)
    with pytest.raises(RateLimited, match="Nothing was opened"):
        enter(case)


def test_too_little_time_is_no_visit(north: Firm, memory: InMemory) -> None:
    case = verified(north, memory)
    with clock.frozen(case.fresh().ends_at - 15 * MINUTE):
        check(case)
        stays_out(case, VisitRefused, "nearly over")


# Another practice, and the client, cannot.


def test_another_practice_finds_nothing_to_enter(north: Firm, harbour: Firm, memory: InMemory) -> None:
    case = verified(north, memory)
    with tenancy.use(harbour.practice_side), pytest.raises(NotVisible):
        visit_intend(
            engagement=case.engagement, consultant=harbour.owner, reason="x", actor=acting(harbour.owner)
        )
    assert case.visits() == []


def test_a_client_cannot_open_a_visit_itself(north: Firm, memory: InMemory) -> None:
    case = verified(north, memory)
    with tenancy.use(north.client_side), pytest.raises(VisitRefused):
        visit_open(
            engagement=case.engagement,
            consultant=north.owner,
            reason="x",
            service=ConsoleService.HOME,
            actor=acting(north.approver),
        )
    assert case.visits() == []
    assert memory.visits_asked() == []


# No secret anywhere.


def secrets_of(memory: InMemory) -> set[str]:
    """All that the AWS in memory ever gave away."""
    credentials = [session.credentials for session in memory.fake._sessions.values()]
    hidden = {value for each in credentials for value in (each.secret_access_key, each.session_token)}
    return hidden | set(memory.fake.signins)


def test_no_credential_and_no_sign_in_address_is_stored_or_logged(
    real_db: None, memory: InMemory, sql_as: SqlAs, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    case = verified(make_practice("northgate"), memory)
    form = enter(case)
    for method, error in (("signin_token", AwsTransient()), ("caller_identity", AwsRejected("no"))):
        memory.door.fail(method, error)
        with pytest.raises(PortalError):
            enter(case)
    memory.door.before("signin_token", lambda: pause(case))
    with pytest.raises(VisitRefused):
        enter(case)
    found = secrets_of(memory)
    assert form.fields["SigninToken"] in found
    assert len(found) > 10
    superuser = sql_as("superuser")
    tables = superuser.execute("select tablename from pg_tables where schemaname = 'public'").fetchall()
    for (table,) in tables:
        query = f"select t::text from {table} t"  # noqa: S608  # our own tables' names
        text = "\n".join(row for (row,) in superuser.execute(query).fetchall())
        assert not [secret for secret in found if secret in text], table
        assert "/federation" not in text, table
    assert not [secret for secret in found if secret in caplog.text]
    assert "/federation" not in caplog.text


def test_the_wires_own_log_lines_hold_no_secret(
    north: Firm, simulated: Simulated, caplog: pytest.LogCaptureFixture
) -> None:
    case = verified(north, simulated)
    given: list[str] = []
    inner = simulated.door.inner
    kept = inner.signin_token

    def listen(credentials: Any, **named: Any) -> str:
        given.extend((credentials.secret_access_key, credentials.session_token))
        given.append(kept(credentials, **named))
        return given[-1]

    inner.signin_token = listen  # type: ignore[method-assign]  # a listener on this one gateway
    caplog.set_level(logging.DEBUG, logger="root")
    enter(case)
    assert len(given) == 3
    assert not [secret for secret in given if secret in caplog.text]


def test_the_intent_and_the_outcome_print_no_secret(north: Firm, memory: InMemory) -> None:
    case = verified(north, memory)
    with tenancy.use(north.practice_side):
        intent = visit_intend(
            engagement=case.fresh(), consultant=north.owner, reason="look", actor=acting(north.owner)
        )
        credentials = memory.fake.assume(intent.hub, intent.request)
        assert visit_issue(intent=intent, credentials=credentials, actor=acting(north.owner))
    assert case.grant().external_id not in repr(intent)
    assert credentials.secret_access_key not in repr(credentials)
    assert str(case.visit()) == "Maya Okafor, issued"
    assert case.fresh().status == EngagementStatus.ACTIVE
