"""The fake AWS console: pages that a person or a browser test can click through."""

from __future__ import annotations
