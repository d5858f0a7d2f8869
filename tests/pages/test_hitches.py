"""The rows of UX §4 that stand between agreeing and being on, and links in the wrong hands: what happened, what is at
risk, and one way on."""

from __future__ import annotations

import datetime as dt
from uuid import uuid4

import pytest
from django.test import Client as Browser

from accounts.emails import invitation_url
from accounts.models import Invitation, User
from accounts.services import finding
from awsaccess.callback import Kind
from awsaccess.lifecycle import CallbackStatus, Verdict
from awsaccess.models import Callback, Grant, Verification
from engagements.models import Engagement, Handover, Referral
from engagements.services.handing import handover_settle
from portal.kernel import clock, outbox, tenancy
from portal.kernel.models import OutboxMessage, SealedLetter
from tests.pages import stage
from tests.pages.reading import Page, read
from tests.pages.stage import Stage
from tests.signing_in import let_in
from tests.walls.addresses import addresses

pytestmark = pytest.mark.usefixtures("db")
OURS, OTHER = "441709265583", "222222222222"


def shown(scene: Stage, page: str = "", browser: Browser | None = None) -> Page:
    response = (browser or scene.browser()).get(scene.path(page))
    assert response.status_code == 200
    return read(response)


def report(
    scene: Stage, kind: Kind, *, account: str = OURS, region: str = "eu-west-1", reason: str = ""
) -> None:
    """As a stack of the client's told it."""
    with tenancy.use(scene.scope):
        grant = Grant.objects.get(engagement=scene.engagement)
        Grant.objects.filter(pk=grant.pk).update(callback_sha256="a" * 64)
        now, count = clock.now(), Callback.objects.count()
        Callback.objects.create(
            practice=scene.practice,
            client=scene.client,
            grant=grant,
            kind=kind,
            status=CallbackStatus.REFUSED if reason else CallbackStatus.GRANTED,
            stack_id=f"arn:aws:cloudformation:{region}:{account}:stack/latchkey-x/0a1b2c3d-0000-4000-8000-00000000000{count}",
            request_id=f"request-{count}",
            logical_id="Callback",
            physical_id="latchkey",
            told_at=now,
            answer_by=now,
            answered_at=now,
            reason=reason,
        )


def test_another_account_is_named_beside_the_one_that_was_expected() -> None:
    scene = stage.agreed()
    report(scene, Kind.CREATE, account=OTHER, reason="This stack is in another AWS account.")
    page = shown(scene)
    assert "That’s account …2222. We expected …5583." in page.text
    assert "Nothing is switched on, and nothing is at risk." in page.text
    assert "sign in to account 4417 0926 5583" in page.text
    assert "Access is on" not in page.text


def test_a_stack_that_was_rolled_back_is_told_with_the_reason() -> None:
    scene = stage.agreed()
    report(scene, Kind.CREATE, reason="The role is not as agreed.")
    report(scene, Kind.DELETE)
    text = shown(scene).text
    assert "AWS stopped and undid everything Nothing was created, and nothing is at risk." in text
    assert "Delete the failed stack in AWS" in text
    assert "The role is not as agreed." in text


def test_another_region_is_told_and_blocks_nothing() -> None:
    scene = stage.agreed()
    report(scene, Kind.CREATE, region="us-east-1")
    text = shown(scene).text
    assert "The stack is in region us-east-1." in text
    assert "at risk" not in text


def test_half_an_hour_without_a_role_names_a_likely_cause_and_a_colleague() -> None:
    scene = stage.agreed()
    assert "Nothing has come for 30 minutes" not in shown(scene).text
    with tenancy.use(scene.scope):
        Engagement.objects.update(agreed_at=clock.now() - dt.timedelta(minutes=31))
    page = shown(scene)
    assert "Perhaps your AWS sign-in can’t create roles: then send the step to a colleague." in page.text
    assert page.links["Send this to a colleague"] == scene.path("hand-over/")


def test_our_own_trouble_is_ours() -> None:
    scene = stage.agreed()
    with tenancy.use(scene.scope):
        grant = Grant.objects.get(engagement=scene.engagement)
        Grant.objects.update(last_verdict=Verdict.UNKNOWN)
        Verification.objects.create(
            practice=scene.practice,
            client=scene.client,
            grant=grant,
            at=clock.now(),
            verdict=Verdict.UNKNOWN,
            findings={"unknown": "ours"},
        )
    text = shown(scene).text
    assert "The problem is on our side You have nothing to do, and nothing is at risk." in text


