"""The worker's side: `celery -A portal worker` and `celery -A portal beat`. No request ever talks to the broker."""

from __future__ import annotations

import os

from celery import Celery
from celery.signals import worker_ready, worker_shutting_down

# Worker and beat log in as portal_worker, whatever the shell that starts them says of the web.
os.environ.setdefault("PORTAL_PROCESS", "worker")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

app = Celery("latchkey")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()  # of every installed app: without its handlers a promise has nobody to keep it


@worker_ready.connect
def start_relay(**_signal: object) -> None:
    """The worker listens for promises itself; there is no further process to run."""
    from portal.kernel.relay import Relay

    relay = Relay()
    worker_shutting_down.connect(lambda **_signal: relay.stop(), weak=False)
    relay.start()
