"""Sessions that are open end by the client's own update of the stack, and only what AWS shows is said to be over."""

from __future__ import annotations

import datetime as dt
import json
import shlex
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import pytest

from accounts.lifecycle import ContactRole
from accounts.models import Contact
from awsaccess.aws.errors import AwsDenied, AwsError, AwsMisconfigured, AwsRejected, AwsTransient
from awsaccess.aws.gateway import AssumeRequest, SessionCredentials
from awsaccess.lifecycle import PROPAGATION, AccessEvent, GrantStatus
from awsaccess.models import Grant
from awsaccess.policy.compare import REVOKED, revoked_before
from awsaccess.selectors import residual
from awsaccess.services.checks import target_of
from awsaccess.services.revoking import (
    denial_command,
    denial_publish,
    denial_template,
    denial_update,
    removal_command,
    removal_update,
    sessions_end_ask,
)
from awsaccess.services.turning import DENIAL
from portal.kernel import clock, outbox, tenancy
from portal.kernel.errors import InvalidMove, NotAllowed, NotVisible
from tests.awsaccess.services.cast import Case, check, enter, publish, verified, watched
from tests.awsaccess.services.worlds import InMemory, Simulated, World, hub_of
from tests.factories import Firm, acting

HUB: Final = hub_of("northgate")


def ask(case: Case, contact: Contact | None = None) -> None:
    with tenancy.use(case.firm.client_side):
        sessions_end_ask(
            engagement=case.fresh(), contact=contact or case.firm.contact, actor=acting(case.firm.approver)
        )


def grant_of(case: Case) -> Grant:
    with tenancy.use(case.firm.practice_side):
        return Grant.objects.select_related("offer__practice", "engagement").get(engagement=case.engagement)


def published(case: Case) -> Grant:
    with tenancy.use(case.firm.practice_side):
        denial_publish(grant_id=grant_of(case).pk)
    return grant_of(case)


def session(world: World, case: Case) -> SessionCredentials:
    with tenancy.use(case.firm.practice_side):
        grant = Grant.objects.select_related("offer__practice", "engagement").get(engagement=case.engagement)
        names = target_of(grant).names
    return world.door.inner.assume(
        HUB,
        AssumeRequest(
            role_arn=grant.role_arn,
            external_id=grant.external_id,
            role_session_name="maya",
            duration_seconds=900,
            source_identity="maya",
            tags=names.tags,
        ),
    )


def test_asking_makes_a_template_that_denies_older_sessions_and_nothing_else(
    north: Firm, memory: InMemory
) -> None:
    case = verified(north, memory)
    ask(case)
    grant = published(case)
    assert grant.deny_before is not None
    told = [details for kind, details in case.told() if kind == AccessEvent.SESSIONS_END_ASKED]
    (asked,) = told
    assert dt.datetime.fromisoformat(asked["asked_at"]) < grant.deny_before
    made, agreed = json.loads(denial_template(grant)), json.loads(case.offer().template)
    denial = made["Resources"]["AccessRole"]["Properties"]["Policies"].pop()
    assert made == agreed
    assert denial["PolicyName"] == REVOKED
    assert revoked_before({REVOKED: denial["PolicyDocument"]}) == grant.deny_before.replace(microsecond=0)
    key = (
        grant.offer.documents["bucket"],
        f"{case.engagement.code}/end-sessions.json",
        grant.deny_version_id,
    )
    assert memory.fake.uploads[key].decode() == denial_template(grant)
    assert case.promised(DENIAL) == 1


def test_the_commands_name_pinned_templates_and_nothing_that_a_shell_would_read(
    north: Firm, memory: InMemory
) -> None:
    case = verified(north, memory)
    publish(case)
    ask(case)
    assert denial_command(grant_of(case)) is None
    grant = published(case)
    for command, version in (
        (denial_command(grant), grant.deny_version_id),
        (removal_command(grant), grant.offer.template_version_id),
    ):
        assert command is not None
        words = shlex.split(command)
        assert words[:5] == [
            "aws",
            "cloudformation",
            "update-stack",
            "--stack-name",
            f"latchkey-{case.engagement.code}",
        ]
        assert parse_qs(urlsplit(words[6]).query) == {"versionId": [version]}
        assert words[7:] == ["--capabilities", "CAPABILITY_NAMED_IAM", "--region", "eu-west-1"]


def test_before_the_agreed_template_lies_there_it_cannot_be_gone_back_to(
    north: Firm, memory: InMemory
) -> None:
    grant = grant_of(verified(north, memory))
    assert removal_command(grant) is None
    assert removal_update(grant) is None


