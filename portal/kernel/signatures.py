"""Signed messages from other machines: HMAC-SHA256 over a moment and the exact bytes, as shops send them.

The header is `t=<seconds since 1970>,v1=<64 hexadecimal digits>`; what is signed is `<t>.` and the body. A sender that
changes its secret sends one `v1` for each. Parts with other names are left alone: they are for other receivers.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import Final

LONGEST_HEADER: Final = 1000
MOST_MARKS: Final = 8
WINDOW_SECONDS: Final = 300  # a message that is older, or from the future, may be somebody's copy
MOMENT: Final = re.compile(r"[0-9]{1,12}", re.ASCII)
MARK: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


class BadSignature(Exception):
    """Raised when a header is none, is too old, or does not fit the body. Says nothing more: the sender is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What a header claims: the moment in seconds since 1970, and one or more digests in hexadecimal."""

    moment: int
    marks: tuple[str, ...]

    @classmethod
    def parse(cls, header: str) -> Signature:
        """Raises BadSignature unless there is exactly one moment and at least one whole digest."""
        if len(header) > LONGEST_HEADER:
            raise BadSignature
        parts = [part.strip().partition("=") for part in header.split(",")]
        moments = [value for name, _is, value in parts if name == "t"]
        marks = tuple(value for name, _is, value in parts if name == "v1")
        if len(moments) != 1 or not MOMENT.fullmatch(moments[0]):
            raise BadSignature
        if not 1 <= len(marks) <= MOST_MARKS or not all(MARK.fullmatch(mark) for mark in marks):
            raise BadSignature
        return cls(moment=int(moments[0]), marks=marks)

    def check(self, *, body: bytes, secret: bytes, now: int) -> None:
        """Raises BadSignature unless one digest is right and the moment is near `now`, in seconds since 1970."""
        right = digest(moment=self.moment, body=body, secret=secret)
        # Every digest is compared, each in constant time: how long it takes tells nothing.
        found = [hmac.compare_digest(mark, right) for mark in self.marks]
        if not any(found) or abs(now - self.moment) > WINDOW_SECONDS:
            raise BadSignature


def digest(*, moment: int, body: bytes, secret: bytes) -> str:
    """The digest of one message, in hexadecimal."""
    return hmac.new(secret, str(moment).encode() + b"." + body, hashlib.sha256).hexdigest()


def header(*, moment: int, body: bytes, secret: bytes) -> str:
    """The header that goes with a message."""
    return f"t={moment},v1={digest(moment=moment, body=body, secret=secret)}"
