"""The portal without its question at the start: it refuses a role that no policy stops, which is the anchor here."""

from __future__ import annotations

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()
