"""What differs in AWS from what was agreed, in words for people; AWS's own words stand behind a disclosure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final

from django.utils.translation import gettext, ngettext

from awsaccess.policy.compare import Difference
from portal.pages.pagemodels import Change

ACTION: Final = re.compile(r"\b[a-z][a-z0-9-]*:[A-Za-z*?]+")
MOST_NAMED: Final = 3
NAMES: Final = ("sts:sourceidentity ", "aws:requesttag/latchkey:")


def changes_of(found: Iterable[Difference], *, practice: str) -> tuple[Change, ...]:
    """One sentence for each difference, the gravest first; what reads the same is told once."""
    told: dict[str, Change] = {}
    for difference in sorted(found, key=lambda each: {True: 0, None: 1, False: 2}[each.wider]):
        title = _title(difference, practice)
        change = Change(
            title=title,
            effect=_effect(difference.wider),
            tone="wait" if difference.wider is False else "stop",
            agreed=difference.expected or "",
            now=difference.actual or "",
        )
        told.setdefault(f"{title}\n{change.agreed}\n{change.now}", change)
    return tuple(told.values())


def _effect(wider: bool | None) -> str:  # noqa: FBT001  # an answer, not a switch
    if wider is None:
        return gettext("We can’t tell what it opens")
    return gettext("More than was agreed") if wider else gettext("Less than was agreed")


def _title(difference: Difference, practice: str) -> str:
    write: dict[str, Callable[[Difference], str]] = {
        "attached": _attached,
        "max_session_duration": _duration,
        "permissions_boundary": _boundary,
        "tags": _tag,
    }
    if difference.what == "trust":
        return _lock(difference, practice)
    return write.get(difference.what, _permission)(difference)


def _lock(difference: Difference, practice: str) -> str:
    if difference.wider is not False and _is_about_names(difference):
        return gettext("The lock no longer asks who comes in, as you agreed. Nobody else gets in by that.")
    if difference.wider is True:
        return gettext("Others than %(practice)s could use the access.") % {"practice": practice}
    if difference.wider is None:
        return gettext("Who can use the access was changed in a way that can’t be judged from here.")
    return gettext("The lock lets %(practice)s in less often than you agreed.") % {"practice": practice}


def _is_about_names(difference: Difference) -> bool:
    """Whether all that differs is what a session has to say of itself (ADR 17)."""
    agreed, now = (_conditions(text) for text in (difference.expected, difference.actual))
    return agreed != now and _unnamed(agreed) == _unnamed(now) != set()


def _conditions(text: str | None) -> set[str]:
    """What one sentence allows to whom, and each of its conditions; several sentences are one each."""
    if not text or "; " in text:
        return {text or ""}
    allowed, _, conditions = text.partition(" if ")
    return {allowed, *conditions.split(" and ")}


def _unnamed(conditions: set[str]) -> set[str]:
    return {each for each in conditions if each and not each.startswith(NAMES)}


def _permission(difference: Difference) -> str:
    """What a statement of the role's own policies allows or denies, by the names of its actions."""
    gained, lost = _actions(difference.actual), _actions(difference.expected)
    if difference.wider is False:
        names = [name for name in lost if name not in gained] or lost or gained
        return gettext("It can no longer do all of this: %(names)s.") % {"names": _named(names)}
    names = gained or lost
    if difference.actual is None or difference.actual.startswith("Deny"):
        names = lost or gained
        return gettext("This is no longer ruled out as you agreed: %(names)s.") % {"names": _named(names)}
    return gettext("It can do this, which you didn’t agree to: %(names)s.") % {"names": _named(names)}


def _attached(difference: Difference) -> str:
    if difference.actual is None:
        gone = _policy(difference.expected)
        return gettext("A set of permissions that you agreed to is gone: %(name)s.") % {"name": gone}
    name = {"name": _policy(difference.actual)}
    if difference.wider is False:
        return gettext("A policy was added that only takes away: %(name)s.") % name
    if difference.wider is None:
        return gettext("A policy of your own account was added: %(name)s.") % name
    return gettext("A set of permissions was added: %(name)s.") % name


def _duration(difference: Difference) -> str:
    agreed, now = _hours(difference.expected), _hours(difference.actual)
    return gettext("One visit can last up to %(now)s; you agreed to %(agreed)s.") % {
        "now": now,
        "agreed": agreed,
    }


def _boundary(difference: Difference) -> str:
    return gettext("A limit of your own account was put on it: %(name)s.") % {
        "name": _policy(difference.actual)
    }


def _tag(difference: Difference) -> str:
    name = (difference.expected or difference.actual or "").partition(" = ")[0]
    return gettext("A label was changed or taken off: %(name)s. It opens nothing.") % {"name": name}


def _actions(text: str | None) -> list[str]:
    """The actions of a sentence: what stands before the first place, person or condition."""
    if not text:
        return []
    heads = [sentence.partition(" on ")[0].partition(" to ")[0] for sentence in text.split("; ")]
    return sorted({name for head in heads for name in ACTION.findall(head)} or {"*"})


def _named(names: list[str]) -> str:
    shown, more = names[:MOST_NAMED], len(names) - MOST_NAMED
    told = ", ".join(gettext("everything") if name in ("*", "*:*") else name for name in shown)
    if more <= 0:
        return told
    rest = ngettext("and %(count)s more", "and %(count)s more", more) % {"count": more}
    return f"{told} {rest}"


def _policy(arn: str | None) -> str:
    return (arn or "").rpartition("/")[2]


def _hours(text: str | None) -> str:
    """From "3600 seconds"."""
    minutes = int((text or "0").partition(" ")[0]) // 60
    if minutes % 60:
        return ngettext("%(count)s minute", "%(count)s minutes", minutes) % {"count": minutes}
    hours = minutes // 60
    return ngettext("%(count)s hour", "%(count)s hours", hours) % {"count": hours}
