"""The AWS in memory, for proofs that need one."""

from __future__ import annotations

from tests.awsaccess.conftest import memory, running_aws, shut_door, simulated  # noqa: F401  # fixtures
