"""What listens: one WSGI application before moto's dispatcher.

Calls to AWS are counted, meet their faults, are judged by the guard inside moto, and changes are written to the
journal. Everything under a few fixed paths is the sandbox's own: sign-in, the console, and the controls for tests.
"""

from __future__ import annotations

import datetime as dt
import io
import json
import secrets
import threading
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from html import unescape
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import unquote, urlencode

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.test import create_environ
from werkzeug.wrappers import Request, Response

from awsaccess.sandbox import clock, cloudtrail, ids, signing
from awsaccess.sandbox.calls import Call, CallCounter, read_call
from awsaccess.sandbox.cloudformation import custom
from awsaccess.sandbox.faults import Faults, error_body, suffer
from awsaccess.sandbox.guard.caller import find_caller
from awsaccess.sandbox.guard.context import CURRENT, remember
from awsaccess.sandbox.journal import KEPT_HEADERS, Entry, Journal

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


_VERSIONS: Final = {"iam": "2010-05-08", "cloudformation": "2010-05-15", "sts": "2011-06-15"}
_ANSWER_SERVICE: Final = "cfn-response"
_CUSTOM_ANSWER: Final = "/arn:aws:cloudformation:"
"""Every ResponseURL's path starts so, and no bucket's name can."""


class AwsRefusal(Exception):
    """AWS answered a call of the console with an error: its code and its words."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message = code, message


class Own(Protocol):
    """What answers requests that are not for AWS: the console, the controls."""

    def concerns(self, request: Request) -> bool: ...
    def answer(self, request: Request) -> Response: ...


class Front:
    """The WSGI application. `own` answers the sandbox's own pages."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.counter = CallCounter()
        self.faults = Faults()
        self.closing = threading.Event()
        self.base_url = "http://127.0.0.1"
        self.own: Sequence[Own] = ()
        self._moto = DomainDispatcherApplication(_backend_app)
        # Changes go one at a time, so that the journal has them in the order in which they happened.
        self.changing = threading.RLock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        return self.answer(request)(environ, start_response)

    def answer(self, request: Request) -> Response:
        """One request in, one answer out."""
        remember(None, {})  # the thread served somebody else before
        body = request.get_data(cache=False)
        _give_back(request.environ, body)
        if request.path.startswith(("/moto-api", "/latest/")):  # moto's own back doors
            return Response("not found", 404)
        if request.method == "PUT" and request.path.startswith(_CUSTOM_ANSWER):
            return self._custom_answer(request, body)
        for own in self.own:
            if own.concerns(request):
                return own.answer(Request(request.environ))
        return self.aws(request, body)

    def aws(self, request: Request, body: bytes) -> Response:
        """A call to AWS: counted, hit by its faults, judged, and kept when it changed something."""
        call = read_call(request, body)
        if faulty := self.meet(call):
            return faulty
        answer = self._answered(request, body, call)
        cloudtrail.record(request, answer, call, CURRENT.caller, CURRENT.action)
        return answer

    def _answered(self, request: Request, body: bytes, call: Call) -> Response:
        if not call.changes:
            return self._dispatch(request, call)
        with self.changing:
            return self._change(request, body, call)

    def meet(self, call: Call) -> Response | None:
        """Count a call and let it meet its faults; the answer when they leave none to AWS. Raises ConnectionCut."""
        self.counter.add(call)
        for fault in self.faults.hit(call):
            if answer := suffer(fault, call, self.closing):
                return answer
        return None

    def _dispatch(self, request: Request, call: Call) -> Response:
        try:
            answer = Response.from_app(self._moto, request.environ, buffered=True)
        except NotImplementedError:
            return _not_simulated(call)
        # A service that moto lacks is a page of HTML, which AWS clients cannot read.
        lacking = answer.status_code == 404 and answer.mimetype == "text/html"
        return _not_simulated(call) if lacking else answer

    def _change(self, request: Request, body: bytes, call: Call) -> Response:
        entry = _request_entry(request, body, call)
        with _made_at(entry):
            answer = self._dispatch(request, call)
        if answer.status_code < 300:
            self.journal.append(replace(entry, refused=CURRENT.refused))
        return answer

    # ------------------------------------------------------------ custom resources

    def _custom_answer(self, request: Request, body: bytes) -> Response:
        token = unquote(request.path).rsplit("|", 1)[-1]
        call = Call(service=_ANSWER_SERVICE, action="PutAnswer", account="anonymous", region="us-east-1")
        return self.meet(call) or self.take_custom_answer(token, body)

    def take_custom_answer(self, token: str, body: bytes) -> Response:
        """The answer to a custom resource's request, from its ResponseURL or because its time ran out."""
        with self.changing:
            entry = _answer_entry(token, body)
            with _made_at(entry):
                refusal = custom.take_answer(token, body)
            if refusal is None:
                self.journal.append(replace(entry, refused=CURRENT.refused))
        return Response(refusal or "", 403 if refusal else 200)

    # ------------------------------------------------------------ after a restart

    def replay(self) -> int:
        """Do again what the journal holds; returns how many changes it was."""
        count = 0
        with self.changing:
            for entry in self.journal.entries():
                self._relive(entry)
                count += 1
        custom.ask_again()
        return count

    def _relive(self, entry: Entry) -> None:
        CURRENT.replaying = True
        try:
            remember(find_caller(entry.access_key_id), {})
            with _made_at(entry):
                if entry.service == _ANSWER_SERVICE:
                    custom.take_answer(entry.target, entry.content)
                else:
                    Response.from_app(self._moto, _relived(entry), buffered=True)
        finally:
            CURRENT.replaying = False
            remember(None, {})

    # ------------------------------------------------------------ calls of the console

    def call(
        self,
        keys: signing.Keys,
        service: str,
        action: str,
        region: str,
        params: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:  # Any: JSON of an AWS answer
        """Make a signed AWS call in somebody's name, in-process but through everything a call from outside passes.

        Raises AwsRefusal.
        """
        form = {"Action": action, "Version": _VERSIONS[service], "ContentType": "JSON", **(params or {})}
        kind = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
        answer = self.signed(keys, service, region, "POST", "/", urlencode(form).encode(), kind)
        content: dict[str, Any] = json.loads(answer.get_data() or b"{}") if _is_json(answer) else {}
        if answer.status_code >= 300:
            raise _refusal(answer, content)
        result: dict[str, Any] = content.get(f"{action}Response", {}).get(f"{action}Result") or {}
        return result

    def read_object(self, keys: signing.Keys, region: str, path: str) -> bytes:
        """Read an S3 object in somebody's name; `path` is `/bucket/key?versionId=...`, encoded. Raises AwsRefusal."""
        answer = self.signed(keys, "s3", region, "GET", path, b"", {})
        if answer.status_code >= 300:
            raise _refusal(answer, {})
        return answer.get_data()

    def signed(
        self,
        keys: signing.Keys,
        service: str,
        region: str,
        method: str,
        path: str,
        body: bytes,
        headers: dict[str, str],
    ) -> Response:
        """Send a signed request to this application, without a network."""
        stamp = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%SZ")
        scope = signing.Scope(stamp=stamp, region=region, service=service)
        all_headers = signing.signed_headers(
            keys=keys, scope=scope, method=method, url=f"{self.base_url}{path}", body=body, headers=headers
        )
        return self.aws(Request(_environ(method, path, self.base_url, all_headers, body)), body)


def _backend_app(service: Any) -> Any:  # Any: moto's literal names, and a Flask application
    """moto asks for the application of None where it has no such service, and would fall over."""
    if service is None:
        raise NotImplementedError("moto has no such service")
    return create_backend_app(service)


def _not_simulated(call: Call) -> Response:
    words = f"The sandbox does not simulate {call.service}:{call.action}"
    body, kind = error_body(call, "NotImplemented", words)
    return Response(body, 501, content_type=kind)


@contextmanager
def _made_at(entry: Entry) -> Iterator[None]:
    """The ids, the moment and the refusals of a change, the first time and at each replay."""
    CURRENT.refused = list(entry.refused)
    with ids.seeded(entry.seed), clock.at(entry.moment):
        yield


def _request_entry(request: Request, body: bytes, call: Call) -> Entry:
    credential = request.headers.get("Authorization", "").partition("Credential=")[2].partition("/")[0]
    return Entry(
        at=clock.now().isoformat(),
        account=call.account,
        service=call.service,
        region=call.region,
        access_key_id=credential,
        seed=secrets.token_hex(16),
        method=request.method,
        target=str(request.environ.get("RAW_URI") or request.full_path),
        headers={name: request.headers[name] for name in KEPT_HEADERS if name in request.headers},
        body=b64encode(body).decode(),
        refused=[],
    )


def _answer_entry(token: str, body: bytes) -> Entry:
    return Entry(
        at=clock.now().isoformat(),
        account="",
        service=_ANSWER_SERVICE,
        region="",
        access_key_id="",
        seed=secrets.token_hex(16),
        method="PUT",
        target=token,
        headers={},
        body=b64encode(body).decode(),
        refused=[],
    )


def _give_back(environ: WSGIEnvironment, body: bytes) -> None:
    """The body was read: let the next reader find it."""
    environ["wsgi.input"] = io.BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))
    environ.pop("HTTP_TRANSFER_ENCODING", None)


