"""The evidence pack as one ZIP, with a list of what is in it.

The record in it is the practice's whole chain, because a chain holds only as a whole; names and reasons are given of this
engagement alone. Reads only.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import zipfile
from collections.abc import Iterator
from typing import IO, Final

from django.conf import settings

from awsaccess.evidence.access import access_files
from awsaccess.evidence.paper import paper_files
from awsaccess.evidence.readme import readme_of
from awsaccess.evidence.shapes import File, iso, text_of
from engagements.models import Engagement
from portal.kernel import checkpoints, clock, export
from portal.kernel.models import AuditCheckpoint
from portal.kernel.papers import keys

FORMAT: Final = "latchkey-evidence-2"
TOOLS: Final = {"verify.py": "evidence_verify.py", "audit_verify.py": "audit_verify.py"}


def write_pack(engagement: Engagement, file: IO[bytes]) -> str:
    """Write the ZIP; its SHA-256. The engagement comes with practice and client. Nothing is changed."""
    made = clock.now()
    prints: dict[str, str] = {}
    with export.one_moment(), zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as pack:
        for name, content in _files(engagement, made):
            _put(pack, name, content, made)
            prints[name] = hashlib.sha256(content).hexdigest()
        manifest = text_of(
            {
                "format": FORMAT,
                "engagement": engagement.code,
                "engagement_id": str(engagement.pk),
                "practice_id": str(engagement.practice_id),
                "made_at": iso(made),
                "files": prints,
            }
        )
        _put(pack, "manifest.json", manifest, made)
        told = f"{hashlib.sha256(manifest).hexdigest()}  manifest.json\n"
        _put(pack, "manifest.sha256", told.encode(), made)
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]  # the stub wants more than it uses


def _put(pack: zipfile.ZipFile, name: str, content: bytes, made: dt.datetime) -> None:
    told = zipfile.ZipInfo(name, date_time=made.timetuple()[:6])
    told.compress_type, told.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
    pack.writestr(told, content)


def _files(engagement: Engagement, made: dt.datetime) -> Iterator[File]:
    yield "README.txt", readme_of(engagement, made).encode()
    yield from paper_files(engagement)
    yield from access_files(engagement)
    yield from _record(engagement)
    yield "certificates.pem", "".join(keys.pem_of(der) for der in keys.known_certificates()).encode()
    for name, source in TOOLS.items():
        yield name, (settings.BASE_DIR / "cli" / source).read_bytes()


def _record(engagement: Engagement) -> Iterator[File]:
    lines = export.lines_of(engagement.practice_id, about_id=engagement.pk)
    yield "record/record.jsonl", "".join(lines).encode()
    sealed = AuditCheckpoint.objects.filter(practice_id=engagement.practice_id).order_by("size")
    yield "record/checkpoints.txt", "\n".join(checkpoints.note_of(one) for one in sealed).encode()
