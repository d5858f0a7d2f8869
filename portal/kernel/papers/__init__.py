"""Papers that leave the house as files: set in type, signed, and looked at when they come back."""

from __future__ import annotations
