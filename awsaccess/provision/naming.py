"""Who a session says it is, and a lock that lets in nobody who does not say it (AWS_FACTS §1, §6; ADR 17)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from awsaccess.aws.arns import NOT_IN_A_SESSION_NAME
from awsaccess.policy import documents
from awsaccess.policy.documents import Document

PRACTICE, ENGAGEMENT, VISIT = "latchkey:practice", "latchkey:engagement", "latchkey:visit"
LOOK: Final = "latchkey-check"  # who looks at a role without visiting it
SOMETHING: Final = "?*"  # any value but an empty one; a key that is missing never fits


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What a session carries into the client's CloudTrail. `person` is an address, or `LOOK`; `visit` the visit's id.

    Every character that AWS does not take in a SourceIdentity becomes a hyphen.
    """

    person: str
    practice_code: str
    engagement_code: str
    visit: str

    @property
    def source_identity(self) -> str:
        """2 to 64 characters. It cannot be changed by whoever has the session, not even by entering another role."""
        return NOT_IN_A_SESSION_NAME.sub("-", self.person)[:64]

    @property
    def tags(self) -> tuple[tuple[str, str], ...]:
        """(key, value) of the three session tags."""
        return (
            (PRACTICE, self.practice_code),
            (ENGAGEMENT, self.engagement_code),
            (VISIT, self.visit),
        )


def requiring_names(trust: Document, *, engagement_code: str) -> Document:
    """The same trust policy, whose first statement also wants a SourceIdentity and the three tags.

    All four keys are keys of AssumeRole itself, so a call without them fits no statement. The engagement is fixed; the
    others may be anything but empty, because they change from visit to visit.
    """
    first, *rest = trust["Statement"]
    held = first["Condition"]
    said = dict.fromkeys(("sts:SourceIdentity", _tag(PRACTICE), _tag(VISIT)), SOMETHING)
    equal = {**held["StringEquals"], _tag(ENGAGEMENT): engagement_code}
    wanted = {**held, "StringEquals": equal, "StringLike": said}
    return documents.document({**first, "Condition": wanted}, *rest)


def _tag(key: str) -> str:
    return f"aws:RequestTag/{key}"
