"""Questions and answers about one engagement, as its pages show them."""

from __future__ import annotations

from engagements.selectors import remarks_of
from portal.kernel.languages import spelling
from portal.pages import words
from portal.pages.frames import Desk
from portal.pages.pagemodels import Said


def talk_of(desk: Desk) -> tuple[Said, ...]:
    """Everything that was said, the oldest first."""
    return tuple(
        Said(
            name=remark.author.name,
            initials=words.initials(remark.author.name),
            text=remark.text,
            when=spelling.long_moment(remark.said_at, desk.zone),
            iso=remark.said_at.isoformat(timespec="minutes"),
        )
        for remark in remarks_of(desk.engagement)
    )
