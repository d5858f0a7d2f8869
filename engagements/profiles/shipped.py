"""The library that ships with the portal: ten profiles, put together from rights, guards and words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Final

from engagements.profiles import guards
from engagements.profiles.rights import RIGHTS
from engagements.profiles.shapes import (
    NO_CONTENTS,
    NO_PASSING_ON,
    NOTHING_ALLOWED,
    AccessProfile,
    Kind,
    Limit,
    Line,
    Statement,
    managed_of,
    statements_of,
)
from engagements.profiles.words import words_in


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a profile consists of, by keys. `opened`: contents that it reads on purpose; None: it has no such guard.

    `limits`: key -> what keeps it.
    """

    code: str
    lines: tuple[str, ...]
    optional: tuple[str, ...] = ()
    kind: Kind = Kind.LOOK
    opened: frozenset[str] | None = frozenset()
    keeps_data: bool = True
    limits: Mapping[str, str]
    warnings: tuple[str, ...] = ()


LOOK_LIMITS: Final = {
    "contents": NO_CONTENTS,
    "change": NOTHING_ALLOWED,
    "buy": NOTHING_ALLOWED,
    "pass_on": NO_PASSING_ON,
}
KEPT: Final = {
    "delete_data": guards.KEEP_DATA,
    "records": guards.KEEP_RECORDS,
    "money": guards.NO_MONEY,
    "pass_on": NO_PASSING_ON,
}
PLANS: Final = (
    Plan(
        code="cost_review",
        lines=("costs", "inventory", "metrics"),
        optional=("advice", "history"),
        limits=LOOK_LIMITS,
    ),
    Plan(
        code="security_review",
        lines=("settings", "inventory", "history"),
        optional=("network",),
        limits=LOOK_LIMITS,
    ),
    Plan(
        code="well_architected",
        lines=("inventory", "settings", "metrics", "backups", "quotas"),
        optional=("costs", "advice"),
        limits=LOOK_LIMITS,
    ),
    Plan(
        code="migration_assessment",
        lines=("inventory", "network", "metrics", "moving"),
        optional=("licences", "costs"),
        limits=LOOK_LIMITS,
    ),
    Plan(
        code="database_work",
        kind=Kind.CHANGE,
        lines=("databases", "databases_change", "databases_backup", "metrics"),
        optional=("databases_logs",),
        opened=frozenset({"database logs"}),
        limits={"secrets": guards.NO_DATA, "log_in": guards.NO_DATA, **KEPT},
        warnings=("databases_stop",),
    ),
    Plan(
        code="serverless_build",
        kind=Kind.CHANGE,
        lines=("functions", "functions_change", "interfaces_change", "stores_make", "logs"),
        optional=("metrics",),
        opened=frozenset({"code", "logs"}),
        limits={"data": guards.NO_DATA, "secrets": guards.NO_DATA, **KEPT},
        warnings=("functions_rights",),
    ),
    Plan(
        code="dns_email",
        kind=Kind.CHANGE,
        lines=("names", "names_change", "mail_change"),
        optional=("name_servers",),
        limits={"contents": guards.NO_DATA, **KEPT},
        warnings=("names_down",),
    ),
    Plan(
        code="incident_response",
        kind=Kind.CHANGE,
        lines=("history", "settings", "inventory", "logs", "stop", "proof"),
        optional=("network",),
        opened=frozenset({"logs"}),
        limits={"data": guards.NO_DATA, "secrets": guards.NO_DATA, **KEPT},
        warnings=("stopped",),
    ),
    Plan(code="billing_only", lines=("costs", "invoices"), limits=LOOK_LIMITS),
    Plan(
        code="full_administrator",
        kind=Kind.CHANGE,
        lines=("all_change", "all_read"),
        opened=None,
        keeps_data=False,
        limits={name: KEPT[name] for name in ("records", "money", "pass_on")},
        warnings=("all_delete", "all_data", "all_ways_round"),
    ),
)


@cache
def profiles_in(language: str = "en") -> Mapping[str, AccessProfile]:
    """The shipped profiles by their code, in the words of a language; English for one that has no words."""
    return MappingProxyType({plan.code: _profile(plan, language) for plan in PLANS})


def _profile(plan: Plan, language: str) -> AccessProfile:
    words = words_in(language)
    lines = tuple(_line(key, language) for key in plan.lines)
    own_guards = _guards(plan)
    return AccessProfile(
        code=plan.code,
        title=words["profiles"][plan.code]["title"],
        kind=plan.kind,
        summary=words["profiles"][plan.code]["summary"],
        lines=lines,
        optional_lines=tuple(_line(key, language) for key in plan.optional),
        limits=tuple(
            Limit(key=_promise(key), title=words["limits"][key]["title"], kept_by=kept_by)
            for key, kept_by in plan.limits.items()
        ),
        managed_policies=managed_of(lines),
        statements=(*statements_of(lines), *own_guards),
        guards=own_guards,
        warnings=tuple(words["warnings"][key]["text"] for key in plan.warnings),
    )


def _promise(key: str) -> str:
    """To a look, the sentence about money is another one: it can buy nothing at all, because it can change nothing."""
    return "money" if key == "buy" else key


def _line(key: str, language: str) -> Line:
    rights, told = RIGHTS[key], words_in(language)["lines"][key]
    statement = {
        "Sid": "".join(part.capitalize() for part in key.split("_")),
        "Effect": "Allow",
        "Action": list(rights.actions),
        "Resource": "*",
    }
    return Line(
        key=key,
        icon=rights.icon,
        title=told["title"],
        why=told["why"],
        actions=rights.actions or ("*",),
        statements=(statement,) if rights.actions else (),
        managed_policies=(rights.managed_policy,) if rights.managed_policy else (),
    )


def _guards(plan: Plan) -> tuple[Statement, ...]:
    """A look has its guard from the template; what changes things brings its own."""
    if plan.kind is Kind.LOOK:
        return ()
    first = () if plan.opened is None else (guards.no_data(opened=plan.opened),)
    second = (guards.keep_data(),) if plan.keeps_data else ()
    return (*first, *second, guards.keep_records(), guards.no_money())
