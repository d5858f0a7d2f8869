"""The same questions to every simulated AWS: who may assume a role, by which trust policy.

The expected verdicts are AWS's own, from its documents; neither simulation decides them. What each backend answers
differently stands in `disagreements.py`. How it works, and what was found: docs/sandbox.md.
"""

from __future__ import annotations
