"""The worker's side: `celery -A portal worker` and `celery -A portal beat`. No request ever talks to the broker."""

from __future__ import annotations

import os

from celery import Celery

# Worker and beat log in as portal_worker, whatever the shell that starts them says of the web.
os.environ.setdefault("PORTAL_PROCESS", "worker")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

app = Celery("latchkey")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["portal.kernel"])
