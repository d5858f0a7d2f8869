"""The evidence pack: everything about one engagement in one ZIP, with what verifies it and a page that explains it."""

from __future__ import annotations

from awsaccess.evidence.pack import write_pack

__all__ = ["write_pack"]
