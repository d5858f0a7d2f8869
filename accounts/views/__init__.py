"""Pages of people: the ways in, their places, their factors."""

from __future__ import annotations
