"""AWS's own managed policies, as the simulated AWS carries them."""

from __future__ import annotations

import json
from typing import Any

import pytest

ManagedPolicies = dict[str, dict[str, Any]]  # name -> document


@pytest.fixture(scope="session")
def managed() -> ManagedPolicies:
    """All of them, by name."""
    from moto.iam.aws_managed_policies import aws_managed_policies_data

    return {name: each["Document"] for name, each in json.loads(aws_managed_policies_data).items()}
