"""What `make` does before everything else: the environment of the locked packages."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A project that needs no packages, so that its environment is made without a network."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "requirements-dev.txt").write_text("")
    (tmp_path / "requirements-demo.txt").write_text("")
    return tmp_path


def make(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Make, as a person calls it, and all that it said."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))
    }
    return subprocess.run(
        ["make", *words, "UV="], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_an_environment_of_another_python_is_made_anew(bare: Path) -> None:
    """A link to a Python that was replaced would stay, and load the new one's modules."""
    other = bare / ".venv" / "bin"
    other.mkdir(parents=True)
    (other / "python").symlink_to("/bin/false")
    made = make(bare, "env")
    assert made.returncode == 0, made.stdout + made.stderr
    told = subprocess.run([other / "python", "-c", "import ssl"], check=False)
    assert told.returncode == 0


def test_an_environment_that_fits_is_kept(bare: Path) -> None:
    assert make(bare, "env").returncode == 0
    (bare / ".venv" / "mine").touch()
    again = make(bare, "env")
    assert again.returncode == 0
    assert "Installing" not in again.stdout
    assert (bare / ".venv" / "mine").exists()


def test_an_environment_that_another_checkout_uses_is_not_emptied(bare: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "kept").touch()
    (bare / ".venv").symlink_to(theirs)
    made = make(bare, "env")
    assert made.returncode != 0
    assert "remove the link, or make it where it lies" in made.stdout
    assert (theirs / "kept").exists()
