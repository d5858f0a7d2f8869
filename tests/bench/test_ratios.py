"""From rounds to one ratio."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.ratios import Ratio, Sense, interleave, middle, percentile, ratio_of

SECONDS = st.floats(min_value=1e-3, max_value=1e3)


def of(pairs: Sequence[tuple[float, ...]], *, sense: Sense = "<=", target: float = 2) -> Ratio:
    return ratio_of(pairs, name="name", sense=sense, target=target, meaning="a / b")


def test_a_ratio_is_the_median_of_the_rounds_and_not_the_ratio_of_the_medians() -> None:
    rounds = [(1.0, 1.0), (10.0, 2.0), (3.0, 1.0)]
    assert of(rounds).value == 3
    assert middle(rounds, 0) / middle(rounds, 1) == 3
    assert of([(1.0, 2.0), (6.0, 3.0), (9.0, 1.0)]).value == 2


def test_the_spread_is_that_of_the_rounds() -> None:
    found = of([(1.0, 2.0), (4.0, 1.0), (3.0, 1.0)])
    assert (found.lowest, found.highest, found.rounds) == (0.5, 4.0, 3)


@given(rounds=st.lists(st.tuples(SECONDS, SECONDS, SECONDS), min_size=1, max_size=7))
def test_a_slow_minute_changes_no_ratio(rounds: list[tuple[float, float, float]]) -> None:
    calm = of([(first, second) for first, second, _ in rounds])
    slow = of([(first * factor, second * factor) for first, second, factor in rounds])
    assert slow.value == pytest.approx(calm.value)


@pytest.mark.parametrize(
    ("sense", "target", "verdict"),
    [("<=", 2.0, "ok"), ("<=", 1.9, "short"), (">=", 2.0, "ok"), (">=", 2.1, "short")],
)
def test_the_target_itself_is_reached(sense: Sense, target: float, verdict: str) -> None:
    assert of([(2.0, 1.0)], sense=sense, target=target).verdict == verdict


def test_a_line_begins_with_name_ratio_target_and_verdict() -> None:
    line = of([(1.0, 2.0), (2.0, 2.0)], target=1.9).line()
    assert line == "name 0.75 <=1.9 ok (a / b; 2 rounds, 0.50 to 1.00)"


def test_one_round_has_no_spread() -> None:
    assert of([(1.0, 2.0)]).line().endswith("(a / b; 1 round)")


def test_sides_take_turns_and_the_warm_up_does_not_count() -> None:
    asked = []

    def side(name: str, value: float) -> float:
        asked.append(name)
        return value + len(asked)

    found = interleave(rounds=2, sides=(lambda: side("a", 0), lambda: side("b", 100)), warm_up=1)
    assert "".join(asked) == "ababab"
    assert found == [(3, 104), (5, 106)]


@given(values=st.lists(SECONDS, min_size=1), share=st.floats(min_value=0, max_value=1))
def test_a_percentile_is_one_of_the_values_and_leaves_its_share_below(
    values: list[float], share: float
) -> None:
    found = percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values)


def test_the_99th_percentile_of_a_hundred_is_the_last_but_one() -> None:
    assert percentile([float(number) for number in range(100)], 0.99) == 98
