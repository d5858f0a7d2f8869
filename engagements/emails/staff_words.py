"""The words of the mails about who works on it, which both sides read."""

from __future__ import annotations

from django.utils.translation import gettext

from engagements.emails.scenes import Scene
from engagements.emails.words import (
    Fact,
    Words,
    client_of,
    since_fact,
    subject,
    title_of,
    to_client,
    to_practice,
)
from engagements.lifecycle import AssignmentRole, EngagementStatus
from engagements.models import Assignment
from portal.kernel.languages import spelling


def joins(scene: Scene, row: Assignment) -> Words:
    """To both: one more person works on it, or looks on."""
    who = {"name": row.consultant.name, **title_of(scene.engagement), **client_of(scene.engagement)}
    if row.role == AssignmentRole.OBSERVER:
        heading, what = gettext("%(name)s looks on"), gettext("They read along here and can’t get into AWS.")
    else:
        heading, what = gettext("%(name)s works on it too"), gettext("They can go in as the others can.")
    return _of_staff(
        scene,
        row,
        heading=heading % who,
        lines=(gettext("%(name)s joins the project “%(title)s”.") % who, what),
        facts=_staff_facts(scene, row),
    )


def leads(scene: Scene, row: Assignment, beside: Assignment | None, *, stays: bool) -> Words:
    """To both: somebody else leads, in whose place; `stays` says whether that one still works on it."""
    who = {"name": row.consultant.name, **title_of(scene.engagement), **client_of(scene.engagement)}
    before = gettext("%(name)s leads the project “%(title)s” from now on, and is the person to ask.") % who
    after = ""
    if beside is not None:
        after = (
            gettext("%(name)s led it before and still works on it.")
            if stays
            else gettext("%(name)s led it before, no longer works on it and can’t go in any more.")
        ) % {"name": beside.consultant.name}
    return _of_staff(
        scene,
        row,
        heading=gettext("%(name)s leads it now") % who,
        lines=(before, after) if after else (before,),
        facts=_staff_facts(scene, row),
    )


def leaves(scene: Scene, row: Assignment) -> Words:
    """To both: somebody is off it."""
    who = {"name": row.consultant.name, **title_of(scene.engagement)}
    return _of_staff(
        scene,
        row,
        heading=gettext("%(name)s no longer works on it") % who,
        lines=(
            gettext("%(name)s left the project “%(title)s” and can start no new visit.") % who,
            gettext("A visit that is still open ends by itself; the page shows when."),
        ),
        facts=since_fact(scene, gettext("Left on"), row.ends_at),
    )


def _of_staff(
    scene: Scene, row: Assignment, *, heading: str, lines: tuple[str, ...], facts: tuple[Fact, ...]
) -> Words:
    engagement = scene.engagement
    if scene.reader.is_client:
        return to_client(
            scene,
            subject=subject(heading, engagement.title, engagement.practice.name),
            preview=lines[0],
            heading=heading,
            lines=lines,
            facts=facts,
            button=gettext("Open the project"),
            note=gettext("What you were asked for stays as it is. You can pause or end it at any time.")
            if engagement.status != EngagementStatus.INVITED
            else gettext("Nothing happens until you agree."),
        )
    return to_practice(
        scene,
        subject=subject(f"{heading}: {engagement.client.name}", engagement.title),
        preview=lines[0],
        heading=heading,
        lines=lines,
        facts=facts,
        note="" if row.consultant_id == scene.reader.user.pk else gettext("The client is told too."),
    )


def _staff_facts(scene: Scene, row: Assignment) -> tuple[Fact, ...]:
    from_when = since_fact(scene, gettext("From"), row.starts_at)
    until = row.ends_at or scene.engagement.ends_at
    return (*from_when, Fact(name=gettext("Until"), value=spelling.day(until, scene.zone)))
