"""A practice's own look: colours that can be read, a stylesheet made of them, a logo that is nothing but pixels. Pure."""

from __future__ import annotations
