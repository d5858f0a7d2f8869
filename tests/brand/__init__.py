"""A practice's own look, as far as it is pure."""

from __future__ import annotations
