"""Is the process in this container well? Standard library only; exit code 0 or one sentence and 1.

The web answers `/healthz`. Worker and beat have no port: they touch PULSE_PATH while the queue hears them.
"""

from __future__ import annotations

import http.client
import os
import sys
import time
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

SILENCE_SECONDS: Final = 60


def web_trouble(port: int) -> str:
    """What is wrong with the web process on this port of the loopback; empty when nothing is."""
    # Django answers to the site's own name alone, also here.
    host = urlsplit(os.environ.get("SITE_URL", "")).hostname or "localhost"
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=4)
    try:
        connection.request("GET", "/healthz", headers={"Host": host})
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"The web process does not answer: {error}."
    finally:
        connection.close()
    return "" if status == 200 else f"/healthz answered {status}."


def pulse_trouble(pulse: Path) -> str:
    """What is wrong with a worker or beat that should touch this file; empty when nothing is."""
    try:
        silence = time.time() - pulse.stat().st_mtime
    except FileNotFoundError:
        return "No sign of life yet."
    return "" if silence < SILENCE_SECONDS else f"No sign of life for {silence:.0f} s."


def main() -> int:
    """Judge by what this container runs."""
    pulse = os.environ.get("PULSE_PATH")
    trouble = pulse_trouble(Path(pulse)) if pulse else web_trouble(int(os.environ.get("PORT") or "8000"))
    sys.stderr.write(trouble and f"{trouble}\n")
    return 1 if trouble else 0


if __name__ == "__main__":
    sys.exit(main())
