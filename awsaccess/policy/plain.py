"""An explanation in the words of people who know nothing of AWS, in their language. The words are in `words/*.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

from awsaccess.policy import catalogue
from awsaccess.policy.catalogue import Level
from awsaccess.policy.explain import Explanation, ServiceAccess
from awsaccess.policy.risks import RiskKind

LANGUAGES: Final = ("en", "de")
MOST_NAMED: Final = 3  # beyond it, "and 12 more"
Words = Mapping[str, Mapping[str, str]]  # section -> key -> phrase with {names}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """Sentences, each whole by itself. `unknown` is empty where everything is known."""

    headline: str
    risks: tuple[str, ...]
    services: tuple[str, ...]
    cannot: tuple[str, ...]
    unknown: str

    @property
    def text(self) -> str:
        """All of it, a sentence or a service on each line."""
        lines = (self.headline, *self.risks, *self.services, self.unknown, *self.cannot)
        return "\n".join(line for line in lines if line)


def plain(explanation: Explanation, language: str = "en") -> Plain:
    """The same explanation gives the same words. English stands in for a language that has none of its own."""
    words = _words(language if language in LANGUAGES else "en")
    return Plain(
        headline=words["headline"][_headline(explanation)],
        risks=tuple(
            words["risk"][risk.kind].format(services=_named(risk.services, words))
            for risk in explanation.risks
        ),
        services=tuple(_service(each, words) for each in explanation.services),
        cannot=tuple(
            f"{words['cannot'][each.key]} {words['kept']['locked' if each.locked else 'absent']}"
            for each in explanation.cannot
        ),
        unknown=words["service"]["unknown"].format(names=", ".join(explanation.unknown))
        if explanation.unknown
        else "",
    )


def cannot_sentence(key: str, language: str = "en") -> str:
    """One promise of `limits.PROMISES` in words. Raises KeyError for one that does not exist."""
    return _words(language if language in LANGUAGES else "en")["cannot"][key]


def _headline(explanation: Explanation) -> str:
    """The gravest thing decides. Nothing is called harmless that is not proved to be."""
    if explanation.is_everything:
        return "everything"
    kinds = {risk.kind for risk in explanation.risks}
    graver = (RiskKind.ESCALATES, RiskKind.EXPOSES, RiskKind.CHANGES, RiskKind.CREDENTIALS)
    for kind in (*graver, RiskKind.READS_DATA):
        if kind in kinds:
            return kind.value
    if explanation.unknown:
        return "perhaps" if explanation.services else "unknown"
    return "look" if explanation.services else "nothing"


def _service(service: ServiceAccess, words: Words) -> str:
    own = words["service"]
    can = own["everything"] if service.full and service.changes else ", ".join(_abilities(service, words))
    sentences = [own["line"].format(name=service.name, can=can)]
    if service.on_named:
        sentences.append(own["named"])
    if service.on_condition:
        sentences.append(own["condition"])
    return " ".join(sentences)


def _abilities(service: ServiceAccess, words: Words) -> list[str]:
    """Who may only see the permissions of others reads details, whatever AWS files it under."""
    reads = any(each.level is Level.READ for each in service.extents)
    told = []
    for each in service.extents:
        if not each.only_shows:
            told.append(words["full" if each.full else "limited"][each.level])
        elif not reads:
            told.append(words["limited"][Level.READ])
    return told


def _named(prefixes: Sequence[str], words: Words) -> str:
    names = sorted((_name(prefix) for prefix in prefixes), key=str.lower)
    if len(names) == 1:
        return names[0]
    if len(names) > MOST_NAMED + 1:  # "and 1 more" would save nothing
        first, left = ", ".join(names[:MOST_NAMED]), len(names) - MOST_NAMED
        return words["list"]["more"].format(first=first, count=left)
    return words["list"]["two"].format(first=", ".join(names[:-1]), last=names[-1])


def _name(prefix: str) -> str:
    service = catalogue.service(prefix)
    return service.name if service else prefix


@cache
def _words(language: str) -> Words:
    place = resources.files("awsaccess.policy").joinpath("words", f"{language}.toml")
    words: Words = tomllib.loads(place.read_text(encoding="utf-8"))
    return words
