"""Who acts: the person, or the part of the machine, that a service is told as `actor`."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """`reference` goes into the audit chain; `name` and `email` only into its erasable body."""

    reference: str
    name: str
    email: str = ""
    user_id: UUID | None = None


def person(user_id: UUID, *, name: str, email: str) -> Actor:
    """A signed-in user."""
    return Actor(reference=f"user:{user_id}", name=name, email=email, user_id=user_id)


def machine(part: str) -> Actor:
    """A sweep or another part of the portal that acts by itself."""
    return Actor(reference=f"system:{part}", name=part)