def _environ(
    method: str, target: str, base_url: str, headers: Mapping[str, str], body: bytes
) -> WSGIEnvironment:
    path, _, query = target.partition("?")
    environ = create_environ(
        path=path, query_string=query, base_url=base_url, method=method, headers=dict(headers), data=body
    )
    environ["RAW_URI"] = environ["REQUEST_URI"] = target
    environ["REMOTE_ADDR"] = "127.0.0.1"
    return environ


def _relived(entry: Entry) -> WSGIEnvironment:
    # moto finds the service and the region in the credential scope; nobody looks at the signature.
    scope = f"{entry.at[:10].replace('-', '')}/{entry.region}/{entry.service}/aws4_request"
    key = entry.access_key_id or "AKIAREPLAYREPLAYREPL"
    credential = f"AWS4-HMAC-SHA256 Credential={key}/{scope}, SignedHeaders=host, Signature=0"
    headers = {**entry.headers, "Authorization": credential, "x-moto-account-id": entry.account}
    return _environ(entry.method, entry.target, "http://127.0.0.1", headers, entry.content)


def _is_json(answer: Response) -> bool:
    return answer.get_data()[:1] == b"{"


def _refusal(answer: Response, content: dict[str, Any]) -> AwsRefusal:  # Any: JSON of an AWS answer
    text = answer.get_data(as_text=True)
    error = content.get("Error") or content.get("ErrorResponse", {}).get("Error") or {}
    code = error.get("Code") or content.get("__type") or _between(text, "Code") or str(answer.status_code)
    message = (
        error.get("Message") or content.get("message") or _between(text, "Message") or "no reason was given"
    )
    return AwsRefusal(str(code), str(message))


def _between(text: str, tag: str) -> str:
    return unescape(text.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0])
