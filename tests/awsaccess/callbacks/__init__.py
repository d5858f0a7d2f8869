"""Call-backs of the clients' stacks."""

from __future__ import annotations
