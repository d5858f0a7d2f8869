"""PostgreSQL backend that carries the scope. Named in DATABASES["default"]["ENGINE"]."""

from __future__ import annotations
