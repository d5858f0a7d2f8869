"""`make demo`: every part of the product as real processes under one parent, and the newcomer's desk."""

from __future__ import annotations
