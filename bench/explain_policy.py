"""`explain_policy`: explaining AWS's own policies in words, against reading and walking the same JSON."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from kit.ratios import Ratio, interleave, middle, ratio_of
from kit.script import Options, run, say

from awsaccess.policy import catalogue
from awsaccess.policy.explain import explain
from awsaccess.policy.plain import plain

TARGET: Final = 5
TARGET_LARGEST: Final = 1
LONGEST_SECONDS: Final = 0.05  # what a page has for one policy
POLICIES: Final = 200
Texts = Sequence[str]


def measure(options: Options) -> Sequence[Ratio]:
    """CPU of explaining 200 policies, and of the one that takes longest, each against its anchor."""
    texts = _policies(options.sized(POLICIES, least=10))
    sides: tuple[Callable[[], float], ...] = (
        lambda: _timed(_explain_all, texts),
        lambda: _timed(_walk_all, texts),
    )
    rounds = interleave(rounds=options.rounds, sides=sides, warm_up=max(1, options.warm_up))
    say(
        f"{len(texts)} policies: {middle(rounds, 0) * 1000:.0f} ms CPU explained, "
        f"{middle(rounds, 1) * 1000:.0f} ms CPU read and walked"
    )
    meaning = "CPU of explaining 200 of AWS's policies / of reading their JSON and looking every action up"
    return (
        ratio_of(rounds, name="explain_policy", sense="<=", target=TARGET, meaning=meaning),
        _largest(options),
    )


def _largest(options: Options) -> Ratio:
    """The policy that takes longest of all, once the service data is there, against what a page has for it."""
    texts = _policies(None)
    _explain_all(texts)  # so that none is the slowest for being the first to need a service's data
    slowest = max(texts, key=lambda text: _timed(_explain_all, [text]))
    pairs = [(_timed(_explain_all, [slowest]), LONGEST_SECONDS) for _ in range(options.rounds)]
    say(f"the longest of {len(texts)}: {middle(pairs, 0) * 1000:.1f} ms CPU")
    meaning = "CPU of explaining the policy that takes longest of all / 50 ms"
    return ratio_of(pairs, name="explain_policy_largest", sense="<=", target=TARGET_LARGEST, meaning=meaning)


def _policies(count: int | None) -> list[str]:
    """The texts of AWS's managed policies, or of so many, spread over all."""
    from moto.iam.aws_managed_policies import aws_managed_policies_data

    every = json.loads(aws_managed_policies_data)
    names = sorted(every)
    step = max(1, len(names) // count) if count else 1
    return [json.dumps(every[name]["Document"]) for name in names[::step][:count]]


def _timed(work: Callable[[Texts], object], texts: Texts) -> float:
    started = time.process_time()
    work(texts)
    return time.process_time() - started


def _explain_all(texts: Texts) -> list[str]:
    return [plain(explain(json.loads(text))).text for text in texts]


def _walk_all(texts: Texts) -> int:
    """The least that any explanation has to do: read the policy, and find each action's services in the data."""
    return sum(len(catalogue.matching(action)) for text in texts for action in _actions(json.loads(text)))


def _actions(document: Any) -> Iterator[str]:  # Any: JSON
    if isinstance(document, list):
        for each in document:
            yield from _actions(each)
    elif isinstance(document, dict):
        for name, each in document.items():
            if name in ("Action", "NotAction"):
                yield from each if isinstance(each, list) else [each]
            else:
                yield from _actions(each)


if __name__ == "__main__":
    run(measure, about="explain_policy: AWS's own policies in words, against reading and walking their JSON")
