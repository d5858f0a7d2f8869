"""What pages read of the AWS side: never AWS itself, and the same for both sides."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from awsaccess import door, selectors
from awsaccess.aws.errors import AwsTransient
from awsaccess.aws.gateway import BotoGateway
from awsaccess.lifecycle import GrantStatus
from awsaccess.models import Grant
from awsaccess.selectors import CardState, LiveCard
from engagements.models import Engagement
from engagements.services.pauses import engagement_pause
from portal.kernel import tenancy
from tests.awsaccess.services.cast import (
    Case,
    agreed,
    begin_closing,
    check,
    drafted,
    end_by_client,
    publish,
    sent,
    verified,
    watched,
)
from tests.awsaccess.services.worlds import InMemory
from tests.factories import Firm, acting


def card(case: Case) -> LiveCard:
    found = []
    for scope in (case.firm.practice_side, case.firm.client_side):
        with tenancy.use(scope):
            found.append(selectors.live_card(Engagement.objects.get(pk=case.engagement.pk)))
    assert found[0] == found[1]
    return found[0]


def states(found: LiveCard) -> list[str]:
    return [check.state for check in found.checks]


def test_a_draft_waits_and_has_nothing(north: Firm) -> None:
    case = drafted(north)
    found = card(case)
    assert (found.state, found.status, states(found)) == (CardState.WAITING, "", ["pending"] * 4)
    assert (found.checked_at, found.has_template, found.problem) == (None, False, "")
    with tenancy.use(north.practice_side):
        assert selectors.quick_create_url(case.engagement) is None
        assert selectors.stack_url(case.engagement).startswith("https://console.aws.amazon.com/")
        assert selectors.exit_proof(case.engagement) is None


def test_the_card_goes_with_the_access_from_waiting_to_gone(north: Firm, memory: InMemory) -> None:
    case = agreed(north)
    told = [card(case)]

    def look() -> LiveCard:
        told.append(card(case))
        return told[-1]

    publish(case)
    look()
    memory.deploy(case)
    memory.door.fail("inspect_role", AwsTransient())
    check(case)
    found = look()
    assert (found.state, states(found)) == (CardState.CHECKING, ["ok", *["pending"] * 3])
    assert found.is_unanswered
    check(case)
    found = look()
    assert (found.state, states(found)) == (CardState.ON, ["ok"] * 4)
    assert not found.is_unanswered
    memory.widen(case)
    check(case)
    found = look()
    assert (found.state, found.problem) == (
        CardState.PROBLEM,
        "Somebody changed the permissions in AWS.",
    )
    end_by_client(case)
    look()
    begin_closing(case)
    with tenancy.use(north.practice_side):
        Grant.objects.update(status=GrantStatus.GONE)
    look()
    assert [each.state for each in told] == [
        "waiting",
        "waiting",
        "checking",
        "on",
        "problem",
        "ending",
        "gone",
    ]
    assert len({each.digest for each in told}) == len(told)


def test_the_digest_stays_while_nothing_changes(north: Firm, memory: InMemory) -> None:
    case = verified(north, memory)
    before = card(case)
    check(case)
    after = card(case)
    assert after.digest == before.digest
    assert after.checked_at != before.checked_at


@pytest.mark.parametrize(
    ("engagement", "grant", "state"),
    [
        ("closed", "ending", CardState.GONE),
        ("closing", "verified", CardState.ENDING),
        ("active", "ending", CardState.ENDING),
        ("active", "expected", CardState.WAITING),
        ("active", "unreachable", CardState.PROBLEM),
        ("paused", "unsafe", CardState.PROBLEM),
        ("paused", "checking", CardState.CHECKING),
        ("paused", "verified", CardState.PAUSED),
        ("active", "verified", CardState.ON),
    ],
)
def test_what_the_card_says_first(
    north: Firm, memory: InMemory, engagement: str, grant: str, state: CardState
) -> None:
    case = watched(north)
    with tenancy.use(north.practice_side):
        Engagement.objects.update(status=engagement)
        Grant.objects.update(status=grant)
    assert card(case).state == state


def test_a_paused_access_says_so(north: Firm, memory: InMemory) -> None:
    case = verified(north, memory)
    with tenancy.use(north.client_side):
        engagement_pause(engagement=case.fresh(), actor=acting(north.approver))
    assert card(case).state == CardState.PAUSED


def test_the_links_lead_to_the_pinned_template_and_to_the_one_stack(north: Firm, memory: InMemory) -> None:
    case = sent(north)
    publish(case)
    offer = case.offer()
    with tenancy.use(north.client_side):
        link, stacks = selectors.quick_create_url(case.engagement), selectors.stack_url(case.engagement)
        address = selectors.template_address(offer)
    assert address == (
        f"https://latchkey-templates-111111111111.s3.eu-west-1.amazonaws.com/{case.engagement.code}/access.json"
        f"?versionId={offer.template_version_id}"
    )
    assert link is not None
    parts = urlsplit(link)
    assert (parts.hostname, parts.path) == ("eu-west-1.console.aws.amazon.com", "/cloudformation/home")
    given = parse_qs(parts.fragment.partition("?")[2])
    assert given == {"templateURL": [address], "stackName": [f"latchkey-{case.engagement.code}"]}
    assert f"latchkey-{case.engagement.code}" in stacks
    assert urlsplit(stacks).hostname == "eu-west-1.console.aws.amazon.com"


def test_the_door_is_made_once(shut_door: None) -> None:
    assert isinstance(door.gateway(), BotoGateway)
    assert door.gateway() is door.gateway()
