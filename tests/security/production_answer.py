"""Asks the application once as it is set up for https, and prints what came: `python -m tests.security.production_answer`."""

from __future__ import annotations

import json
import sys

import django


def main() -> None:
    """Headers, cookies and the answer without TLS, as JSON."""
    django.setup()
    from django.conf import settings
    from django.core.management import call_command
    from django.test import Client

    call_command("collectstatic", interactive=False, verbosity=0)

    secure = Client().get("/account/login/", secure=True, headers={"host": "portal.example.com"})
    plain = Client().get("/account/login/", headers={"host": "portal.example.com"})
    traced = Client().trace("/account/login/", secure=True, headers={"host": "portal.example.com"})
    project, typed = "/e/7qk2m4w9xz/agree/", {"account_id": "441709265583"}
    late = Client().post(project, typed, secure=True, headers={"host": "portal.example.com"})
    told = {
        "kept": {name: dict(morsel) for name, morsel in late.cookies.items()},
        "headers": dict(secure.headers),
        "cookies": {name: dict(morsel) for name, morsel in secure.cookies.items()},
        "session_cookie": [
            settings.SESSION_COOKIE_NAME,
            settings.SESSION_COOKIE_SECURE,
            settings.SESSION_COOKIE_HTTPONLY,
            settings.SESSION_COOKIE_SAMESITE,
            settings.SESSION_COOKIE_DOMAIN,
            settings.SESSION_COOKIE_PATH,
        ],
        "plain": [plain.status_code, plain.headers.get("Location")],
        "traced": traced.status_code,
        "debug": settings.DEBUG,
    }
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main()
