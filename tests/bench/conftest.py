"""The benches are scripts: what they share is importable only once their folder is on the path."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

BENCH: Final = Path(__file__).resolve().parents[2] / "bench"

if str(BENCH) not in sys.path:
    sys.path.append(str(BENCH))
