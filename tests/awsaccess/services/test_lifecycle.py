"""The tables of moves and waits, read whole."""

from __future__ import annotations

import datetime as dt
from itertools import product

import pytest

from awsaccess.lifecycle import (
    BROKEN,
    NOT_SEEN_YET,
    VISIT_MOVES,
    WATCHED,
    GrantStatus,
    Verdict,
    VisitStatus,
    check_wait,
    closing_wait,
    denials_after,
    status_after,
)

S, V = GrantStatus, Verdict
SECOND, MINUTE, HOUR, DAY = (dt.timedelta(**{unit: 1}) for unit in ("seconds", "minutes", "hours", "days"))


@pytest.mark.parametrize(("status", "verdict"), list(product(sorted(WATCHED), Verdict)))
def test_only_proof_moves_a_grant(status: GrantStatus, verdict: Verdict) -> None:
    after = status_after(status, verdict, denials=2)
    assert after in WATCHED
    if verdict is V.UNKNOWN:
        assert after is status
    elif verdict is V.DENIED:
        assert after is (S.EXPECTED if status in NOT_SEEN_YET else S.UNREACHABLE)
    else:
        assert after == {V.OK: S.VERIFIED, V.UNSAFE: S.UNSAFE, V.DRIFTED: S.DRIFTED}[verdict]


@pytest.mark.parametrize("status", [S.ENDING, S.GONE])
def test_what_ends_is_moved_by_no_check(status: GrantStatus) -> None:
    with pytest.raises(KeyError):
        status_after(status, V.OK, denials=0)


@pytest.mark.parametrize("status", sorted(WATCHED))
def test_one_refusal_moves_nothing(status: GrantStatus) -> None:
    assert status_after(status, V.DENIED, denials=1) is status


@pytest.mark.parametrize(
    ("verdict", "before", "seen_for", "after"),
    [
        (V.DENIED, 0, None, 1),
        (V.DENIED, 1, 2 * MINUTE, 2),
        (V.DENIED, 1, 2 * MINUTE - SECOND, 0),
        (V.DENIED, 0, 0 * SECOND, 0),
        (V.UNKNOWN, 1, None, 1),
        (V.OK, 1, None, 0),
        (V.DRIFTED, 1, None, 0),
        (V.UNSAFE, 1, None, 0),
    ],
)
def test_refusals_in_a_row_are_counted_once_a_role_is_known_everywhere(
    verdict: Verdict, before: int, seen_for: dt.timedelta | None, after: int
) -> None:
    assert denials_after(verdict, before=before, role_seen_for=seen_for) == after


@pytest.mark.parametrize(
    ("unknowns", "wait"),
    [
        (1, 15 * SECOND),
        (2, 30 * SECOND),
        (6, 8 * MINUTE),
        (7, 16 * MINUTE),
        (8, 16 * MINUTE),
        (99, 16 * MINUTE),
    ],
)
def test_an_outage_is_asked_ever_more_rarely(unknowns: int, wait: dt.timedelta) -> None:
    for status in (S.VERIFIED, *sorted(BROKEN)):
        assert check_wait(status, V.UNKNOWN, searching_for=90 * DAY, unknowns=unknowns) == wait
    if unknowns > 1:
        assert check_wait(S.EXPECTED, V.UNKNOWN, searching_for=0 * DAY, unknowns=unknowns) == wait


def test_every_status_is_watched_or_over() -> None:
    assert WATCHED | {S.ENDING, S.GONE} == set(S)
    assert NOT_SEEN_YET | BROKEN | {S.VERIFIED} == WATCHED
    assert all(not onward for status, onward in VISIT_MOVES.items() if status is not VisitStatus.INTENDED)
    assert set(VISIT_MOVES) == set(VisitStatus)


@pytest.mark.parametrize(
    ("searching_for", "wait"),
    [
        (0 * SECOND, 5 * SECOND),
        (10 * MINUTE - SECOND, 5 * SECOND),
        (10 * MINUTE, MINUTE),
        (HOUR, 15 * MINUTE),
        (7 * DAY - SECOND, 15 * MINUTE),
        (7 * DAY, 6 * HOUR),
        (300 * DAY, 6 * HOUR),
    ],
)
def test_a_role_is_looked_for_ever_more_rarely(searching_for: dt.timedelta, wait: dt.timedelta) -> None:
    for status, verdict in product(sorted(NOT_SEEN_YET), Verdict):
        assert check_wait(status, verdict, searching_for=searching_for) == wait


@pytest.mark.parametrize(
    ("status", "verdict", "wait"),
    [
        (S.VERIFIED, V.OK, HOUR),
        (S.VERIFIED, V.UNKNOWN, 15 * SECOND),
        (S.DRIFTED, V.DRIFTED, 5 * MINUTE),
        (S.UNSAFE, V.UNSAFE, 5 * MINUTE),
        (S.UNREACHABLE, V.DENIED, 5 * MINUTE),
        (S.UNREACHABLE, V.UNKNOWN, 15 * SECOND),
        (S.VERIFIED, V.DENIED, 15 * SECOND),
        (S.UNSAFE, V.DENIED, 15 * SECOND),
    ],
)
def test_a_role_that_was_seen_is_watched(status: GrantStatus, verdict: Verdict, wait: dt.timedelta) -> None:
    assert check_wait(status, verdict, searching_for=90 * DAY) == wait


@pytest.mark.parametrize(
    ("closing_for", "wait"),
    [
        (0 * SECOND, 5 * SECOND),
        (15 * MINUTE - SECOND, 5 * SECOND),
        (15 * MINUTE, MINUTE),
        (2 * HOUR - SECOND, MINUTE),
        (2 * HOUR, 15 * MINUTE),
        (30 * DAY, 15 * MINUTE),
    ],
)
def test_an_end_is_looked_for_ever_more_rarely(closing_for: dt.timedelta, wait: dt.timedelta) -> None:
    assert closing_wait(closing_for) == wait
