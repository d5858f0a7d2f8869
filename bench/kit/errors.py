"""The one error of the benches."""

from __future__ import annotations


class BenchError(RuntimeError):
    """Raised with one sentence when something cannot be measured. Never a slow result: that is `short`."""
