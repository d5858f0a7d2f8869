"""The pages of the simulated console: who may see them, which function answers, and how they are dressed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final
from urllib.parse import quote, urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from werkzeug.wrappers import Request, Response

from awsaccess.sandbox.calls import Call
from awsaccess.sandbox.console import roles, stacks
from awsaccess.sandbox.console.visit import AwsRefusal, Gone, Page, Redirect, Visit
from awsaccess.sandbox.console.visitors import Visitor, Visitors, administrator, role_session
from awsaccess.sandbox.federation import SignIn, SignInRefused, destination_is_allowed
from awsaccess.sandbox.front import Front
from awsaccess.sandbox.parties import Account

COOKIE: Final = "sandbox_console"
_LOOPBACK_HOSTS: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})
_STATIC: Final = {"console.css": "text/css", "console.js": "text/javascript"}
_HEADERS: Final = {
    "Cache-Control": "no-store",
    # Not `no-referrer`: browsers then post with `Origin: null`, and we could not tell our own forms from others.
    "Referrer-Policy": "strict-origin",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'",
}
# What the landing page tries, so that a person sees what a session is good for.
_LOOKS: Final = (
    ("cloudformation:DescribeStacks", "cloudformation", "POST", "Action=DescribeStacks&Version=2010-05-15"),
    ("ec2:DescribeInstances", "ec2", "POST", "Action=DescribeInstances&Version=2016-11-15"),
    ("iam:ListRoles", "iam", "POST", "Action=ListRoles&Version=2010-05-08"),
    ("s3:ListAllMyBuckets", "s3", "GET", ""),
)
View = Callable[[Visit], Page | Redirect]
_VIEWS: Final[Mapping[tuple[str, str], View]] = {**stacks.VIEWS, **roles.VIEWS}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """A request at the console, with whoever is signed in."""

    request: Request
    visitor: Visitor | None

    @property
    def region(self) -> str:
        """The region the page is about; unreadable ones become the home region."""
        text = str(self.request.values.get("region", ""))
        return text if re.fullmatch(r"[a-z]{2}(-[a-z]+)+-\d", text, re.ASCII) else "eu-west-1"


def _local(address: str) -> str:
    """A path on this host, or the console's start: a page of the console leads nowhere else."""
    parts = urlsplit(address)
    own = not parts.scheme and not parts.netloc and address.startswith("/") and "\\" not in address
    return address if own and not address.startswith("//") else "/console/"


