"""What was agreed against what AWS has now, action by action. Order, case of actions and splitting do not matter."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final, Protocol

from awsaccess.policy.rules import Rule, rules_of, uncovered
from awsaccess.policy.wording import in_words

Document = Mapping[str, Any]  # Any: IAM's JSON nests as it likes

# Made by the console's "Revoke active sessions": the client's own act, no drift (AWS_FACTS §9).
REVOKED: Final = "AWSRevokeOlderSessions"
# AWS's own policies that only take away; of any other one a name tells no content that could be relied on.
TAKING_AWAY: Final = frozenset(
    {"AWSDenyAll", "AWSCompromisedKeyQuarantineV2", "AWSCompromisedKeyQuarantineV3"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that is not as agreed, in words for both sides. No words hold an external ID.

    `what` is `trust`, `inline <policy name>`, `attached`, `max_session_duration`, `permissions_boundary` or `tags`.
    `expected` and `actual` are None where there is nothing. `wider`: True opens more than was agreed, False does not, None cannot
    be told by looking.
    """

    what: str
    expected: str | None
    actual: str | None
    wider: bool | None


class ExpectedShape(Protocol):
    """What was agreed: `awsaccess.provision.access_stack.ExpectedRole`."""

    @property
    def trust_document(self) -> Document: ...
    @property
    def inline_documents(self) -> Mapping[str, Document]: ...
    @property
    def attached_policy_arns(self) -> AbstractSet[str]: ...
    @property
    def max_session_duration(self) -> int: ...
    @property
    def tags(self) -> Mapping[str, str]: ...


class ActualShape(ExpectedShape, Protocol):
    """What AWS has: `awsaccess.aws.gateway.RoleFacts`."""

    @property
    def permissions_boundary(self) -> str | None: ...


def differences(expected: ExpectedShape, actual: ActualShape) -> tuple[Difference, ...]:
    """Everything that is not as agreed; empty if the role opens exactly that. A boundary is never agreed."""
    return (
        *_of_trust(expected.trust_document, actual.trust_document),
        *_of_inline(expected.inline_documents, actual.inline_documents),
        *_of_attached(expected.attached_policy_arns, actual.attached_policy_arns),
        *_of_duration(expected.max_session_duration, actual.max_session_duration),
        *_of_boundary(actual.permissions_boundary),
        *_of_tags(expected.tags, actual.tags),
    )


def trust_opens_wider(expected: Document, actual: Document) -> bool | None:
    """Whether the trust policy lets in anybody, in any way, that was not agreed. None cannot be told by looking."""
    return any_wider(_of_trust(expected, actual))


def revoked_before(inline_documents: Mapping[str, Document]) -> dt.datetime | None:
    """The moment before which sessions are denied everything: by the console's "Revoke", or by our update of the stack."""
    found = inline_documents.get(REVOKED, {}).get("Statement", [])
    moments = [_denied_before(statement) for statement in (found if isinstance(found, list) else [found])]
    return max((moment for moment in moments if moment is not None), default=None)


def _denied_before(statement: Document) -> dt.datetime | None:
    condition = statement.get("Condition", {})
    said = condition.get("DateLessThan", {}).get("aws:TokenIssueTime")
    texts = said if isinstance(said, list) else [said]
    whole = all(statement.get(part) in ("*", ["*"]) for part in ("Action", "Resource"))
    # Any further condition would let some sessions live on.
    alone = set(condition) == {"DateLessThan"} and set(condition["DateLessThan"]) == {"aws:TokenIssueTime"}
    if statement.get("Effect") != "Deny" or not whole or not alone or len(texts) != 1:
        return None
    try:
        moment = dt.datetime.fromisoformat(texts[0])
    except (TypeError, ValueError):
        return None
    return moment if moment.utcoffset() is not None else None


def any_wider(found: Iterable[Difference]) -> bool | None:
    """True if one of them is wider, None if one of the others cannot be told, else False."""
    verdicts = {difference.wider for difference in found}
    return True if True in verdicts else None if None in verdicts else False


def _of_trust(expected: Document, actual: Document) -> Iterator[Difference]:
    return _of_rules(list(rules_of("trust", expected)), list(rules_of("trust", actual)))


def _of_inline(expected: Mapping[str, Document], actual: Mapping[str, Document]) -> Iterator[Difference]:
    """All of a role's inline policies together, because AWS adds them up: in which of them a line stands is no matter."""
    wanted = chain.from_iterable(rules_of(f"inline {name}", each) for name, each in expected.items())
    found = chain.from_iterable(
        rules for name, each in actual.items() if not _is_revocation(name, rules := _inline_rules(name, each))
    )
    return _of_rules(list(wanted), list(found))


