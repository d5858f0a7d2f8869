"""What the signatures in a file say. It never parses the PDF, because that is a stranger's: it looks for signatures by
their byte ranges alone, and checks each over exactly the bytes that it covers.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from portal.kernel.papers.keys import fingerprint

MOST_SIGNATURES: Final = 8  # of a stranger's file: each costs a little arithmetic
RANGE: Final = re.compile(rb"/ByteRange\s*\[\s*(\d{1,9})\s+(\d{1,9})\s+(\d{1,9})\s+(\d{1,9})\s*\]")
SET: Final = (
    b"\x31"  # signed attributes stand as [0] in the structure, and are signed as a set (RFC 5652, 5.4)
)


class Judgement(StrEnum):
    """What a file's signatures say."""

    WHOLE = "whole"  # ours, over the whole file, unbroken
    BROKEN = "broken"  # it carries our certificate, and is not what was signed
    FOREIGN = "foreign"  # nothing in it is ours


def judge(pdf: bytes, certificates: Iterable[bytes]) -> Judgement:
    """What the signatures in a stranger's file say about these certificates, which are ours."""
    ours = {fingerprint(der) for der in certificates}
    verdicts = {_verdict(pdf, found, ours) for found in _ranges(pdf)}
    for one in (Judgement.BROKEN, Judgement.WHOLE):
        if one in verdicts:
            return one
    return Judgement.FOREIGN


def _ranges(pdf: bytes) -> Iterator[tuple[int, int, int, int]]:
    for number, found in enumerate(RANGE.finditer(pdf)):
        if number == MOST_SIGNATURES:
            return
        first, length, second, rest = (int(group) for group in found.groups())
        yield first, length, second, rest


def _verdict(pdf: bytes, covered: tuple[int, int, int, int], ours: set[str]) -> Judgement:
    first, length, second, rest = covered
    signature = _signature(pdf[first + length : second])
    if signature is None:
        return Judgement.FOREIGN
    certificate = _own_certificate(signature, ours)
    if certificate is None:
        return Judgement.FOREIGN
    is_whole = first == 0 and second + rest == len(pdf)
    digest = hashlib.sha256(pdf[first : first + length] + pdf[second : second + rest]).digest()
    return Judgement.WHOLE if is_whole and _holds(signature, certificate, digest) else Judgement.BROKEN


def _signature(between: bytes) -> Any:  # Any: asn1crypto has no types
    """The CMS structure between the two ranges with all its parts read, or None when there is none."""
    from asn1crypto import cms  # the page that judges is rarely asked, and every web process would load it

    try:
        der = bytes.fromhex(between.strip().removeprefix(b"<").removesuffix(b">").decode("ascii"))
        content = cms.ContentInfo.load(der)["content"]
        # Parsed when it is asked for, and a stranger's bytes may hold anything.
        return content if content["certificates"].native and content["signer_infos"].native else None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _own_certificate(content: Any, ours: set[str]) -> bytes | None:  # Any: as above
    """The certificate of ours that the signature carries."""
    carried = (one.chosen.dump() for one in content["certificates"])
    return next((der for der in carried if fingerprint(der) in ours), None)


def _holds(content: Any, certificate: bytes, digest: bytes) -> bool:  # Any: as above
    """Whether that certificate's key signed attributes that name this digest."""
    from cryptography import x509

    signer = content["signer_infos"][0]
    key = x509.load_der_x509_certificate(certificate).public_key()
    named = [one["values"].native for one in signer["signed_attrs"] if one["type"].native == "message_digest"]
    if named != [[digest]] or not isinstance(key, ec.EllipticCurvePublicKey):
        return False
    signed = SET + signer["signed_attrs"].dump()[1:]
    try:
        key.verify(signer["signature"].native, signed, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True