class Console:
    """Answers the console's and the sign-in endpoint's requests. `portal_origin` is where its ways back lead."""

    def __init__(
        self, front: Front, sign_in: SignIn, accounts: Mapping[str, Account], portal_origin: str
    ) -> None:
        self._front, self._sign_in, self._accounts = front, sign_in, accounts
        self._portal_origin = portal_origin
        self._visitors = Visitors()
        self._pages = Environment(
            loader=PackageLoader("awsaccess.sandbox.console"), autoescape=True, undefined=StrictUndefined
        )

    def concerns(self, request: Request) -> bool:
        """Is it a page of ours and not a signed call to AWS?"""
        path = request.path
        if "Authorization" in request.headers or "X-Amz-Signature" in request.args:
            return False
        ours = path.startswith(("/console/", "/_sandbox/static/", "/cloudformation/", "/iam/"))
        return ours or path in {"/federation", "/favicon.ico"} or (path == "/" and request.method == "GET")

    def answer(self, request: Request) -> Response:
        """One page."""
        asked = _Asked(request=request, visitor=self._visitors.find(request.cookies.get(COOKIE)))
        if request.host.rsplit(":", 1)[0] not in _LOOPBACK_HOSTS:
            return self._error(asked, "Not here", "The sandbox answers to 127.0.0.1 only.", 421)
        if request.path == "/federation":
            return self._federation(asked)
        if request.method == "POST" and not self._is_same_origin(request):
            return self._error(asked, "Refused", "This form was sent from somewhere else.", 403)
        response = self._route(asked)
        response.headers.update({k: v for k, v in _HEADERS.items() if k not in response.headers})
        return response

    def _is_same_origin(self, request: Request) -> bool:
        origin = request.headers.get("Origin")
        return origin in {None, f"http://{request.host}"}

    def _route(self, asked: _Asked) -> Response:
        request = asked.request
        method = "GET" if request.method == "HEAD" else request.method
        if request.path in {"/", "/favicon.ico"}:
            return _redirect("/console/") if request.path == "/" else Response(status=404)
        if request.path.startswith("/_sandbox/static/"):
            return _static(request.path.rsplit("/", 1)[1])
        if request.path == "/console/sign-in":
            return self._enter(asked) if method == "POST" else self._choose(asked)
        if request.path == "/console/sign-out" and method == "POST":
            return self._leave(asked)
        if request.path == "/console/":
            return self._signed_in(asked, lambda visit: self._landing(asked, visit))
        view = _VIEWS.get((method, request.path))
        if view is None:
            return self._error(asked, "No such page", "The simulated console does not have this page.", 404)
        return self._signed_in(asked, lambda visit: self._view(asked, view, visit))

    def _signed_in(self, asked: _Asked, answer: Callable[[Visit], Response]) -> Response:
        visitor, request = asked.visitor, asked.request
        if visitor is None:
            wanted = request.full_path.rstrip("?") if request.method in {"GET", "HEAD"} else "/console/"
            return _redirect(f"/console/sign-in?next={quote(wanted, safe='')}")
        if visitor.is_over:
            return self._page(asked, Page(template="over.html", status=401))
        return answer(
            Visit(front=self._front, visitor=visitor, region=asked.region, given=request.values.to_dict())
        )

    def _view(self, asked: _Asked, view: View, visit: Visit) -> Response:
        try:
            result = view(visit)
        except Gone as gone:
            return self._error(asked, "Not found", str(gone), 404)
        except AwsRefusal as refusal:
            page = Page(
                template="error.html",
                status=403,
                content={"heading": "AWS refused this", "text": "It answered with the error above."},
                refusal=refusal,
            )
            return self._page(asked, page)
        return _redirect(result.to) if isinstance(result, Redirect) else self._page(asked, result)

    # ------------------------------------------------------------ pages of everybody

    def _choose(self, asked: _Asked) -> Response:
        content = {"accounts": list(self._accounts.values()), "next": asked.request.args.get("next", "")}
        return self._page(asked, Page(template="sign_in.html", content=content))

    def _enter(self, asked: _Asked) -> Response:
        account = self._accounts.get(str(asked.request.form.get("account_id")))
        if account is None:
            return self._error(asked, "No such account", "Choose one of the accounts of the sandbox.", 400)
        self._visitors.let_out(asked.request.cookies.get(COOKIE))
        return self._with_cookie(
            _redirect(_local(asked.request.form.get("next", ""))), administrator(account)
        )

    def _leave(self, asked: _Asked) -> Response:
        self._visitors.let_out(asked.request.cookies.get(COOKIE))
        response = _redirect("/console/sign-in")
        response.delete_cookie(COOKIE, path="/")
        return response

    def _with_cookie(self, response: Response, visitor: Visitor) -> Response:
        response.set_cookie(COOKIE, self._visitors.let_in(visitor), httponly=True, samesite="Lax", path="/")
        return response

    def _landing(self, asked: _Asked, visit: Visit) -> Response:
        looks = [
            (name, visit.look(service, method, query.encode())) for name, service, method, query in _LOOKS
        ]
        return self._page(asked, Page(template="landing.html", content={"looks": looks}))

    # ------------------------------------------------------------ sign-in

    def _federation(self, asked: _Asked) -> Response:
        form = asked.request.values.to_dict()
        action = form.get("Action", "")
        call = Call(service="signin", action=action, account="anonymous", region="us-east-1")
        if faulty := self._front.meet(call):
            return faulty
        try:
            if action == "getSigninToken":
                body = json.dumps({"SigninToken": self._sign_in.issue(form)})
                return Response(body, content_type="application/json", headers={"Cache-Control": "no-store"})
            if action == "login":
                return self._login(asked.request, form)
            if action == "logout":
                return self._leave(asked)
            return Response("", 400)
        except SignInRefused as refusal:
            # AWS answers a bare 400 (AWS_FACTS §7). A person at `login` is told why, a program is not.
            if action != "login":
                return Response("", 400)
            return self._error(asked, "Sign-in refused", str(refusal), 400)

    def _login(self, request: Request, form: Mapping[str, str]) -> Response:
        destination = form.get("Destination", "")
        if not destination_is_allowed(destination, request.host):
            raise SignInRefused("Destination is not an address of the console")
        session = self._sign_in.redeem(form.get("SigninToken", ""))
        account = self._accounts.get(session.account)
        visitor = role_session(
            session,
            account.name if account else "an account of the sandbox",
            issuer=self._way_back(form.get("Issuer", "")),
            destination=destination,
        )
        self._visitors.let_out(request.cookies.get(COOKIE))
        return self._with_cookie(_redirect("/console/"), visitor)

    def _way_back(self, issuer: str) -> str:
        parts = urlsplit(issuer)
        return issuer if self._portal_origin == f"{parts.scheme}://{parts.netloc}" else ""

    # ------------------------------------------------------------ dress

    def _error(self, asked: _Asked, heading: str, text: str, status: int) -> Response:
        page = Page(template="error.html", status=status, content={"heading": heading, "text": text})
        response = self._page(asked, page)
        response.headers.update(_HEADERS)
        return response

    def _page(self, asked: _Asked, page: Page) -> Response:
        dress: dict[str, Any] = {  # Any: what templates show
            "visitor": asked.visitor,
            "region": asked.region,
            "portal_origin": self._portal_origin,
            "refusal": page.refusal,
            "notice": page.notice,
            "refresh": page.refresh,
        }
        html = self._pages.get_template(page.template).render(**dress, **page.content)
        return Response(html, page.status, mimetype="text/html")


def _redirect(to: str) -> Response:
    return Response(status=303, headers={"Location": to, **_HEADERS})


def _static(name: str) -> Response:
    if name not in _STATIC:
        return Response("not found", 404)
    body = files("awsaccess.sandbox.console").joinpath("static", name).read_bytes()
    return Response(body, mimetype=_STATIC[name], headers={"X-Content-Type-Options": "nosniff"})
