"""`python -m tests.ux.inviting [ACCOUNT]`, in a demo's surroundings: Maya asks Sam once more; prints the new code.

The services are those of the console, so the invitation is mailed by the demo's own worker.
"""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.plugins.demo_process import PATIENCE, Demo

ROOT: Final = Path(__file__).resolve().parents[2]
MAYA, SAM, CLIENT = "maya@northgate.example", "sam@brightwater.example", "Brightwater Dental"


def invite(demo: Demo, *, title: str, account_id: str = "") -> str:
    """Ask Sam in the running demo; gives the code of the engagement."""
    surroundings = Path(f"/proc/{demo.state['processes']['web']}/environ").read_bytes().decode().split("\0")
    told = subprocess.run(  # our own words
        [sys.executable, "-m", "tests.ux.inviting", title, account_id],
        cwd=ROOT,
        env=dict(line.split("=", 1) for line in surroundings if "=" in line),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    return told.stdout.strip()


def main(title: str, account_id: str) -> str:
    """In a process of its own, as the demo's web role."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    django.setup()
    from accounts.models import Client, User
    from accounts.selectors import seats_of
    from awsaccess.services.sending import engagement_send
    from engagements.services.drafts import engagement_draft
    from portal.kernel import clock, tenancy
    from portal.kernel.actor import machine

    maya = User.objects.get(email=MAYA)
    with tenancy.use(tenancy.practice_scope(seats_of(maya.pk)[0].practice_id)):
        engagement = engagement_draft(
            client=Client.objects.get(name=CLIENT),
            lead=maya,
            title=title,
            purpose="find out why the bill went up",
            profile="cost_review",
            ends_at=(clock.now() + dt.timedelta(days=20)).replace(microsecond=0),
            account_id=account_id,
            actor=machine("test"),
        )
        engagement_send(engagement=engagement, actor=machine("test"))
        return engagement.code


if __name__ == "__main__":
    sys.stdout.write(main(*sys.argv[1:]))
