"""`python -m portal.demo` runs the demo, `python -m portal.demo reset` forgets it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from portal.demo.launch import run, say
from portal.demo.place import DEFAULT_FOLDER, DemoError, Place, reset


def main(words: list[str]) -> int:
    """Exit code 0 when it was stopped on purpose; 1 with one sentence otherwise."""
    place = Place(folder=Path(os.environ.get("DEMO_FOLDER") or DEFAULT_FOLDER).resolve())
    try:
        if words == ["reset"]:
            reset(place)
            say("The demo is forgotten; `make demo` starts over.")
        else:
            run(place, _port(os.environ.get("PORT") or "8000"))
    except DemoError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _port(given: str) -> int:
    if not (given.isascii() and given.isdigit() and 0 < int(given) < 65536):
        raise DemoError(f"PORT is {given!r}; it has to be a number from 1 to 65535.")
    return int(given)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
