"""The key that signs papers, and every certificate that ever did.

By default the key is derived from AUDIT_SIGNING_KEY, which only the worker has, and certifies itself; an installation
with a certificate of its own gives RECEIPT_SIGNING_KEY and RECEIPT_CERTIFICATE. What signed is written down once, so
that a paper is known as ours after the key was renewed.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction

from portal.kernel import clock
from portal.kernel.models import SigningCertificate

# Loaded where a certificate is made or read: forty modules that a web process seldom needs.
if TYPE_CHECKING:
    from cryptography import x509

VALID_FOR: Final = dt.timedelta(days=3653)
DOCUMENT_SIGNING: Final = "1.3.6.1.5.5.7.3.36"  # RFC 9336
# The order of the curve P-256, whose private keys are the numbers below it.
P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """What a signature is made with: key and certificates as DER, the signer's first."""

    private: bytes = field(repr=False)
    certificates: tuple[bytes, ...]

    @property
    def certificate(self) -> bytes:
        """The signer's own."""
        return self.certificates[0]


def fingerprint(certificate: bytes) -> str:
    """SHA-256 of a certificate's DER bytes, as people compare it."""
    return hashlib.sha256(certificate).hexdigest()


def signing_key() -> SigningKey:
    """The installation's key with its certificate, which is known from then on. Outside any transaction.

    Raises ImproperlyConfigured in a process without a key, and for a key and a certificate that do not belong together.
    """
    key = _given() if settings.RECEIPT_SIGNING_KEY else _derived()
    certificates_keep(key.certificates[:1])
    return key


def known_certificates() -> list[bytes]:
    """Every certificate that ever signed here, as DER; the newest first."""
    rows = SigningCertificate.objects.order_by("-known_at", "sha256").values_list("der", flat=True)
    return [bytes(der) for der in rows]


@transaction.atomic(durable=True)
def certificates_keep(certificates: tuple[bytes, ...]) -> None:
    """Write down what signs here. What is known already stays as it is."""
    known = set(SigningCertificate.objects.values_list("sha256", flat=True))
    fresh = [der for der in certificates if fingerprint(der) not in known]
    if fresh:
        rows = [SigningCertificate(sha256=fingerprint(der), der=der, known_at=clock.now()) for der in fresh]
        SigningCertificate.objects.bulk_create(rows, ignore_conflicts=True)


def new_private_key() -> ec.EllipticCurvePrivateKey:
    """A fresh P-256 key."""
    return ec.generate_private_key(ec.SECP256R1())


def self_signed(private: ec.EllipticCurvePrivateKey, *, now: dt.datetime) -> x509.Certificate:
    """A certificate over itself, in the name of the installation, for ten years."""
    from cryptography import x509
    from cryptography.x509.oid import NameOID, ObjectIdentifier

    host = urlsplit(settings.SITE_URL).netloc
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Receipts of {host}"[:64])])
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=True,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    own_id = x509.SubjectKeyIdentifier.from_public_key(private.public_key())
    made = x509.CertificateBuilder(
        issuer_name=name,
        subject_name=name,
        public_key=private.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now - dt.timedelta(minutes=5),  # for readers whose clock is a little behind
        not_valid_after=now + VALID_FOR,
    )
    made = made.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    made = made.add_extension(usage, critical=True)
    made = made.add_extension(x509.ExtendedKeyUsage([ObjectIdentifier(DOCUMENT_SIGNING)]), critical=False)
    return made.add_extension(own_id, critical=False).sign(private, hashes.SHA256())


def pem_of_key(private: ec.EllipticCurvePrivateKey) -> str:
    """PKCS #8, unencrypted: the file's mode protects it."""
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def pem_of(certificate: bytes) -> str:
    """A DER certificate as PEM."""
    from cryptography import x509

    return x509.load_der_x509_certificate(certificate).public_bytes(Encoding.PEM).decode()


def _given() -> SigningKey:
    from cryptography import x509

    try:
        private = serialization.load_pem_private_key(settings.RECEIPT_SIGNING_KEY.encode(), password=None)
        chain = x509.load_pem_x509_certificates(settings.RECEIPT_CERTIFICATE.encode())
    except (ValueError, TypeError) as error:
        raise ImproperlyConfigured(
            "RECEIPT_SIGNING_KEY and RECEIPT_CERTIFICATE are a private key and its certificates in PEM, as `manage.py receipt_key` makes them."
        ) from error
    if not isinstance(private, ec.EllipticCurvePrivateKey) or private.curve.name != "secp256r1":
        raise ImproperlyConfigured("RECEIPT_SIGNING_KEY is a key on the curve P-256.")
    if _public(private.public_key()) != _public(chain[0].public_key()):
        raise ImproperlyConfigured("RECEIPT_CERTIFICATE begins with the certificate of another key.")
    return SigningKey(
        private=_der(private), certificates=tuple(one.public_bytes(Encoding.DER) for one in chain)
    )


def _derived() -> SigningKey:
    """From the key that signs the record: whoever has that one could vouch for a false record anyway."""
    if not settings.AUDIT_SIGNING_KEY:
        raise ImproperlyConfigured("Only the worker signs papers: set AUDIT_SIGNING_KEY there.")
    seed = HKDF(algorithm=SHA256(), length=48, salt=b"latchkey", info=b"papers:p-256").derive(
        bytes.fromhex(settings.AUDIT_SIGNING_KEY)
    )
    # 48 bytes for a number of 32: no number of the range is likelier than another by more than 2^-128.
    private = ec.derive_private_key(int.from_bytes(seed) % (P256_ORDER - 1) + 1, ec.SECP256R1())
    return SigningKey(private=_der(private), certificates=(_certificate_for(private),))


def _certificate_for(private: ec.EllipticCurvePrivateKey) -> bytes:
    """The one made before for this key and this name while it lasts; otherwise a new one."""
    from cryptography import x509

    now = clock.now()
    made = self_signed(private, now=now)
    for der in known_certificates():
        known = x509.load_der_x509_certificate(der)
        fits = _public(known.public_key()) == _public(private.public_key()) and known.subject == made.subject
        if fits and now + VALID_FOR / 2 < known.not_valid_after_utc:
            return der
    return made.public_bytes(Encoding.DER)


def _der(private: ec.EllipticCurvePrivateKey) -> bytes:
    return private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def _public(key: object) -> bytes:
    """As bytes, to compare; nothing for a key of another kind."""
    if not isinstance(key, ec.EllipticCurvePublicKey):
        return b""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
