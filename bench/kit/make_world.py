"""`python -m kit.make_world`: fill the database of the settings and print what a visitor needs, as JSON."""

from __future__ import annotations

import json
import sys

import django


def main() -> None:
    """Models can be imported only after Django is set up."""
    django.setup()
    from kit.world import make_world

    sys.stdout.write(json.dumps(make_world()))


if __name__ == "__main__":
    main()
