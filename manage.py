#!/usr/bin/env python
"""Django's command line. Schema commands run as the database owner, everything else as the web role."""

from __future__ import annotations

import os
import sys

COMMAND_ROLES = {
    "migrate": "owner",
    "showmigrations": "owner",
    "sqlmigrate": "owner",
    "audit_verify": "audit",
}


def main() -> None:
    """Run one management command."""
    command = sys.argv[1] if len(sys.argv) > 1 else ""
    os.environ.setdefault("PORTAL_PROCESS", COMMAND_ROLES.get(command, "web"))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

    from portal.loading import loading_begin

    loading_begin()
    from django.core.management import execute_from_command_line

    from portal.boot import one_sentence

    with one_sentence():
        execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
