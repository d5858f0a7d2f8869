"""The one door to pyhanko: a PDF gets its signature (PAdES). Loaded by the worker alone, and only when it signs."""

from __future__ import annotations

import datetime as dt
import io
from dataclasses import dataclass
from typing import Final

from asn1crypto import keys, x509
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import signers
from pyhanko.sign.fields import MDPPerm, SigSeedSubFilter
from pyhanko.sign.general import SigningError
from pyhanko_certvalidator.registry import SimpleCertificateStore

from portal.kernel.papers.keys import SigningKey
from portal.kernel.papers.stamping import Authority, NoStamp

FIELD: Final = "Signature"
# Room for the signature in hexadecimal digits: with certificates, and with a time stamp and its own chain.
ROOM: Final = 8 * 1024
ROOM_WITH_STAMP: Final = 32 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A signed PDF. `stamped_at` is the authority's time; `trouble` says why there is none although it was asked."""

    pdf: bytes
    stamped_at: dt.datetime | None = None
    trouble: str = ""


def sign(pdf: bytes, *, key: SigningKey, reason: str, authority: Authority | None = None) -> Signed:
    """The PDF with one invisible signature that allows no later change.

    The authority is asked twice at most; a paper without a stamp is better than none, so its failure is only told.
    """
    trouble = ""
    for _attempt in range(2 if authority else 0):
        try:
            signed = _sign(pdf, key, reason, authority)
            return Signed(pdf=signed, stamped_at=authority.stamped_at if authority else None)
        except (NoStamp, SigningError) as error:  # the latter for a stamp that does not fit in
            trouble = f"no time stamp: {error}"[:200]
    return Signed(pdf=_sign(pdf, key, reason, None), trouble=trouble)


def _sign(pdf: bytes, key: SigningKey, reason: str, authority: Authority | None) -> bytes:
    certificates = [x509.Certificate.load(der) for der in key.certificates]
    registry = SimpleCertificateStore()  # type: ignore[no-untyped-call]  # the library leaves this one untyped
    for certificate in certificates[1:]:  # the signer brings its own
        registry.register(certificate)
    signer = signers.SimpleSigner(
        signing_cert=certificates[0],
        signing_key=keys.PrivateKeyInfo.load(key.private),
        cert_registry=registry,
    )
    meta = signers.PdfSignatureMetadata(
        field_name=FIELD,
        md_algorithm="sha256",
        subfilter=SigSeedSubFilter.PADES,
        reason=reason,
        certify=True,
        docmdp_permissions=MDPPerm.NO_CHANGES,
    )
    out = signers.sign_pdf(
        IncrementalPdfFileWriter(io.BytesIO(_with_last_line(pdf))),
        meta,
        signer=signer,
        timestamper=authority,
        bytes_reserved=ROOM_WITH_STAMP if authority else ROOM + 2 * sum(map(len, key.certificates)),
    )
    made: bytes = out.getvalue()
    return made


def _with_last_line(pdf: bytes) -> bytes:
    """Ended: the typesetter's last line is not, and what is added would begin in it, which PDF/A refuses (6.1.9)."""
    return pdf if pdf.endswith((b"\n", b"\r")) else pdf + b"\n"
