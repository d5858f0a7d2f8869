"""What the benches share. A script is run by its path, so the repository's root has to be made importable here."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

BENCH: Final = Path(__file__).resolve().parents[1]
ROOT: Final = BENCH.parent

if str(ROOT) not in sys.path:
    sys.path.insert(1, str(ROOT))
