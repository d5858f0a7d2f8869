"""Time stamps of somebody else's clock (RFC 3161): optional, asked of one address that the operator chose."""

from __future__ import annotations

import datetime as dt
import http.client
from typing import Any, Final
from urllib.parse import urlsplit

from asn1crypto import cms, tsp
from django.core.exceptions import ImproperlyConfigured
from pyhanko.sign.timestamps import TimeStamper

PATIENCE_SECONDS: Final = 5
LONGEST_ANSWER: Final = 64 * 1024
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


class NoStamp(OSError):
    """Raised when the authority does not answer, or answers something else than was asked."""


class Authority(TimeStamper):
    """One time stamping authority. `stamped_at` is what its newest stamp says; None before the first."""

    def __init__(self, url: str) -> None:
        """Raises ImproperlyConfigured for an address without TLS, except on loopback."""
        super().__init__()  # type: ignore[no-untyped-call]  # the library leaves this one untyped
        parts = urlsplit(url)
        if parts.hostname is None or not (
            parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
        ):
            raise ImproperlyConfigured("RECEIPT_TIMESTAMP_URL is an https address.")
        self._parts = parts
        self.stamped_at: dt.datetime | None = None

    async def async_request_tsa_response(self, req: tsp.TimeStampReq) -> tsp.TimeStampResp:
        """Ask. Raises NoStamp."""
        try:
            return tsp.TimeStampResp.load(self._post(req.dump()))
        except NoStamp:
            raise
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise NoStamp(type(error).__name__) from error

    async def async_timestamp(self, message_digest: bytes, md_algorithm: str) -> cms.ContentInfo:
        """A stamp over this digest and no other: the library compares the nonce alone. Raises NoStamp."""
        try:
            token: Any = await super().async_timestamp(
                message_digest, md_algorithm
            )  # Any: an untyped library
            info = token["content"]["encap_content_info"]["content"].parsed
            stamped = bytes(info["message_imprint"]["hashed_message"].native)
            self.stamped_at = info["gen_time"].native
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise NoStamp(str(error) or type(error).__name__) from error
        if stamped != message_digest:
            self.stamped_at = None
            raise NoStamp("the stamp is over something else")
        return token

    def _post(self, question: bytes) -> bytes:
        kind = http.client.HTTPSConnection if self._parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(str(self._parts.hostname), self._parts.port, timeout=PATIENCE_SECONDS)
        path = f"{self._parts.path or '/'}{'?' + self._parts.query if self._parts.query else ''}"
        try:
            connection.request(
                "POST", path, body=question, headers={"Content-Type": "application/timestamp-query"}
            )
            with connection.getresponse() as answer:
                if answer.status != http.client.OK:
                    raise NoStamp(f"status {answer.status}")
                return answer.read(LONGEST_ANSWER)
        finally:
            connection.close()
