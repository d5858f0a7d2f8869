"""Rows 14, 15, 17 and 19 to 21: the way into AWS, the live card, and what it says when something is not right."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, parse_qsl, urlsplit
from uuid import uuid4

import pytest

from awsaccess.lifecycle import CallbackStatus, GrantStatus, Verdict, check_wait
from awsaccess.models import Callback, Grant
from awsaccess.selectors import live_card, quick_create_url, stack_name, template_address
from awsaccess.services.checks import check_soon, spread
from engagements.emails.news import NEWS
from engagements.models import Engagement
from portal.kernel import clock, tenancy
from portal.pages import connecting
from tests.awsaccess.callbacks import scene as stacks
from tests.awsaccess.callbacks.scene import Spy
from tests.awsaccess.services.cast import check, watched
from tests.awsaccess.services.test_sweeping import turn_of
from tests.awsaccess.services.worlds import InMemory
from tests.awsaccess.test_access_stack import lint
from tests.factories import Firm
from tests.pages import stage, test_elsewhere
from tests.pages.reading import read
from tests.pages.screen import Answer, Chromium, Film, answer_of
from tests.pages.stage import Stage
from tests.pages.test_live import AN_HOUR, TEN_MINUTES, ask, digest, move
from tests.pages.test_problems import CASES, TECHNICAL, set_grant
from tests.plugins.sandbox_process import STRANGER

from awsaccess.services.sweeping import grants_verify  # isort: skip

if TYPE_CHECKING:
    from playwright.sync_api import Page

DAY: Final = dt.timedelta(days=1)
# How long after the page came; how soon it has to be green at the latest.
BANDS: Final = (
    (dt.timedelta(0), dt.timedelta(minutes=10), dt.timedelta(seconds=15)),
    (dt.timedelta(minutes=10), dt.timedelta(hours=1), dt.timedelta(seconds=75)),
    (dt.timedelta(hours=1), 7 * DAY, dt.timedelta(minutes=16)),
)
# The sweep looks every second or so, and asking AWS takes a moment.
ELSE: Final = dt.timedelta(seconds=5)
# Of the locked packages, so that the scripts are judged wherever the tests run.
SHELLCHECK: Final = str(Path(sys.executable).with_name("shellcheck"))
NOT_ON: Final = "engagements.not_switched_on"
NAMED: Final = {
    "found": "Access role found in your account",
    "lock": "Only Northgate Cloud can use it",
    "scope": "It can only look, as you agreed",
    "ends": "It ends on ",
}


@pytest.mark.usefixtures("db")
def test_ux_row_14_the_link_into_aws_leaves_nothing_to_fill_in() -> None:
    scene = stage.agreed()
    with tenancy.use(scene.scope):
        engagement, offer = scene.fresh(), scene.offer()
        found = quick_create_url(engagement)
        address = template_address(offer)
    assert found is not None
    link = urlsplit(found)
    path, _, query = link.fragment.partition("?")
    assert path == "/stacks/create/review"
    assert parse_qs(link.query)["region"] == ["eu-west-1"]
    assert parse_qs(query, strict_parsing=True) == {
        "templateURL": [address],
        "stackName": [stack_name(engagement)],
    }
    template = json.loads(offer.template)
    assert required_parameters(template) == []
    assert len(capabilities(template)) <= 1
    assert lint(offer.template) == []


def required_parameters(template: dict[str, Any]) -> list[str]:  # Any: JSON
    return [name for name, told in template.get("Parameters", {}).items() if "Default" not in told]


def capabilities(template: dict[str, Any]) -> set[str]:  # Any: JSON
    """What CloudFormation wants to be acknowledged, by its own rules."""
    kinds = {one["Type"] for one in template["Resources"].values()}
    iam = {one for one in kinds if one.startswith("AWS::IAM::")}
    nests = "Transform" in template or "AWS::CloudFormation::Stack" in kinds
    return ({"IAM"} if iam else set()) | ({"AUTO_EXPAND"} if nests else set())


@pytest.mark.usefixtures("db")
def test_ux_row_14_the_measure_would_see_more() -> None:
    more = {"Parameters": {"Name": {}}, "Transform": "x", "Resources": {"A": {"Type": "AWS::IAM::Role"}}}
    assert required_parameters(more) == ["Name"]
    assert len(capabilities(more)) == 2


@pytest.mark.usefixtures("db")
def test_ux_row_15_there_are_three_other_ways(chromium: Chromium, tmp_path: Path) -> None:
    scene = stage.agreed()
    browser = scene.browser()
    film = Film().shoot(browser, scene.path())
    files = {"connect.sh": "Download the script", "main.tf.json": "Download the Terraform file"}
    for name in ("connect.sh", "main.tf.json", "template/"):
        film.shoot(browser, scene.path(name))

    def fetch(page: Page) -> tuple[list[str], str]:
        page.get_by_text("Other ways").click()
        for name, words in {**files, "template.json": "Download the template"}.items():
            with page.expect_download() as coming:
                page.get_by_role("link", name=words, exact=True).click()
            coming.value.save_as(tmp_path / name)
        colleague = page.get_by_role("link", name="Send this to a colleague").get_attribute("href")
        return sorted(one.name for one in tmp_path.iterdir()), colleague or ""

    found, colleague = chromium.look(film, scene.path(), fetch, has_script=False)
    assert found == ["connect.sh", "main.tf.json", "template.json"]
    assert colleague.startswith(("mailto:", "/e/"))
    assert judged("sh", "-n", str(tmp_path / "connect.sh")) == ""
    assert lint((tmp_path / "template.json").read_text()) == []
    stack = json.loads((tmp_path / "main.tf.json").read_text())["resource"]["aws_cloudformation_stack"]
    assert stack["latchkey"]["name"] == stack_name(scene.engagement)


@pytest.mark.usefixtures("db")
@pytest.mark.parametrize("name", ["connect.sh", "remove.sh"])
def test_ux_row_15_shellcheck_finds_nothing(name: str, tmp_path: Path) -> None:
    scene = stage.agreed()
    file = tmp_path / name
    file.write_bytes(scene.browser().get(scene.path(name)).content)
    assert judged(SHELLCHECK, "--shell=sh", str(file)) == ""
    file.write_bytes(file.read_bytes() + b"echo $unquoted\n")
    assert "SC2" in judged(SHELLCHECK, "--shell=sh", str(file))


@pytest.mark.usefixtures("db")
def test_ux_row_15_terraform_reads_the_file(tmp_path: Path) -> None:
    """Without the network there is no AWS provider to judge values; the configuration itself is read and resolved."""
    if shutil.which("terraform") is None:
        pytest.skip(
            "no Terraform here: install it (developer.hashicorp.com/terraform) and run this test again"
        )
    scene = stage.agreed()
    file = tmp_path / "main.tf.json"
    file.write_bytes(scene.browser().get(scene.path("main.tf.json")).content)
    assert "hashicorp/aws" in judged("terraform", f"-chdir={tmp_path}", "providers")
    file.write_text(file.read_text().replace('"resource"', '"rescore"'))
    with pytest.raises(AssertionError):
        judged("terraform", f"-chdir={tmp_path}", "providers", must=True)


def judged(*words: str, must: bool = False) -> str:
    """What a tool says of a file."""
    told = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)  # our own words
    assert not must or told.returncode == 0, told.stderr
    return told.stdout if told.returncode == 0 or told.stdout else told.stderr


# Row 17: the worker asks AWS, the page asks the portal; together they are quick enough.


@pytest.mark.parametrize(("since", "until", "bound"), BANDS)
def test_ux_row_17_it_is_green_soon_after_the_role_works(
    since: dt.timedelta, until: dt.timedelta, bound: dt.timedelta
) -> None:
    now = dt.datetime.now(dt.UTC)
    for age in (since, until - dt.timedelta(seconds=1)):
        wait = check_wait(GrantStatus.EXPECTED, Verdict.DENIED, searching_for=age)
        worker = max(spread(wait, is_search=True) for _ in range(500))
        page = connecting.pace_seconds(int((now - age).timestamp()), now)
        assert worker + dt.timedelta(seconds=page) + ELSE <= bound


@pytest.mark.usefixtures("db")
def test_ux_row_17_the_page_asks_as_often_as_it_should_and_turns_green(chromium: Chromium) -> None:
    scene = stage.agreed()
    seen, live = digest(scene), f"GET {scene.path('live/')}"
    film = Film().shoot(scene.browser(), scene.path())
    film.add(live, Answer(status=204, headers={}, body=b""))
    slower, slowest = ((TEN_MINUTES, 3, seen), (AN_HOUR, 15, seen))
    cards = [answer_of(ask(scene, age=age, pace=pace, seen=told)) for age, pace, told in (slower, slowest)]
    move(
        scene, status=GrantStatus.VERIFIED, checks=stage.ALL_WELL, verified_at=clock.now(), last_verdict="ok"
    )
    green = answer_of(ask(scene, seen=seen, pace=60))

    def asked() -> int:
        return sum(line.startswith(live) for line in film.asked)

    def steps(page: Page, seconds: int) -> int:
        """How often it asks in three times so many seconds."""
        before = asked()
        for _ in range(3):
            page.clock.run_for(seconds * 1000)
            page.wait_for_timeout(100)  # the answer comes in real time
        return asked() - before

    def pass_time(page: Page) -> list[int]:
        page.clock.install()
        page.reload()
        found = []
        for pace, card in ((3, cards[0]), (15, cards[1]), (60, green)):
            found.append(steps(page, pace))
            film.answers[live] = [card, Answer(status=204, headers={}, body=b"")]
            page.clock.run_for(pace * 1000)
            page.wait_for_timeout(200)
        page.locator("#live .banner.ok").wait_for(timeout=1000)
        return [*found, steps(page, 60)]

    assert chromium.look(film, scene.path(), pass_time) == [3, 3, 3, 0]


@pytest.mark.usefixtures("db")
def test_ux_row_17_check_now_is_for_now(north: Firm, memory: InMemory) -> None:
    case = watched(north)
    hours = clock.now() + dt.timedelta(hours=5)
    with clock.frozen(hours):
        next_at = check(case)
    assert next_at - hours > dt.timedelta(minutes=10)
    memory.deploy(case)
    with clock.frozen(hours + dt.timedelta(minutes=1)), tenancy.use(north.client_side):
        assert check_soon(engagement=case.fresh())
    assert case.next_check() <= hours + dt.timedelta(minutes=1)
    with clock.frozen(hours + dt.timedelta(minutes=1, seconds=2)):
        check(case)
    assert case.fresh().status == "active"


# Row 19


@pytest.mark.usefixtures("db")
@pytest.mark.parametrize("failed", NAMED)
def test_ux_row_19_each_failing_check_has_its_own_text(failed: str) -> None:
    scene = stage.agreed()
    before = dict.fromkeys(list(NAMED)[: list(NAMED).index(failed)], "ok")
    status = GrantStatus.UNSAFE if failed in ("found", "lock") else GrantStatus.DRIFTED
    set_grant(scene, status=status, checks={**before, failed: "fail"}, problem=TECHNICAL)
    page = read(scene.browser().get(scene.path()))
    own, *others = TITLES[failed], *(title for key, title in TITLES.items() if key != failed)
    assert own in page.text
    assert not [title for title in others if title in page.text]
    for key, words in NAMED.items():
        answer = page.text.partition(words)[2].split(" ")
        shown = "Yes" if key in before else "No" if key == failed else "Waiting"
        assert shown in answer[:4], (key, answer[:4])


TITLES: Final = {
    "found": "That’s another account",
    "lock": "Someone changed the lock",
    "scope": "The access is not what you agreed to",
    "ends": "Someone changed the end date",
}


@pytest.mark.usefixtures("db")
def test_ux_row_19_four_checks_pass_by_name() -> None:
    scene = stage.active()
    page = read(scene.browser().get(scene.path("connect/")))
    assert [words for words in NAMED.values() if words not in page.text] == []
    assert page.text.count(" Yes") == 4


@pytest.mark.usefixtures("db")
def test_ux_row_19_a_refusal_without_a_proven_cause_names_none() -> None:
    case = CASES["refused"]
    scene = stage.broken(case.checks, status=case.status, problem=TECHNICAL)
    page = read(scene.browser().get(scene.path()))
    assert page.h1 == "AWS no longer lets them in"
    assert "The access may be deleted, changed, or blocked." in page.text
    assert not [title for title in TITLES.values() if title in page.text]


# Row 20


def test_ux_row_20_it_is_looked_for_for_seven_days_and_then_both_are_told(
    north: Firm, memory: InMemory
) -> None:
    case = watched(north)
    agreed_at = case.fresh().agreed_at
    assert agreed_at is not None
    with clock.frozen(agreed_at + 7 * DAY - dt.timedelta(minutes=1)):
        next_at = check(case)
    assert agreed_at + 7 * DAY < next_at < agreed_at + 7 * DAY + dt.timedelta(minutes=15)
    assert case.promised(NOT_ON) == 0
    for late in (next_at, next_at + DAY):  # the last by itself, and one that somebody asked for
        with clock.frozen(late):
            assert check(case) is None
        assert case.promised(NOT_ON) == 1
    with tenancy.use(north.practice_side):
        matter = NEWS[NOT_ON].matter(case.engagement.pk, next_at)
        assert matter is not None
        sides = {reader.is_client for reader in NEWS[NOT_ON].readers(matter)}
    assert sides == {True, False}
    memory.deploy(case)
    with clock.frozen(next_at + 2 * DAY):
        assert check(case) is not None
    assert case.fresh().status == "active"


def test_ux_row_20_so_it_is_when_many_are_looked_at_together(north: Firm, memory: InMemory) -> None:
    case, young = watched(north), watched(north)
    late = clock.now() + 7 * DAY + dt.timedelta(hours=1)
    with tenancy.use(north.practice_side):
        Engagement.objects.filter(pk=young.engagement.pk).update(agreed_at=late)
    turns = [turn_of(one) for one in (case, young)]
    with clock.frozen(late), tenancy.use(tenancy.NOBODY):
        planned = dict(grants_verify(turns))
    assert planned[turns[0]] is None
    assert planned[turns[1]] is not None
    assert case.promised(NOT_ON) == 1


@pytest.mark.usefixtures("db")
def test_ux_row_20_the_page_says_so_and_may_be_closed() -> None:
    scene = stage.agreed()
    assert "You can close it: we keep checking for 7 days" in read(scene.browser().get(scene.path())).text
    with tenancy.use(scene.scope):
        Engagement.objects.filter(pk=scene.engagement.pk).update(agreed_at=clock.now() - 7 * DAY)
    page = read(scene.browser().get(scene.path()))
    assert "We looked for 7 days" in page.text
    assert "Check now" in page.buttons


# Row 21


def test_ux_row_21_a_stack_in_another_account_is_told_before_anything_is_on(
    north: Firm, memory: InMemory, spy: Spy
) -> None:
    case = stacks.expected(north)
    other = case.grant().role_arn.replace(case.account_id, STRANGER)
    told = stacks.genuine(case, StackId=stacks.stack_id(STRANGER), properties={"RoleArn": other})
    stacks.tell(memory, case, told)
    stacks.answer(case)
    with tenancy.use(north.client_side):
        card = live_card(case.fresh())
    assert (card.other_account, card.state) == (STRANGER, "waiting")
    assert (case.fresh().status, case.grant().status) == ("agreed", "expected")


@pytest.mark.usefixtures("db")
def test_ux_row_21_the_page_is_amber_with_both_numbers() -> None:
    scene = stage.agreed()
    refused(scene, stacks.stack_id("222222222222"))
    answer = scene.browser().get(scene.path())
    page = read(answer)
    assert '<div class="banner wait">' in answer.content.decode()
    assert "That’s account …2222. We expected …5583." in page.text
    assert "Nothing is switched on, and nothing is at risk." in page.text
    assert "Access is on" not in page.text
    assert scene.fresh().status == "agreed"


@pytest.mark.usefixtures("db")
def test_ux_row_21_using_the_other_account_is_one_press_and_a_consent_of_its_own(chromium: Chromium) -> None:
    """From the amber page to the consent page in a real browser, without a script; each press is sent on as it was made."""
    scene = stage.agreed()
    refused(scene, stacks.stack_id("222222222222"))
    browser, use = scene.browser(), scene.path("account/use/")
    film = Film().shoot(browser, scene.path())
    film.add(f"POST {use}", Answer(status=204, headers={}, body=b""))

    def press(page: Page) -> tuple[bool, int]:
        can_remove = page.get_by_text("Remove it there").is_visible()
        typed = page.locator("main input:not([type=hidden]), main textarea").count()
        with page.expect_response(lambda response: response.request.method == "POST"):
            page.get_by_role("button", name="Use this account instead").click()
        return can_remove, typed

    assert chromium.look(film, scene.path(), press, has_script=False) == (True, 0)
    assert browser.post(use, dict(parse_qsl(film.sent[0]))).status_code == 302
    assert "We have asked Maya to confirm account …2222" in read(browser.get(scene.path())).text
    test_elsewhere.confirmed(scene)
    assert scene.fresh().account_id == "441709265583"
    agree = scene.path("change/agree/")
    film = Film().shoot(browser, scene.path()).shoot(browser, scene.path("change/"))
    film.add(f"POST {agree}", Answer(status=204, headers={}, body=b""))

    def consent(page: Page) -> str:
        page.get_by_role("link", name="Review the account").click()
        said = page.inner_text("#change")
        page.get_by_role("checkbox").check()
        with page.expect_response(lambda response: response.request.method == "POST"):
            page.get_by_role("button", name="Agree to this account").click()
        return said

    said = " ".join(chromium.look(film, scene.path(), consent, has_script=False).split())
    assert said.startswith("What changes AWS account 2222 2222 2222 Instead of 4417 0926 5583")
    assert browser.post(agree, dict(parse_qsl(film.sent[0]))).status_code == 302
    after = scene.fresh()
    assert (after.account_id, after.status) == ("222222222222", "agreed")
    assert "AWS account 2222 2222 2222 as an administrator" in read(browser.get(scene.path())).text


@pytest.mark.usefixtures("db")
def test_ux_row_21_the_right_account_is_not_called_another() -> None:
    scene = stage.agreed()
    refused(scene, stacks.stack_id("441709265583"))
    assert "That’s account" not in read(scene.browser().get(scene.path())).text


def refused(scene: Stage, stack: str) -> None:
    """A stack reported and was told no."""
    now = clock.now()
    with tenancy.use(scene.scope):
        Grant.objects.filter(engagement=scene.engagement).update(callback_sha256="0" * 64)
        grant = Grant.objects.get(engagement=scene.engagement)
        Callback.objects.create(
            practice_id=grant.practice_id,
            client_id=grant.client_id,
            grant=grant,
            kind="Create",
            status=CallbackStatus.REFUSED,
            stack_id=stack,
            request_id=str(uuid4()),
            logical_id="x",
            physical_id="x",
            told_at=now,
            answer_by=now,
            reason="no",
        )
