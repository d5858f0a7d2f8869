"""CPU time of process trees, read from /proc."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from kit.cpu import command_cpu_seconds, tree_cpu_seconds
from kit.errors import BenchError

from portal.kernel import clock

# Works in a grandchild, which then stays: the middle process alone has done nothing.
FAMILY = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdin=subprocess.PIPE)
sys.stdin.read()
child.stdin.close()
child.wait()
"""
BUSY = """
import sys, time
while time.process_time() < 0.3: pass
sys.stdin.read()
"""


def test_a_tree_counts_what_its_grandchildren_did() -> None:
    with subprocess.Popen([sys.executable, "-c", FAMILY, BUSY], stdin=subprocess.PIPE) as process:
        assert clock.wait_until(lambda: tree_cpu_seconds([process.pid]) >= 0.3, seconds=30)
        assert process.stdin is not None
        process.stdin.close()


def test_a_process_that_is_gone_cannot_be_measured() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    with pytest.raises(BenchError, match="is gone"):
        tree_cpu_seconds([process.pid])


def test_a_command_is_measured_from_start_to_end(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import time\nwhile time.process_time() < 0.2: pass"]
    assert command_cpu_seconds(command, environment=os.environ, folder=tmp_path) >= 0.2


def test_a_command_that_fails_measures_nothing(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="no such thing"):
        command_cpu_seconds(
            [sys.executable, "-c", "raise SystemExit('no such thing')"],
            environment=os.environ,
            folder=tmp_path,
        )
