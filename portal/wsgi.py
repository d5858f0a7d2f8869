"""What gunicorn serves. It does not load when settings are missing or the database's wall has a hole."""

from __future__ import annotations

import os

from portal.loading import loading_begin, loading_end

loading_begin()
from django.core.wsgi import get_wsgi_application  # noqa: E402  # after what it says above

from portal.boot import one_sentence, refuse_unready  # noqa: E402  # as above

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
with one_sentence():
    application = get_wsgi_application()
    refuse_unready()
loading_end()
