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
    status_after,
)

S, V = GrantStatus, Verdict
SECOND, MINUTE, HOUR, DAY = (dt.timedelta(**{unit: 1}) for unit in ("seconds", "minutes", "hours", "days"))


@pytest.mark.parametrize(("status", "verdict"), list(product(sorted(WATCHED), Verdict)))
def test_only_proof_moves_a_grant(status: GrantStatus, verdict: Verdict) -> None:
    after = status_after(status, verdict)
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
        status_after(status, V.OK)


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
