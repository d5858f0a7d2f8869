"""What tests of signed papers share: an independent judge of signatures, and a time stamping authority on loopback."""

from __future__ import annotations

import datetime as dt
import io
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import asn1crypto.keys
import asn1crypto.x509
from asn1crypto import tsp
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import MDPPerm
from pyhanko.sign.timestamps.dummy_client import DummyTimeStamper
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko.sign.validation.errors import SignatureValidationError
from pyhanko.sign.validation.status import SignatureCoverageLevel
from pyhanko_certvalidator import ValidationContext

from portal.kernel.papers.signing import FIELD


def is_valid(pdf: bytes, certificates: list[bytes]) -> bool:
    """What pyhanko's validator says of the one signature, which has to cover the whole file."""
    status = _status(pdf, certificates)
    return status is not None and bool(status.bottom_line)


def is_pades(pdf: bytes) -> bool:
    """Whether the one signature has the shape of ETSI EN 319 142: CAdES, its certificate signed too, the whole file in it,
    and certifies the paper so that readers take any later change for a breach.
    """
    reader = PdfFileReader(io.BytesIO(pdf))
    (signature,) = reader.embedded_signatures
    signed = {attribute["type"].native for attribute in signature.signer_info["signed_attrs"]}
    covered = signature.evaluate_signature_coverage()
    return (
        signature.sig_object["/SubFilter"] == "/ETSI.CAdES.detached"
        and "signing_certificate_v2" in signed
        and "signing_time" not in signed  # it stands in the PDF, and nowhere else
        and covered is SignatureCoverageLevel.ENTIRE_FILE
        and signature.docmdp_level is MDPPerm.NO_CHANGES
        and reader.root["/Perms"].raw_get("/DocMDP") == signature.sig_field.raw_get("/V")
    )


def objects_within_a_line(pdf: bytes) -> list[int]:
    """Where an object does not begin a line of its own, which ISO 19005-2 wants in 6.1.9; the cross-reference tables tell."""
    places = [int(one[1]) for one in re.finditer(rb"(\d{10}) \d{5} n[ \r]?[\r\n]", pdf)]
    assert len(places) > 1
    assert all(re.match(rb"\d+ \d+ obj[\r\n]", pdf[place : place + 24]) for place in places)
    return [place for place in places if pdf[place - 1 : place] not in {b"\r", b"\n"}]


def certificates_in(pdf: bytes) -> list[bytes]:
    """Those that the one signature brings along."""
    (signature,) = PdfFileReader(io.BytesIO(pdf)).embedded_signatures
    return [one.chosen.dump() for one in signature.signed_data["certificates"]]


def stamp_is_valid(pdf: bytes, certificates: list[bytes]) -> bool:
    """Whether the signature carries a time stamp that holds."""
    status = _status(pdf, certificates)
    stamp = status.timestamp_validity if status else None
    return bool(stamp and stamp.intact and stamp.valid and stamp.trusted)


def _status(pdf: bytes, certificates: list[bytes]) -> Any:  # Any: an untyped library
    roots = [asn1crypto.x509.Certificate.load(der) for der in certificates]
    try:
        (signature,) = PdfFileReader(io.BytesIO(pdf)).embedded_signatures
        assert signature.field_name == FIELD
        return validate_pdf_signature(signature, ValidationContext(trust_roots=roots))
    except (PdfError, SignatureValidationError, ValueError, KeyError, IndexError, TypeError, RecursionError):
        return None


@dataclass(slots=True, kw_only=True)
class Tsa:
    """A small authority: its address, its certificate, what it was asked, and how it answers."""

    url: str = ""
    certificate: bytes = b""
    asked: list[bytes] = field(default_factory=list)
    status: int = 200
    spoil: bool = False  # stamps something else than was asked


@contextmanager
def authority() -> Iterator[Tsa]:
    """One on loopback, which stamps whatever it is asked."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    certificate = _certificate(key)
    stamper = DummyTimeStamper(
        tsa_cert=asn1crypto.x509.Certificate.load(certificate),
        tsa_key=asn1crypto.keys.PrivateKeyInfo.load(
            key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        ),
    )
    tsa = Tsa(certificate=certificate)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the library's name
            question = self.rfile.read(int(self.headers["Content-Length"]))
            tsa.asked.append(question)
            request = tsp.TimeStampReq.load(question)
            if tsa.spoil:
                request["message_imprint"]["hashed_message"] = bytes(32)
            answer = stamper.request_tsa_response(tsp.TimeStampReq.load(request.dump(force=True))).dump()
            self.send_response(tsa.status)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_words: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    tsa.url = f"http://127.0.0.1:{server.server_port}/stamp?now"
    try:
        yield tsa
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _certificate(key: rsa.RSAPrivateKey) -> bytes:

    now = dt.datetime.now(dt.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Time")])
    made = x509.CertificateBuilder(
        name,
        name,
        key.public_key(),
        x509.random_serial_number(),
        now - dt.timedelta(days=1),
        now + dt.timedelta(days=9),
    )
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
    return made.add_extension(usage, critical=True).sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
