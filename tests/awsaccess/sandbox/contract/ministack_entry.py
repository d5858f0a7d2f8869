"""Starts ministack with one repair. Runs in ministack's own environment, so it imports nothing of ours.

ministack 1.5.33 takes the session's ARN for aws:PrincipalArn. AWS says the role's (IAM User Guide, global condition
keys); with the session's the standard trust policy would be refused and there would be nothing to compare.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any


def repair_principal_arn() -> None:
    """Let aws:PrincipalArn of a session be the ARN of its role."""
    # By name: ministack is not installed where this file is linted and type-checked.
    evaluator: Any = importlib.import_module(
        "ministack.core.iam_evaluator"
    )  # Any: untyped, another environment
    iam: Any = importlib.import_module("ministack.services.iam")  # Any: as above
    resolve = evaluator._resolve_condition_key

    def resolve_condition_key(key: str, context: Any) -> Any:  # Any: its own context and values
        value = resolve(key, context)
        if key.lower() != "aws:principalarn" or ":assumed-role/" not in str(value):
            return value
        account, name = value.split(":")[4], value.split("/")[1]
        role = iam._roles.get_scoped(account, None, name)
        return role["Arn"] if role else value

    evaluator._resolve_condition_key = resolve_condition_key


if __name__ == "__main__":
    repair_principal_arn()
    sys.exit(importlib.import_module("ministack.app").main())
