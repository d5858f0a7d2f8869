"""Taking everything away, step by step, and the certificate at the end."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from typing import Final
from zoneinfo import ZoneInfo

from django.utils.translation import gettext, ngettext

from awsaccess.models import ExitProof, Visit
from engagements.models import Consent, Engagement
from portal.kernel.languages import spelling
from portal.pages.activity import reference_of
from portal.pages.connecting import pace_seconds
from portal.pages.frames import Desk, had_access
from portal.pages.pagemodels import Card, Certificate, Closing, Facts, Task

VISITS_COUNTED: Final = 10_000
DONE, NOW, LATER = "done", "now", "later"


def closing_of(proof: ExitProof | None, *, started: int, now: dt.datetime, zone: ZoneInfo) -> Closing:
    """The three tasks, of which the second does itself."""
    proved = proof is not None and proof.proved_at is not None
    deleted = proved or (proof is not None and proof.refused_since is not None)
    tasks = (
        _deletion(proof, deleted=deleted),
        _proof(proof, deleted=deleted, zone=zone),
        _paper(proved=proved),
    )
    done = sum(task.state == DONE for task in tasks)
    told = ":".join(task.state + task.text for task in tasks)
    title = gettext("Everything is gone") if proved else gettext("%(done)s of 3 done") % {"done": done}
    card = Card(
        tone="",
        icon="circle-check" if proved else "loader-circle",
        spins=not proved,
        title=title,
        text="",
        said=title,
        rows=(),
        is_on=False,
        check_label=gettext("Check now"),
        digest=hashlib.sha256(told.encode()).hexdigest()[:16],
        poll_seconds=0 if proved else pace_seconds(started, now),
        started=started,
    )
    return Closing(card=card, tasks=tasks)


def reason_of(engagement: Engagement) -> str:
    """Who ended it, in one sentence."""
    if engagement.moved_by is None:
        return gettext("It ended by itself on the day you agreed.")
    return gettext("%(name)s ended it.") % {"name": engagement.moved_by.name}


def certificate_of(
    desk: Desk, *, facts: Facts, consent: Consent, proof: ExitProof | None, visits: Sequence[Visit]
) -> Certificate:
    """What both sides keep."""
    engagement, zone = desk.engagement, desk.zone
    begun = engagement.activated_at or consent.given_at
    ended = engagement.closing_at or engagement.ends_at
    issued = sum(visit.issued_at is not None for visit in visits)
    proved_at = (proof and proof.proved_at) or engagement.closed_at
    return Certificate(
        reference=reference_of(engagement, consent),
        title=engagement.title,
        people=spelling.joined([person.name for person in had_access(desk)]),
        firm=facts.firm,
        client=desk.frame.client,
        account=f"{facts.account_name} {facts.account_number}".strip(),
        kind=facts.kind.tag,
        period=gettext("%(begun)s to %(ended)s")
        % {"begun": spelling.day(begun, zone), "ended": spelling.day(ended, zone)},
        visits=ngettext("%(count)s visit", "%(count)s visits", issued) % {"count": issued},
        proved=spelling.long_moment(proved_at, zone) if proved_at else "",
        checks=_checks(proof, zone),
        sha256=proof.evidence_sha256 if proof else "",
    )


def _deletion(proof: ExitProof | None, *, deleted: bool) -> Task:
    return Task(
        title=gettext("Delete the access in AWS"),
        text=_refused(proof)
        if deleted
        else gettext("Open it in AWS, press “Delete”, and confirm. It takes about a minute."),
        state=DONE if deleted else NOW,
        tag=gettext("Done") if deleted else gettext("To do"),
        asks=not deleted,
    )


def _refused(proof: ExitProof | None) -> str:
    """That AWS refuses us, and how long after the end it first did: measured, with whatever time the deletion took."""
    text = gettext("AWS no longer lets us in.")
    seconds = proof.seconds_to_refusal if proof else None
    if seconds is None:
        return text
    minutes = seconds // 60
    if minutes < 2:
        told = ngettext("%(count)s second", "%(count)s seconds", seconds) % {"count": seconds}
    else:
        told = ngettext("%(count)s minute", "%(count)s minutes", minutes) % {"count": minutes}
    return f"{text} " + gettext("It first refused us %(time)s after the end.") % {"time": told}


def _proof(proof: ExitProof | None, *, deleted: bool, zone: ZoneInfo) -> Task:
    title = gettext("Check it is gone")
    if proof is not None and proof.proved_at is not None:
        at = spelling.long_moment(proof.proved_at, zone)
        text = gettext("Proved on %(time)s.") % {"time": at}
        return Task(title=title, text=text, state=DONE, tag=gettext("Done"))
    if deleted:
        text = gettext("We keep trying to get in. AWS has to refuse us for at least five minutes.")
        return Task(title=title, text=text, state=NOW, tag=gettext("Checking"))
    text = gettext("This happens by itself, once you have deleted it.")
    return Task(title=title, text=text, state=LATER, tag=gettext("Automatic"))


def _paper(*, proved: bool) -> Task:
    return Task(
        title=gettext("Keep your certificate"),
        text=gettext("It says who had access, when, and how we proved its end.")
        if proved
        else gettext("It comes by email once everything is gone."),
        state=NOW if proved else LATER,
        tag=gettext("Ready") if proved else gettext("Later"),
    )


def _checks(proof: ExitProof | None, zone: ZoneInfo) -> tuple[tuple[str, str], ...]:
    if proof is None:
        return ()
    moments = (
        (gettext("AWS refused us from"), proof.refused_since),
        (gettext("AWS refused us last"), proof.last_refused_at),
        (gettext("The last visit was over by"), proof.sessions_over_at),
    )
    told = [(title, spelling.long_moment(at, zone)) for title, at in moments if at is not None]
    return (*told, (gettext("Refusals counted"), str(proof.refusals)))