RIGHTS = (
    "User: arn:aws:iam::441709265583:user/sam is not authorized to perform: iam:CreateRole on resource: x"
)
PASTED = {
    "may not create roles": (RIGHTS, "Your AWS sign-in can’t create roles", "Send this to a colleague"),
    "organisation": (
        f"{RIGHTS} with an explicit deny in a service control policy",
        "A rule of your organisation blocks this",
        "Send this to a colleague",
    ),
    "wrong account": (
        RIGHTS.replace(OURS, OTHER),
        "That’s account …2222. We expected …5583.",
        "Open AWS (opens in a new tab)",
    ),
    "name exists": (
        "latchkey-x already exists",
        "AWS stopped and undid everything",
        "Find the failed stack (opens in a new tab)",
    ),
    "limit": (
        "LimitExceeded: Cannot exceed quota",
        "AWS stopped and undid everything",
        "Find the failed stack (opens in a new tab)",
    ),
    "not ticked": (
        "Requires capabilities : [CAPABILITY_NAMED_IAM]",
        "AWS stopped and undid everything",
        "Find the failed stack (opens in a new tab)",
    ),
    "edited": (
        "Template format error: unsupported",
        "AWS stopped and undid everything",
        "Find the failed stack (opens in a new tab)",
    ),
    "rolled back": (
        "ROLLBACK_COMPLETE",
        "AWS stopped and undid everything",
        "Find the failed stack (opens in a new tab)",
    ),
    "anything else": ("Bonjour <b>", "We don’t know this message", "Write to Maya"),
}


@pytest.mark.parametrize("name", PASTED)
def test_a_message_of_awss_is_told_in_words_with_one_way_on(name: str) -> None:
    said, title, button = PASTED[name]
    scene = stage.agreed()
    browser = scene.browser()
    assert "Paste the message of AWS" in shown(scene, "", browser).links
    assert shown(scene, "trouble/", browser).h1 == "What does AWS say?"
    response = browser.post(scene.path("trouble/"), {"said": said})
    page = read(response)
    assert (response.status_code, page.h1, page.filled) == (200, title, [button])
    assert page.title.startswith(title)
    assert "Nothing" in page.text
    assert ("iam:CreateRole" in page.text) is (name in {"may not create roles", "organisation"})
    assert said not in response.content.decode()  # it is not repeated
    assert browser.post(scene.path("trouble/"), {"said": " "}).status_code == 422


def test_before_there_is_a_step_nothing_is_asked() -> None:
    scene = stage.invited()
    for page in ("trouble/", "hand-over/"):
        assert scene.browser().get(scene.path(page)).status_code == 302


def handed(scene: Stage) -> User:
    """Sam sent the step to Alex, and the worker did its part."""
    answer = scene.browser().post(
        scene.path("hand-over/"), {"name": "Alex Reed", "email": "alex@brightwater.example"}
    )
    assert (answer.status_code, answer["Location"]) == (302, scene.path("hand-over/"))
    assert "Alex Reed alex@brightwater.example. Is being sent." in shown(scene, "hand-over/").text
    with tenancy.use(scene.scope):
        handover_settle(handover_id=Handover.objects.get().pk)
    return User.objects.get(email="alex@brightwater.example")


def test_ux_row_16_the_colleagues_link_shows_the_step_in_aws_and_every_other_page_refuses() -> None:
    scene = stage.agreed()
    alex = handed(scene)
    assert "Has got a mail with a link." in shown(scene, "hand-over/").text
    with tenancy.use(scene.scope):
        invitation = Invitation.objects.get(contact__user=alex)
    link = invitation_url(invitation).removeprefix("http://testserver")
    browser = Browser()
    landing = read(browser.get(link))
    assert "Sam Carter asks you to do one step in AWS for Northgate Cloud." in landing.text
    assert browser.post(link)["Location"] == scene.path()
    page = shown(scene, "", browser)
    assert page.h1 == "Switch on access in AWS"
    for words in (
        "Sam Carter asks you to do this step.",
        "Sam Carter agreed to it for Brightwater Dental on",
        "AWS account 4417 0926 5583",
        "One role, latchkey-",
        "iam:CreateRole",
        "Waiting for AWS",
    ):
        assert words in page.text
    for label in ("Open AWS (opens in a new tab)", "Download the script", "Download the Terraform file"):
        assert label in page.links
    assert "Send this to a colleague" not in page.links
    # Every address there is, on every engagement page: the step, and nothing else.
    step = {
        "front",
        "connect",
        "live",
        "check",
        "deleted",
        "template",
        "connect_script",
        "delete_script",
        "terraform",
        "trouble",
    }
    seen = {}
    for one in addresses():
        if one.name.startswith("client:"):
            for method in ("GET", "POST"):
                path = one.filled({"code": scene.engagement.code})
                seen[one.name.removeprefix("client:"), method] = browser.generic(method, path).status_code
    # Steps in AWS that may come later: while there is none, they lead to the front or say so.
    later = {"change", "sessions", "sessions_end", "sessions_script", "key", "key_script"}
    assert {name for name, _ in seen} > step | later
    for (name, method), status in seen.items():
        if name in step:
            assert status in {200, 302, 405, 422}, (name, method, status)
        elif name in later:
            assert status in {302, 404, 405, 409}, (name, method, status)
        else:
            assert status in {403, 405}, (name, method, status)
    for one in addresses():
        if one.name.startswith("admin:"):
            path = one.filled(dict.fromkeys(one.places, "1"))
            assert browser.get(path).status_code in {302, 404}, one.name
    assert read(browser.get("/e/")).text.count(scene.engagement.title) == 1


