"""How the pack spells JSON and moments. Pure."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable
from typing import Any

from django.db.models import Model

from accounts.models import User

Json = dict[str, Any]  # Any: JSON for people and for the verifier
File = tuple[str, bytes]  # a name in the pack, and what stands in it


def text_of(value: Json) -> bytes:
    """JSON as people read it; the same value gives the same bytes."""
    return (json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True) + "\n").encode()


def iso(moment: dt.datetime | None) -> str | None:
    """In UTC, to the second."""
    return moment.astimezone(dt.UTC).isoformat(timespec="seconds") if moment else None


def person_of(user: User | None) -> Json | None:
    """Their name as it is now, and how the record calls them, which stays."""
    return {"name": user.name, "person": f"user:{user.pk}"} if user else None


def fields_of(row: Model, names: Iterable[str]) -> Json:
    """Columns of a row by their names, moments as text."""
    told = {name: getattr(row, name) for name in names}
    return {name: iso(value) if isinstance(value, dt.datetime) else value for name, value in told.items()}