def _inline_rules(name: str, document: Document) -> list[Rule]:
    return list(rules_of(f"inline {name}", document))


def _is_revocation(name: str, rules: list[Rule]) -> bool:
    return name == REVOKED and all(rule.effect == "Deny" for rule in rules)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """A rule that the other side does not have, and what the other side has in its place."""

    what: str
    expected: tuple[Rule, ...]
    actual: tuple[Rule, ...]
    wider: bool | None

    @property
    def alike(self) -> object:
        """Equal for changes that differ in their actions only: they are told in one sentence."""
        sides = (tuple(rule.without_action() for rule in side) for side in (self.expected, self.actual))
        return self.what, self.wider, tuple(sides)


def _of_rules(wanted: list[Rule], found: list[Rule]) -> Iterator[Difference]:
    agreed_ids = frozenset(chain.from_iterable(rule.external_ids() for rule in wanted))
    together: dict[object, list[_Change]] = {}
    for change in _changes(wanted, found):
        together.setdefault(change.alike, []).append(change)
    for changes in together.values():
        yield Difference(
            what=changes[0].what,
            expected=in_words(chain.from_iterable(each.expected for each in changes), agreed_ids),
            actual=in_words(chain.from_iterable(each.actual for each in changes), agreed_ids),
            wider=changes[0].wider,
        )


def _changes(wanted: list[Rule], found: list[Rule]) -> Iterator[_Change]:
    """What opens wider first, so that its other side is not told a second time as something missing."""
    told: set[Rule] = set()
    for lost in chain(_lost("Allow", found, wanted), _lost("Deny", wanted, found)):
        told.update(lost.instead)
        yield lost.as_change(wider=lost.certain, was_agreed=lost.rule.effect == "Deny")
    for lost in chain(_lost("Allow", wanted, found), _lost("Deny", found, wanted)):
        if lost.whole not in told:
            yield lost.as_change(wider=False, was_agreed=lost.rule.effect == "Allow")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lost:
    """What one side says and the other does not: `rule`, a part of `whole`; `instead` is what the other says of it."""

    whole: Rule
    rule: Rule
    certain: bool | None
    instead: tuple[Rule, ...]

    def as_change(self, *, wider: bool | None, was_agreed: bool) -> _Change:
        sides = ((self.rule,), self.instead)
        expected, actual = sides if was_agreed else sides[::-1]
        return _Change(what=self.rule.what, expected=expected, actual=actual, wider=wider)


def _lost(effect: str, rules: list[Rule], others: list[Rule]) -> Iterator[_Lost]:
    own = set(rules)
    for whole in rules:
        left, certain = uncovered(whole, others)
        if whole.effect == effect and left:
            rule = whole.only(left)
            # What both sides say explains nothing.
            instead = tuple(other for other in others if rule.is_about_the_same(other) and other not in own)
            yield _Lost(whole=whole, rule=rule, certain=certain, instead=instead)


def _of_attached(expected: AbstractSet[str], actual: AbstractSet[str]) -> Iterator[Difference]:
    for arn in sorted(actual - expected):
        yield Difference(what="attached", expected=None, actual=arn, wider=_attached_is_wider(arn))
    for arn in sorted(expected - actual):
        yield Difference(what="attached", expected=arn, actual=None, wider=False)


def _attached_is_wider(arn: str) -> bool | None:
    """AWS's own policies open something, but for a few; what the account's own ones do cannot be seen."""
    _, _, _, _, account, name = arn.split(":", 5)
    if account != "aws":
        return None
    return name.rpartition("/")[2] not in TAKING_AWAY


def _of_duration(expected: int, actual: int) -> Iterator[Difference]:
    if expected != actual:
        yield Difference(
            what="max_session_duration",
            expected=f"{expected} seconds",
            actual=f"{actual} seconds",
            wider=actual > expected,
        )


def _of_boundary(actual: str | None) -> Iterator[Difference]:
    """A boundary only takes away; it can never open anything."""
    if actual is not None:
        yield Difference(what="permissions_boundary", expected=None, actual=actual, wider=False)


def _of_tags(expected: Mapping[str, str], actual: Mapping[str, str]) -> Iterator[Difference]:
    """What was agreed to must be there as agreed; tags of the client's own house were never agreed and are theirs.

    None of ours opens anything: our policies ask for none.
    """
    for key, value in sorted(expected.items()):
        if actual.get(key) != value:
            found = f"{key} = {actual[key]}" if key in actual else None
            yield Difference(what="tags", expected=f"{key} = {value}", actual=found, wider=False)