def test_a_colleague_reaches_no_other_project_of_the_client() -> None:
    scene = stage.agreed()
    alex = handed(scene)
    with tenancy.use(scene.scope):
        other = Engagement.objects.get(pk=scene.engagement.pk)
        other.pk, other.code, other.title = None, "zzzzother", "Something else"
        other._state.adding = True
        other.id = uuid4()
        other.save(force_insert=True)
    browser = let_in(Browser(), alex)
    assert browser.get("/e/zzzzother/").status_code == 404
    assert "Something else" not in read(browser.get("/e/")).text
    assert "Something else" in read(scene.browser().get("/e/")).text


def test_who_gets_it_wrongly_says_whose_it_is_and_sees_nothing() -> None:
    scene = stage.invited()
    with tenancy.use(scene.scope):
        invitation = Invitation.objects.get(contact=scene.contact)
    link = invitation_url(invitation).removeprefix("http://testserver")
    browser = Browser()
    path = read(browser.get(link)).links["Tell us who should get this"]
    page = read(browser.get(path))
    assert page.h1 == "Tell us who should get this"
    assert scene.engagement.title not in page.text
    assert browser.post(path, {"email": "x"}).status_code == 422
    told = read(browser.post(path, {"email": "lee@brightwater.example"}))
    assert told.h1 == "Your consultant knows now"
    assert "Nothing is at risk." in told.text
    with tenancy.use(scene.scope):
        assert Referral.objects.get().email == "lee@brightwater.example"
    for dead in (browser.get(link), browser.get(path), browser.post(path, {"email": "l@b.example"})):
        assert dead.status_code == 410


def test_finding_an_invitation_is_answered_the_same_for_everybody() -> None:
    scene = stage.invited()
    browser = Browser()
    assert read(browser.get("/find/")).h1 == "Find my invitation"
    assert browser.post("/find/", {"email": ""}).status_code == 422
    answers = [
        browser.post("/find/", {"email": email}) for email in (scene.sam.email, "nobody@elsewhere.example")
    ]
    bodies = {answer.content for answer in answers}
    assert ({answer.status_code for answer in answers}, len(bodies)) == ({200}, 1)
    with tenancy.use(tenancy.platform_scope()):
        assert OutboxMessage.objects.filter(kind=finding.FIND).count() == 2
        sealed = [bytes(row.sealed) for row in SealedLetter.objects.all()]
    assert not any(scene.sam.email.encode() in one for one in sealed)


def test_who_asks_too_often_is_told_so_known_or_not() -> None:
    browser = Browser()
    for _ in range(finding.OF_ADDRESS.tries):
        browser.post("/find/", {"email": "nobody@elsewhere.example"})
    assert browser.post("/find/", {"email": "nobody@elsewhere.example"}).status_code == 429
    assert browser.post("/find/", {"email": "other@elsewhere.example"}).status_code == 200
    assert browser.post("/find/", {"email": "sam@xn--.example"}).status_code in {200, 422}


def test_an_address_that_cannot_be_read_any_more_is_given_up(settings: object) -> None:
    finding.invitation_find_ask(address="sam@brightwater.example", origin="192.0.2.1")
    with tenancy.use(tenancy.platform_scope()):
        (row,) = SealedLetter.objects.all()
        settings.SECRET_KEY = "another-key-" * 5  # type: ignore[attr-defined]  # pytest-django's
        with pytest.raises(outbox.Hopeless):
            finding.invitation_find_do(letter_id=row.pk)
