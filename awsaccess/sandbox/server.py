"""The sandbox server: everything simulated, in one process, on the loopback address only."""

from __future__ import annotations

import secrets
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

from moto.moto_api._internal.models import moto_api_backend
from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import BaseWSGIServer, make_server

from awsaccess.sandbox import accounts as accounts_module
from awsaccess.sandbox import clock, cloudtrail
from awsaccess.sandbox.calls import CallCounter
from awsaccess.sandbox.cloudformation import custom, stacks
from awsaccess.sandbox.cloudformation.install import install as install_cloudformation
from awsaccess.sandbox.console.pages import Console
from awsaccess.sandbox.controls import Controls
from awsaccess.sandbox.faults import Faults
from awsaccess.sandbox.federation import SignIn
from awsaccess.sandbox.front import Front
from awsaccess.sandbox.guard.caller import SESSIONS
from awsaccess.sandbox.guard.checks import DECISIONS, UNRESOLVED
from awsaccess.sandbox.guard.install import install as install_guard
from awsaccess.sandbox.guard.propagation import PROPAGATION
from awsaccess.sandbox.journal import Journal
from awsaccess.sandbox.parties import Account

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

LOOPBACK: Final = "127.0.0.1"


class _Handler(MotoRequestHandler):
    protocol_version = "HTTP/1.1"  # keep-alive: moto's own server closes after each answer

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Not a word: addresses hold sign-in tokens and template versions."""

    def connection_dropped(self, error: BaseException, environ: WSGIEnvironment | None = None) -> None:
        """Close it: kept alive, the caller would wait for the answer that was cut."""
        super().connection_dropped(error, environ)
        self.close_connection = True


def install() -> None:
    """Patch moto, once per process."""
    install_guard()
    install_cloudformation()
    cloudtrail.install()


class SandboxServer:
    """A running sandbox. moto's state belongs to the process, so there is one at a time.

    `url` is the endpoint for AWS clients, sign-in and console alike; `accounts` the parties with their keys.
    """

    def __init__(self, port: int, folder: Path | None, portal_origin: str = "") -> None:
        install()
        self._folder, self._portal_origin = folder, portal_origin
        self._seed = accounts_module.read_seed(folder) if folder else secrets.token_hex(16)
        self._front = Front(Journal(folder))
        self._sign_in = SignIn()
        self._http: BaseWSGIServer = make_server(
            LOOPBACK, port, self._front, threaded=True, request_handler=_Handler
        )
        self._http.daemon_threads = True  # type: ignore[attr-defined]  # a threading server, which make_server does not say
        self.url = f"http://{LOOPBACK}:{self._http.server_port}"
        self.accounts: dict[str, Account] = {}
        self._prepare()

    def _prepare(self) -> None:
        _forget()
        self._sign_in.clear()
        self._front.base_url = self.url
        custom.WAITING.report = self._front.take_custom_answer
        self.accounts = accounts_module.bootstrap(self._seed)
        console = Console(self._front, self._sign_in, self.accounts, self._portal_origin)
        self._front.own = (Controls(self), console)
        self._front.replay()
        if self._folder:
            accounts_module.write_accounts(self._folder, self.url, self._seed, self.accounts)

    @property
    def faults(self) -> Faults:
        """Let AWS have a bad day."""
        return self._front.faults

    @property
    def calls(self) -> CallCounter:
        """How often AWS was called."""
        return self._front.counter

    def reset(self) -> None:
        """An empty AWS with the same accounts, keys and hub roles; no faults, no counts, the right time."""
        with self._front.changing:
            self._front.journal.clear()
            self.faults.clear()
            self.calls.clear()
            clock.set_offset(0)
            self._prepare()

    def serve_forever(self) -> None:
        """Answer until `stop`."""
        self._http.serve_forever(poll_interval=0.1)

    def stop(self) -> None:
        """Stop answering and let the port go."""
        self._front.closing.set()
        custom.stop_waiting()
        self._http.shutdown()
        self._http.server_close()


def _forget() -> None:
    custom.stop_waiting()
    moto_api_backend.reset()
    stacks.STATES.clear()
    SESSIONS.clear()
    cloudtrail.HISTORY.clear()
    PROPAGATION.clear()
    DECISIONS.clear()
    UNRESOLVED.clear()


def serve(port: int = 0, folder: Path | None = None, portal_origin: str = "") -> SandboxServer:
    """Start a sandbox in a thread of this process; port 0 takes a free one. Stop it with `stop()`.

    With a folder it keeps accounts.json and the journal there, and goes on where the last one stopped.
    """
    server = SandboxServer(port, folder, portal_origin)
    threading.Thread(target=server.serve_forever, name="sandbox", daemon=True).start()
    return server
