"""The worker's side: `celery -A portal worker` and `celery -A portal beat`. No request ever talks to the broker."""

from __future__ import annotations

import os
from pathlib import Path

from celery import Celery
from celery.signals import (
    after_task_publish,
    beat_init,
    heartbeat_sent,
    worker_init,
    worker_ready,
    worker_shutting_down,
)
from django.conf import settings

from portal.boot import one_sentence, refuse_unready

# Worker and beat log in as portal_worker, whatever the shell that starts them says of the web.
os.environ.setdefault("PORTAL_PROCESS", "worker")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

app = Celery("latchkey")
with one_sentence():
    app.config_from_object("django.conf:settings", namespace="CELERY", force=True)
app.autodiscover_tasks()  # of every installed app: without its handlers a promise has nobody to keep it


@worker_init.connect
@beat_init.connect
def refuse_to_work(**_signal: object) -> None:
    """No worker and no clock over a database that is not ready or not walled."""
    with one_sentence():
        refuse_unready()


@heartbeat_sent.connect
@after_task_publish.connect
def show_pulse(**_signal: object) -> None:
    """Touch the pulse file, if there is one: the worker and the clock have no port to be asked on."""
    if settings.PULSE_PATH:
        Path(settings.PULSE_PATH).touch()


@worker_ready.connect
def start_relay(**_signal: object) -> None:
    """The worker listens for promises itself; there is no further process to run."""
    from portal.kernel.relay import Relay

    relay = Relay()
    worker_shutting_down.connect(lambda **_signal: relay.stop(), weak=False)
    relay.start()
