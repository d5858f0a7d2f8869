"""CPU time of whole process trees. On a shared machine it moves by 10-15 %, where wall time moves by a factor of two."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kit.errors import BenchError

PROC: Final = Path("/proc")
TICKS_PER_SECOND: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stat:
    """One process: its parent and its ticks, those of buried children included."""

    parent: int
    ticks: int


def tree_cpu_seconds(roots: Iterable[int]) -> float:
    """User and system seconds of these processes and all below them. Needs Linux's /proc."""
    if not (PROC / "self" / "stat").exists():
        raise BenchError("CPU time is read from /proc, which this system does not have: measure on Linux.")
    stats = _all_stats()
    return sum(_tree_ticks(root, stats) for root in roots) / TICKS_PER_SECOND


def command_cpu_seconds(command: Sequence[str], *, environment: Mapping[str, str], folder: Path) -> float:
    """User and system seconds of one command from its start to its end. Raises BenchError if it fails."""
    with subprocess.Popen(
        command, env=environment, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        assert process.stderr is not None
        told = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise BenchError(f"{' '.join(command)} failed: {told.decode(errors='replace').strip()[-500:]}")
    return usage.ru_utime + usage.ru_stime


def _all_stats() -> dict[int, Stat]:
    found = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):  # it ended meanwhile
                found[int(entry.name)] = _parsed((entry / "stat").read_text())
    return found


def _parsed(text: str) -> Stat:
    """See proc(5). The command's name may hold spaces and parentheses, so counting begins behind the last one."""
    fields = text.rpartition(")")[2].split()
    return Stat(parent=int(fields[1]), ticks=sum(int(field) for field in fields[11:15]))


def _tree_ticks(root: int, stats: Mapping[int, Stat]) -> int:
    if root not in stats:
        raise BenchError(f"Process {root}, which was to be measured, is gone.")
    children = [pid for pid, stat in stats.items() if stat.parent == root]
    return stats[root].ticks + sum(_tree_ticks(child, stats) for child in children)
