"""How names, numbers and moments are written for people. Pure: no queries, no clock."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from django.utils.dateformat import format as date_format
from django.utils.translation import gettext, ngettext, pgettext


def initials(name: str) -> str:
    """Two capitals for the round badge: first and last name."""
    parts = name.split()
    return "".join(part[0] for part in (parts[:1] + parts[1:][-1:])).upper()


def account_number(account_id: str) -> str:
    """Grouped by four, as AWS shows it; empty while unknown."""
    return " ".join(account_id[start : start + 4] for start in range(0, len(account_id), 4))


def clock_time(moment: dt.datetime, zone: ZoneInfo) -> str:
    """14:32."""
    local, form = moment.astimezone(zone), pgettext("date format", "H:i")
    # A timeline has dozens: what most languages write needs no reading of the form.
    return f"{local.hour:02}:{local.minute:02}" if form == "H:i" else date_format(local, form)


def when(moment: dt.datetime, zone: ZoneInfo, *, now: dt.datetime) -> str:
    """Today, 14:37; otherwise 19 November, 14:37."""
    local = moment.astimezone(zone)
    named = (
        gettext("Today")
        if local.date() == now.astimezone(zone).date()
        else date_format(local, pgettext("date format", "j F"))
    )
    return f"{named}, {clock_time(moment, zone)}"


def day_heading(date: dt.date, *, today: dt.date) -> str:
    """Today, 20 November; otherwise Thursday, 19 November; with the year once it is another one."""
    same_year = date.year == today.year
    form = pgettext("date format", "j F") if same_year else pgettext("date format", "j F Y")
    spelled = date_format(date, form)
    named = gettext("Today") if date == today else date_format(date, "l")
    return f"{named}, {spelled}"


def days_left(moment: dt.datetime, zone: ZoneInfo, *, now: dt.datetime) -> str:
    """in 28 days; today; already over."""
    days = (moment.astimezone(zone).date() - now.astimezone(zone).date()).days
    if days > 0:
        return ngettext("in %(days)s day", "in %(days)s days", days) % {"days": days}
    return gettext("today") if days == 0 else gettext("already over")
