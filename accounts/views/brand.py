"""A practice's stylesheet and logo, under the SHA-256 of their bytes: the same for everybody, for ever."""

from __future__ import annotations

import re
from typing import Final

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from accounts import selectors
from accounts.lifecycle import AssetKind
from portal.kernel.middleware import SAME_FOR_ALL

DIGEST: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


@require_safe
def sheet(request: HttpRequest, digest: str) -> HttpResponse:  # noqa: ARG001  # Django's signature
    """The colours."""
    return _asset(digest, AssetKind.SHEET, "text/css; charset=utf-8")


@require_safe
def logo(request: HttpRequest, digest: str) -> HttpResponse:  # noqa: ARG001  # Django's signature
    """The logo; mail programs on other sites may show it too."""
    response = _asset(digest, AssetKind.LOGO, "image/png")
    response["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


def _asset(digest: str, kind: AssetKind, content_type: str) -> HttpResponse:
    body = selectors.brand_asset_find(digest=digest, kind=kind) if DIGEST.fullmatch(digest) else None
    if body is None:
        raise Http404
    return HttpResponse(body, content_type=content_type, headers={"Cache-Control": SAME_FOR_ALL})
