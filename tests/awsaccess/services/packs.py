"""Evidence packs in the hands of a third party: unpacked, verified with Python alone, tampered with."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from hashlib import sha256
from pathlib import Path

from awsaccess.evidence import write_pack
from portal.kernel import tenancy
from tests.awsaccess.services.cast import Case


def pack_of(case: Case) -> bytes:
    file = io.BytesIO()
    with tenancy.use(case.firm.practice_side):
        write_pack(case.fresh(), file)
    return file.getvalue()


def unpack(pack: bytes, folder: Path) -> Path:
    folder.mkdir()
    with zipfile.ZipFile(io.BytesIO(pack)) as file:
        file.extractall(folder)
    return folder


def verify(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """With Python alone: no environment, no site packages, no current folder."""
    bare = ["env", "-i", sys.executable, "-I", "-S"]
    return subprocess.run(
        [*bare, str(folder / "verify.py"), *words], capture_output=True, text=True, check=False, cwd="/"
    )


def names(folder: Path) -> list[str]:
    return sorted(one.relative_to(folder).as_posix() for one in folder.rglob("*") if one.is_file())


def list_anew(folder: Path) -> None:
    """As whoever changes a file would do: the list of files tells of the changed one."""
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"] = {name: sha256((folder / name).read_bytes()).hexdigest() for name in manifest["files"]}
    text = json.dumps(manifest).encode()
    (folder / "manifest.json").write_bytes(text)
    (folder / "manifest.sha256").write_text(f"{sha256(text).hexdigest()}  manifest.json\n")