def test_open_sessions_are_denied_new_ones_are_not_and_the_update_can_be_taken_back(
    north: Firm, simulated: Simulated
) -> None:
    case = verified(north, simulated)
    publish(case)
    old, door = session(simulated, case), simulated.door.inner
    look: dict[str, Any] = {"role_name": case.grant().role_name, "region": "eu-west-1"}
    door.inspect_role(old, **look)
    ask(case)
    with clock.frozen(clock.now() + dt.timedelta(seconds=2)):
        published(case)
    block = denial_update(grant_of(case))
    assert block is not None
    simulated.update_by(case, block.link)
    with pytest.raises(AwsDenied):
        door.inspect_role(old, **look)
    simulated.sandbox.control("PUT", "clock", offset_seconds=5)
    try:
        check(case)
    finally:
        simulated.sandbox.control("PUT", "clock", offset_seconds=0)
    grant = grant_of(case)
    assert (grant.status, grant.problem) == (GrantStatus.VERIFIED, "")
    assert grant.denied_before is not None
    assert grant.deny_before is not None
    assert grant.denied_before == grant.deny_before.replace(microsecond=0)
    back = removal_update(grant_of(case))
    assert back is not None
    simulated.update_by(case, back.link)
    check(case)
    assert grant_of(case).denied_before is None
    simulated.remove(case)


def test_the_clock_runs_to_the_worst_case_until_aws_was_seen_to_deny(north: Firm, memory: InMemory) -> None:
    case = verified(north, memory)
    publish(case)
    enter(case)
    visit, now = case.visit(), clock.now()
    with tenancy.use(north.client_side):
        assert residual(case.fresh(), now=now).until == visit.latest_end
    cut = now + dt.timedelta(seconds=5)
    with tenancy.use(north.practice_side):
        Grant.objects.filter(engagement=case.engagement).update(denied_before=cut)
    with tenancy.use(north.client_side):
        assert residual(case.fresh(), now=cut).until == visit.latest_end
        later = residual(case.fresh(), now=cut + PROPAGATION)
    assert (later.until, later.denied) == (None, 1)
    with tenancy.use(north.client_side):
        assert residual(case.fresh(), now=visit.latest_end).denied == 0


def test_without_any_role_there_is_no_clock_to_run(north: Firm, memory: InMemory) -> None:
    case = watched(north)
    with tenancy.use(north.client_side):
        assert residual(case.fresh(), now=clock.now()).until is None
    with pytest.raises(InvalidMove):
        ask(case)
    with pytest.raises(NotVisible):
        denial_template(grant_of(case))


def test_a_reader_one_who_left_and_another_client_end_no_sessions(
    north: Firm, harbour: Firm, memory: InMemory
) -> None:
    case = verified(north, memory)
    own = north.contact
    for change in (
        {"role": ContactRole.VIEWER},
        {"ended_at": clock.now()},
        {"client_id": harbour.client.pk},
    ):
        other = Contact(
            **{**{field.attname: getattr(own, field.attname) for field in Contact._meta.fields}, **change}
        )
        with pytest.raises(NotAllowed):
            ask(case, other)
    assert case.promised(DENIAL) == 0


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (AwsTransient(), outbox.Later),
        (AwsMisconfigured(), outbox.Later),
        (AwsRejected("no"), outbox.Hopeless),
    ],
)
def test_a_bucket_that_does_not_answer_is_asked_again(
    north: Firm, memory: InMemory, error: AwsError, raised: type[Exception]
) -> None:
    case = verified(north, memory)
    ask(case)
    memory.door.fail("upload_template", error)
    with pytest.raises(raised):
        published(case)
    assert grant_of(case).deny_version_id == ""
    first = published(case)
    assert first.deny_version_id != ""
    second = published(case)
    assert (first.deny_before or clock.now()) < (second.deny_before or clock.now())


@pytest.mark.parametrize(
    "statement",
    [
        {"Effect": "Allow"},
        {"Action": "s3:*"},
        {"Resource": "arn:aws:s3:::x"},
        {"Condition": {}},
        {
            "Condition": {
                "DateLessThan": {"aws:TokenIssueTime": "2026-01-01T00:00:00Z"},
                "Bool": {"a:b": "true"},
            }
        },
        {
            "Condition": {
                "DateLessThan": {"aws:TokenIssueTime": "2026-01-01T00:00:00Z", "aws:CurrentTime": "x"}
            }
        },
        {"Condition": {"DateLessThan": {"aws:TokenIssueTime": "soon"}}},
        {"Condition": {"DateLessThan": {"aws:TokenIssueTime": "2026-01-01T00:00:00"}}},
        {"Condition": {"DateLessThan": {"aws:TokenIssueTime": []}}},
    ],
)
def test_what_denies_only_some_sessions_ends_none(statement: dict[str, Any]) -> None:
    whole = {
        "Effect": "Deny",
        "Action": ["*"],
        "Resource": ["*"],
        "Condition": {"DateLessThan": {"aws:TokenIssueTime": ["2026-01-01T00:00:00Z"]}},
    }
    assert revoked_before({REVOKED: {"Statement": whole}}) == dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    assert revoked_before({REVOKED: {"Statement": [{**whole, **statement}]}}) is None
    assert revoked_before({"another": {"Statement": [whole]}}) is None
