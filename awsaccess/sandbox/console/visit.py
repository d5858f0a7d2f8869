"""What a page of the console has at hand: who asks, what they sent, and AWS to call in their name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from awsaccess.sandbox.console.visitors import Visitor
from awsaccess.sandbox.front import AwsRefusal, Front

__all__ = ["AwsRefusal", "Gone", "Page", "Redirect", "Visit"]


class Gone(Exception):
    """There is no such thing; the text is for the page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A template and what it shows."""

    template: str
    content: Mapping[str, Any] = field(default_factory=dict)  # Any: what templates show
    status: int = 200
    refusal: AwsRefusal | None = None
    notice: str = ""
    refresh: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect:
    """Where to go after a POST; a path of the console."""

    to: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One request of somebody who is signed in."""

    front: Front
    visitor: Visitor
    region: str
    given: Mapping[str, str]
    """Query and form, the first value of each name."""

    def call(self, service: str, action: str, params: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Call AWS in the visitor's name. Raises AwsRefusal. Any: JSON of the answer."""
        region = "us-east-1" if service == "iam" else self.region
        return self.front.call(self.visitor.keys, service, action, region, params)

    def look(self, service: str, method: str, body: bytes) -> str:
        """Try a reading call: 'allowed', or AWS's code."""
        kind = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"} if body else {}
        keys = self.visitor.keys
        answer = self.front.signed(keys, service, self.region, method, "/", body, kind)
        if answer.status_code < 300:
            return "allowed"
        text = answer.get_data(as_text=True)
        return text.partition("<Code>")[2].partition("</Code>")[0] or f"HTTP {answer.status_code}"
