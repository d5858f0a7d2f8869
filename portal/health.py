"""`/healthz` says that the process lives; `/readyz` names each thing it depends on that does not answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from portal.kernel.checks import unwalled


@require_safe
def live(_request: HttpRequest) -> HttpResponse:
    """200 as long as the process can answer at all; asks nobody else."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
def ready(_request: HttpRequest) -> JsonResponse:
    """200 and no failures, or 503 and the names of the failing parts."""
    failing = sorted(name for name, answers in PROBES.items() if not answers())
    return JsonResponse({"failing": failing}, status=503 if failing else 200)


def _database_answers() -> bool:
    try:
        return not unwalled(connection)
    except DatabaseError:
        return False


def _queue_answers() -> bool:
    import redis  # sixty modules, which no other page needs

    client = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2)
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
    finally:
        client.close()


PROBES: Final[dict[str, Callable[[], bool]]] = {"database": _database_answers, "queue": _queue_answers}
