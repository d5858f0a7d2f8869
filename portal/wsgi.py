"""What gunicorn serves. It does not load when settings are missing or the database's wall has a hole."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

from portal.boot import one_sentence, refuse_unready

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
with one_sentence():
    application = get_wsgi_application()
    refuse_unready()
