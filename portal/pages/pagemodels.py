"""What each client page is given to format: finished words, no rows. Templates decide nothing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class Human:
    """A person as pages show one. `phone` and `email` may be empty."""

    name: str
    first_name: str
    initials: str
    title: str = ""
    phone: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What stands round every client page: the people, the genuine address, the clock's zone."""

    code: str
    practice: str
    client: str
    title: str
    lead: Human
    me: Human
    host: str
    zone: str
    may_decide: bool
    does_aws: bool
    sees_paper: bool


class AccessKind(StrEnum):
    """What an offer opens."""

    LOOK = "look"
    CHANGE = "change"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """The kind of access in words. `icon` is a symbol of the sprite."""

    code: AccessKind
    tag: str
    words: str
    icon: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The short answers: who, why, where, what kind, until when. `account_number` is empty while unknown."""

    people: str
    first_names: str
    firm: str
    title: str
    contract: str
    account_name: str
    account_number: str
    kind: Kind
    until_long: str
    until_day: str
    until_zone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ability:
    """One thing they will be able to see or change, with its reason; the AWS names stand behind a disclosure."""

    icon: str
    title: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One more thing that they would be able to do if the client ticks it. `aws_names` stand behind a disclosure."""

    key: str
    icon: str
    title: str
    why: str
    aws_names: str
    is_ticked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentPaper:
    """Everything that is agreed, and nothing else: rendered to the bytes that are kept.

    `doorbell`: each visit is let in by the client; `break_glass`: except in an emergency. `grade`: how many years of school
    its words ask for (Flesch-Kincaid in English, Wiener Sachtextformel in German); None in other languages.
    """

    facts: Facts
    abilities: tuple[Ability, ...]
    choices: tuple[Choice, ...]
    is_chosen: bool  # by a colleague who agreed before: the boxes stand as they are
    warnings: tuple[str, ...]
    cannot: tuple[str, ...]
    aws_names: tuple[str, ...]
    practice: str
    offer_number: int
    offer_sha256: str
    doorbell: bool = False
    break_glass: bool = False
    grade: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """Where several people have to agree: who did and when, who is asked, and whether the reader did."""

    words: str
    agreed: tuple[tuple[str, str], ...]
    asked: tuple[str, ...]
    mine: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One question or answer. `text` may have several lines."""

    name: str
    initials: str
    text: str
    when: str
    iso: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRow:
    """One of the four named checks. `mark` is ok, stop or empty while it waits; `icon` is a symbol of the sprite."""

    title: str
    answer: str
    mark: str
    icon: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that differs in AWS from what was agreed. `agreed` and `now` are AWS's own words, or empty."""

    title: str
    effect: str
    tone: str
    agreed: str
    now: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is wrong. `technical` stands behind a disclosure; `mend_label` is the button that leads into AWS."""

    title: str
    text: str
    technical: str
    mend_label: str
    first_name: str
    changes: tuple[Change, ...] = ()


class Where(StrEnum):
    """How far another AWS account has come: it was named, asked for, or confirmed and to be agreed to."""

    NAMED = "named"
    ASKED = "asked"
    CONFIRMED = "confirmed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """Another account than the agreed one, and the two ways on. `steps` take away there what was begun.

    `account_id` is empty where nobody can ask to use it.
    """

    where: Where
    account_id: str
    ending: str
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """The live card. `tone` is ok, wait, stop or empty; `poll_seconds` is 0 once nothing more will come.

    `steps` tell what AWS and the portal are at, while they are.
    """

    tone: str
    icon: str
    spins: bool
    title: str
    text: str
    said: str
    rows: tuple[CheckRow, ...]
    is_on: bool
    check_label: str
    digest: str
    poll_seconds: int
    started: int
    problem: Problem | None = None
    steps: tuple[CheckRow, ...] = ()
    elsewhere: Elsewhere | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One line of the closing list. `state` is done, now or later; `asks` says that a person has to do it."""

    title: str
    text: str
    state: str
    tag: str
    asks: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One line of the activity list. `badge` is initials, or empty where `icon` stands."""

    title: str
    text: str
    time: str
    iso: str
    badge: str = ""
    icon: str = ""
    tone: str = ""
    link_url: str = ""
    link_label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What happened on one day, newest first."""

    heading: str
    happenings: tuple[Happening, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Banner:
    """The state in words. `tone` is ok, wait, stop or empty."""

    tone: str
    icon: str
    title: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One line of evidence. `exact` is a moment to the second in UTC, or empty."""

    title: str
    text: str
    exact: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The consent as evidence in words."""

    reference: str
    signer: Human
    given_local: str
    given_zone: str
    given_utc: str
    account_number: str
    rows: tuple[Fact, ...]
    shown_sha256: str
    offer_sha256: str
    agreed_sha256: str
    withdrawn: str
    withdrawn_utc: str
    seal: str
    seal_words: str
    seal_utc: str
    seal_note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """One line of the client's list."""

    code: str
    title: str
    text: str
    tag: str
    tone: str
    link: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """The closing list and how soon to ask again."""

    card: Card
    tasks: tuple[Task, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """The end of an engagement in words. `checks` are the lines of the final proof."""

    reference: str
    title: str
    people: str
    firm: str
    client: str
    account: str
    kind: str
    period: str
    visits: str
    proved: str
    checks: tuple[tuple[str, str], ...]
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hands:
    """What a colleague who does the step in AWS is told: who asks, who agreed and when, what is made.

    `asked` and `agreed` are sentences, the first empty for whom nobody asked by name.
    """

    asked: str
    agreed: tuple[str, ...]
    role: str
    kind: str
    until: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One colleague who was asked. `tone` is ok, wait or stop."""

    name: str
    email: str
    when: str
    text: str
    tone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What a message of AWS's means: what happened, what is at risk, causes, and the one way on.

    `way` names the filled button: open, colleague, stack or ask. `needs_rights` shows the permissions needed,
    `elsewhere` what can be done about another account.
    """

    title: str
    text: str
    risk: str
    steps: tuple[str, ...]
    way: str
    needs_rights: bool = False
    elsewhere: Elsewhere | None = None
