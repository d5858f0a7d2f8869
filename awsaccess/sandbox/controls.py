"""`/_sandbox/`: health, faults, clock, counts and decisions, for tests and for people at the demo. Loopback only."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Final, Protocol
from xml.sax.saxutils import escape

from werkzeug.wrappers import Request, Response

from awsaccess.sandbox import clock, cloudtrail
from awsaccess.sandbox.calls import CallCounter
from awsaccess.sandbox.faults import SWITCHES, Faults
from awsaccess.sandbox.guard.checks import DECISIONS, UNRESOLVED
from awsaccess.sandbox.guard.propagation import PROPAGATION

PREFIX: Final = "/_sandbox/"
_SHOWN_DECISIONS: Final = 200


class Controlled(Protocol):
    """The parts of the server that can be controlled."""

    url: str

    @property
    def faults(self) -> Faults: ...
    @property
    def calls(self) -> CallCounter: ...
    def reset(self) -> None: ...


class BadControl(ValueError):
    """The control was asked for something it does not have."""


Body = Mapping[str, Any]  # Any: JSON


def _is_own(request: Request) -> bool:
    """Programs send no Origin; a page of another site does, and may not touch anything."""
    origin = request.headers.get("Origin")
    return origin in {None, f"http://{request.host}"}


class Controls:
    """Answers everything under `/_sandbox/` but the console's static files."""

    def __init__(self, server: Controlled) -> None:
        self._server = server
        self._answers: Mapping[tuple[str, str], Callable[[Body], object]] = {
            ("GET", "health"): self._health,
            ("GET", "faults"): lambda _: self._faults(),
            ("POST", "faults"): self._add_fault,
            ("DELETE", "faults"): self._clear_faults,
            ("GET", "calls"): lambda _: server.calls.as_rows(),
            ("DELETE", "calls"): self._clear_calls,
            ("GET", "clock"): lambda _: self._clock(),
            ("PUT", "clock"): self._set_clock,
            ("GET", "history"): lambda _: self._history(),
            ("PUT", "history"): self._delay_history,
            ("GET", "propagation"): lambda _: self._propagation(),
            ("PUT", "propagation"): self._delay_propagation,
            ("GET", "decisions"): lambda _: self._decisions(),
            ("POST", "reset"): self._reset,
        }

    def concerns(self, request: Request) -> bool:
        """Is it a control?"""
        return request.path.startswith(PREFIX) and not request.path.startswith(f"{PREFIX}static/")

    def answer(self, request: Request) -> Response:
        """JSON in, JSON out; the start page is for people."""
        if request.host.rsplit(":", 1)[0] not in {"127.0.0.1", "localhost"} or not _is_own(request):
            return Response("not from here", 403)
        name = request.path.removeprefix(PREFIX)
        if not name:
            return Response(self._start_page(), mimetype="text/html")
        answer = self._answers.get((request.method, name))
        if answer is None:
            return Response("not found", 404)
        try:
            return _json(answer(_body(request)), 200)
        except BadControl as error:
            return _json({"error": str(error)}, 400)

    def _health(self, _: Body) -> object:
        return {"status": "ok", "simulated": True, "url": self._server.url}

    def _faults(self) -> object:
        return [asdict(fault) for fault in self._server.faults.current()]

    def _add_fault(self, body: Body) -> object:
        """A named switch with where it applies, or a fault in all its parts."""
        given = dict(body)
        switch = given.pop("switch", None)
        if switch is not None and switch not in SWITCHES:
            raise BadControl(f"no such switch; there are {', '.join(SWITCHES)}")
        wanted = {**SWITCHES.get(switch or "", {}), **given}
        try:
            return asdict(self._server.faults.add(**wanted))
        except TypeError as error:
            raise BadControl(str(error)) from error

    def _clear_faults(self, body: Body) -> object:
        if "number" in body:
            self._server.faults.remove(int(body["number"]))
        else:
            self._server.faults.clear()
        return self._faults()

    def _clear_calls(self, _: Body) -> object:
        self._server.calls.clear()
        return []

    def _clock(self) -> object:
        return {"offset_seconds": clock.offset_seconds(), "now": clock.now().isoformat()}

    def _set_clock(self, body: Body) -> object:
        try:
            clock.set_offset(float(body["offset_seconds"]))
        except (KeyError, TypeError, ValueError) as error:
            raise BadControl("offset_seconds must be a number") from error
        return self._clock()

    def _history(self) -> object:
        return {"delay_seconds": cloudtrail.HISTORY.delay.total_seconds()}

    def _delay_history(self, body: Body) -> object:
        try:
            cloudtrail.HISTORY.delay = dt.timedelta(seconds=float(body["delay_seconds"]))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise BadControl("delay_seconds must be a number") from error
        return self._history()

    def _propagation(self) -> object:
        return {"delay_seconds": PROPAGATION.delay.total_seconds()}

    def _delay_propagation(self, body: Body) -> object:
        try:
            PROPAGATION.delay = dt.timedelta(seconds=float(body["delay_seconds"]))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise BadControl("delay_seconds must be a number") from error
        return self._propagation()

    def _decisions(self) -> object:
        last = list(DECISIONS)[-_SHOWN_DECISIONS:]
        return {"decisions": [asdict(decision) for decision in last], "unresolved": sorted(set(UNRESOLVED))}

    def _reset(self, _: Body) -> object:
        self._server.reset()
        return {"status": "ok"}

    def _start_page(self) -> str:
        rows = "".join(f"<li><code>{escape(m)} {PREFIX}{escape(n)}</code></li>" for m, n in self._answers)
        return (
            '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Sandbox: simulated AWS</title>'
            '<link rel="stylesheet" href="/_sandbox/static/console.css"></head><body>'
            '<p class="banner"><strong>Sandbox: simulated AWS.</strong></p><main><h1>Controls of the sandbox</h1>'
            f'<ul>{rows}</ul><p><a href="/console/">To the simulated console</a></p></main></body></html>'
        )


def _body(request: Request) -> Body:
    if not (text := request.get_data(as_text=True)):
        return {}
    try:
        body = json.loads(text)
    except ValueError as error:
        raise BadControl("the body is not JSON") from error
    if not isinstance(body, dict):
        raise BadControl("the body must be a JSON object")
    return body


def _json(content: object, status: int) -> Response:
    return Response(
        json.dumps(content), status, mimetype="application/json", headers={"Cache-Control": "no-store"}
    )
