"""Ways round the walls that stand in few files only, and in no other: a new one has to be argued for here."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
PRODUCT: Final = ("portal", "accounts", "engagements", "awsaccess", "templates")
# The simulated AWS and the demo's launcher are no part of a served portal; migrations are read when they are written.
APART: Final = ("awsaccess/sandbox/", "portal/demo/", "/migrations/")
KERNEL: Final = "portal/kernel/"
# What goes round something -> where it may stand, by the beginning of the path.
ALLOWED: Final[dict[str, tuple[str, ...]]] = {
    r"_base_manager|objects\.using\(|\.raw\(": (),
    r"\.cursor\(": (KERNEL, "portal/boot.py"),
    r"tenancy\.SYSTEM\b": ("portal/kernel/tasks.py", "portal/kernel/relay.py", "portal/kernel/due.py"),
    r"is_superuser": (),
    r"csrf_exempt": ("portal/pages/hooks.py",),  # a shop has no cookie to forge with: its messages are signed
    r"mark_safe|\|\s*safe\b|autoescape off|safeseq": ("accounts/views/factors.py", "portal/pages/compose.py"),
    r"subprocess|os\.system|shell=True|\beval\(|\bexec\(": (),
    r"pickle|yaml\.|marshal": (),
    # Nothing of a tenant is kept beside the database: what one saw could be shown to another (SECURITY T9).
    r"django\.core\.cache\b|cache_page|\{%\s*(load\s+)?cache\b": ("portal/settings.py",),
    # The doors that lead out by hand: each says at its top what it lets through.
    r"urllib\.request|http\.client|\bsocket\.": (
        "awsaccess/aws/answering.py",
        "awsaccess/aws/federation.py",
        "portal/kernel/outgoing.py",
        "portal/kernel/papers/stamping.py",
    ),
    r"django\.template\.(Template|engines)|\bTemplate\(|engines\[": ("portal/kernel/mail.py",),
    r"verify=False|CERT_NONE|_create_unverified_context": (),
    r"\bcryptography\b|AESGCM|Fernet|\bhmac\b": (
        "portal/kernel/secrets.py",
        "portal/kernel/signatures.py",
        "portal/kernel/checkpoints.py",
        "portal/kernel/papers/",
        "portal/kernel/management/commands/receipt_key.py",
        "accounts/services/id_tokens.py",
        "accounts/services/service_sign_in.py",
    ),
    r"(?i)\bmd5\b|\bsha1\b|\bdes\b|\brc4\b|\becb\b": (),
    r"\bimport random\b|from random import|\brandom\.": (  # when to look or try again: no secret
        "portal/kernel/outbox.py",
        "portal/kernel/due.py",
        "awsaccess/services/checks.py",
        "awsaccess/services/sweeping.py",
    ),
    r"\bset_config\b|SET LOCAL|session_replication_role": ("portal/kernel/database/base.py",),
}


def sources() -> list[Path]:
    found = [file for name in PRODUCT for file in (ROOT / name).rglob("*") if file.is_file()]
    return [
        file
        for file in found
        if file.suffix in {".py", ".html", ".txt"}
        and not any(part in str(file.relative_to(ROOT)) for part in APART)
    ]


def without_words(text: str) -> str:
    """Code alone: comments and texts may speak of anything."""
    text = re.sub(r'"""[\s\S]*?"""', "", text)
    return re.sub(r"(?m)(^|\s)#.*$", "", text)


@pytest.mark.parametrize("way", ALLOWED)
def test_ways_round_the_walls_stand_only_where_they_are_known(way: str) -> None:
    found = {
        str(file.relative_to(ROOT)) for file in sources() if re.search(way, without_words(file.read_text()))
    }
    assert {name for name in found if not name.startswith(ALLOWED[way])} == set()
    for allowed in ALLOWED[way]:
        assert any(name.startswith(allowed) for name in found), f"{allowed} needs {way} no more"


def test_there_is_something_to_search() -> None:
    assert len(sources()) > 150
