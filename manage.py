#!/usr/bin/env python
"""Django's command line. Schema commands run as the database owner, everything else as the web role."""

from __future__ import annotations

import os
import sys

OWNER_COMMANDS = frozenset({"migrate", "sqlmigrate", "showmigrations"})


def main() -> None:
    """Run one management command."""
    if len(sys.argv) > 1 and sys.argv[1] in OWNER_COMMANDS:
        os.environ.setdefault("PORTAL_PROCESS", "owner")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
