"""What lies in the cache is JSON: Django's own form is pickle, and whoever writes to Valkey would run code in the web process."""

from __future__ import annotations

import json


class JsonSerializer:
    """For Django's Redis cache: counts and moments, which is all that is kept there. It never makes an object."""

    def dumps(self, value: object) -> bytes:
        """The value as JSON; a whole number stays one that the server can count up. Raises TypeError for what JSON has not."""
        return json.dumps(value).encode()

    def loads(self, data: bytes) -> object:
        """The value, or None, as if nothing lay there, for what is no JSON."""
        try:
            found: object = json.loads(data)
        except (ValueError, RecursionError):
            return None
        return found
