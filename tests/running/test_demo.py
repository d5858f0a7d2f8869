"""`make demo` as a person meets it: it comes up, goes down without a trace, goes on, and says plainly what is wrong."""

from __future__ import annotations

import contextlib
import os
import signal
import smtplib
import socket
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from portal.demo import commands, place
from portal.demo.crew import Child, Crew, Stopped
from portal.kernel import clock
from tests.plugins.demo_process import PATIENCE, Demo, a_demo


@pytest.fixture
def demo() -> Iterator[Demo]:
    """A demo of this test's own."""
    with a_demo() as one:
        yield one


def test_it_starts_stops_goes_on_where_it_was_and_names_a_dead_child(demo: Demo) -> None:
    lines = demo.start()
    assert sum("http://" in line for line in lines) == 1
    assert f"http://localhost:{demo.port}/demo/" in lines[-1]
    for private in ("secrets.json", "state.json"):
        assert stat.S_IMODE((demo.folder / private).stat().st_mode) == 0o600
    secrets = (demo.folder / "secrets.json").read_text()
    kept = _send_mail(demo)
    refusal = f"A demo already runs at http://localhost:{demo.port}/demo/: stop it there with Ctrl-C first.\n"
    assert demo.run() == (1, refusal)
    assert demo.run("reset") == (1, refusal)
    assert demo.end() == (0, "")
    assert demo.left() == []

    demo.start()
    assert (demo.folder / "secrets.json").read_text() == secrets
    assert kept.exists()
    os.kill(demo.state["processes"]["worker"], signal.SIGKILL)
    assert demo.process
    _, said = demo.process.communicate(timeout=PATIENCE)
    assert demo.process.returncode == 1
    assert said.startswith("The worker stopped by itself (exit code -9); see ")
    assert demo.left() == []
    assert demo.run("reset") == (0, "")
    assert [path.name for path in demo.folder.iterdir()] == ["lock"]


def _send_mail(demo: Demo) -> Path:
    port = demo.setting("EMAIL_URL").rpartition(":")[2]
    with smtplib.SMTP("127.0.0.1", int(port)) as server:
        server.sendmail("a@northgate.example", ["b@brightwater.example"], b"Subject: kept\r\n\r\n.. dots\r\n")
    # The worker may have mailed its own by now: the sample client's invitation.
    ours = b"Subject: kept\r\n\r\n.. dots\r\n"
    (kept,) = [file for file in (demo.folder / "mail").iterdir() if file.read_bytes() == ours]
    return kept


def test_nothing_outlives_a_killed_launcher(demo: Demo) -> None:
    demo.start()
    database = demo.setting("DATABASE_URL")
    assert demo.end(signal.SIGKILL)[0] == -signal.SIGKILL
    assert clock.wait_until(lambda: not demo.left(), seconds=20)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(database, connect_timeout=2)


def test_nothing_of_the_shells_aws_or_databases_is_handed_down(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "DATABASE_URL", "PORTAL_PROCESS", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "real")
    given = commands.base_environment(place.Place(folder=Path("/nowhere")))
    assert "real" not in given.values()
    assert given["AWS_EC2_METADATA_DISABLED"] == "true"


def test_a_taken_port_is_said(demo: Demo) -> None:
    with socket.create_server(("127.0.0.1", demo.port)):
        code, said = demo.run()
    assert code == 1
    assert (
        said
        == f"Port {demo.port} is taken: stop what listens there, or choose another, PORT={demo.port + 1}.\n"
    )


@pytest.mark.parametrize("port", ["0", "65536", "eighty", "-1", "²"])
def test_a_nonsense_port_is_said(demo: Demo, port: str) -> None:
    code, said = demo.run(PORT=port)
    assert code == 1
    assert said.startswith(f"PORT is {port!r}")


@pytest.fixture
def crew(tmp_path: Path) -> Iterator[Crew]:
    """A crew of small programs."""
    with (tmp_path / "lock").open("w") as lock:
        one = Crew(logs=tmp_path, lock=lock.fileno())
        one.open()
        yield one
        one.stop()


def _python(crew: Crew, name: str, program: str) -> Child:
    return crew.start(name, [sys.executable, "-c", program], {})


def test_a_failed_step_ends_with_its_last_words(crew: Crew) -> None:
    step = _python(crew, "step", "raise SystemExit('because')")
    with pytest.raises(place.DemoError, match=r"exit code 1\).*because"):
        crew.finish_all([step], seconds=PATIENCE)


def test_a_step_that_hangs_is_named(crew: Crew) -> None:
    step = _python(crew, "step", "input_ = __import__('signal').pause()")
    with pytest.raises(place.DemoError, match="did not finish within 0 s"):
        crew.finish_all([step], seconds=0.3)


def test_a_child_that_dies_during_a_wait_is_named(crew: Crew) -> None:
    _python(crew, "brief", "pass")
    with pytest.raises(place.DemoError, match="brief stopped by itself"):
        crew.wait_for("other", lambda: False, seconds=PATIENCE)


def test_what_never_answers_is_named(crew: Crew) -> None:
    with pytest.raises(place.DemoError, match="other did not answer"):
        crew.wait_for("other", lambda: False, seconds=0.2)


def test_a_wish_to_stop_ends_every_wait(crew: Crew) -> None:
    crew.ask_to_stop()
    with pytest.raises(Stopped):
        crew.watch()


def test_a_stubborn_child_and_its_children_are_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portal.demo.crew.PATIENCE_SECONDS", 0.2)
    with (tmp_path / "lock").open("w") as lock:
        crew = Crew(logs=tmp_path, lock=lock.fileno())
        crew.open()
        deaf = "import os, signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); os.fork(); print('up', flush=True); signal.pause()"
        child = _python(crew, "stubborn", deaf)
        crew.wait_for("stubborn", lambda: child.log.read_text().count("up") == 2, seconds=PATIENCE)
        crew.stop()
    assert child.process.returncode == -signal.SIGKILL
    assert clock.wait_until(lambda: not _group_lives(child.process.pid), seconds=5)


def _group_lives(group: int) -> bool:
    members = (path.read_text().rpartition(")")[2].split() for path in _stats())
    return any(int(words[2]) == group and words[0] != "Z" for words in members)


def _stats() -> Iterator[Path]:
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            path.read_text()
            yield path


def test_the_caretakers_own_death_is_noticed(crew: Crew) -> None:
    assert crew._caretaker
    crew._caretaker.kill()
    with pytest.raises(place.DemoError, match="caretaker"):
        crew.watch()


def test_a_sandbox_that_left_nothing_usable_is_said(tmp_path: Path) -> None:
    here = place.Place(folder=tmp_path)
    here.prepare()
    with pytest.raises(place.DemoError, match="left no usable"):
        commands.read_keys(here)


def test_a_stranger_on_ipv6_makes_a_port_taken() -> None:
    try:
        stranger = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        return  # no IPv6 here, so no stranger either
    with stranger:
        assert not commands.is_free(stranger.getsockname()[1])
