"""How names and moments are spelled in the language in force. Pure: no queries, no clock."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from zoneinfo import ZoneInfo

from django.utils.dateformat import format as date_format
from django.utils.translation import gettext, pgettext


def joined(names: Sequence[str]) -> str:
    """ "Maya", "Maya and Tomasz", "Maya, Tomasz and Ines"."""
    if len(names) < 2:
        return "".join(names)
    return gettext("%(first)s and %(last)s") % {"first": ", ".join(names[:-1]), "last": names[-1]}


def day(moment: dt.datetime, zone: ZoneInfo) -> str:
    """18 December 2026."""
    return date_format(moment.astimezone(zone), pgettext("date format", "j F Y"))


def long_moment(moment: dt.datetime, zone: ZoneInfo) -> str:
    """Friday 18 December 2026, 18:00. For dates on which something is decided."""
    return date_format(moment.astimezone(zone), pgettext("date format", "l j F Y, H:i"))


def zone_words(zone: ZoneInfo, moment: dt.datetime) -> str:
    """London time (GMT); Kolkata time (IST); UTC."""
    named = zone_named(zone, moment)
    if named is None:
        return "UTC"
    city, short = named
    return gettext("%(city)s time (%(short)s)") % {"city": city, "short": short}


def zone_named(zone: ZoneInfo, moment: dt.datetime) -> tuple[str, str] | None:
    """The city, and the usual abbreviation at that moment, or the offset where there is none. None for UTC itself."""
    if zone.key in {"UTC", "Etc/UTC"}:
        return None
    local = moment.astimezone(zone)
    short = local.tzname() or ""
    city = zone.key.rpartition("/")[2].replace("_", " ")
    return city, short if short.isalpha() else f"UTC{local.isoformat()[-6:]}"
