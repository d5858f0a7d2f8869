"""Who may do what: the policy evaluator, and the one place where it replaces moto's."""

from __future__ import annotations
