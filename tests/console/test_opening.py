"""Open AWS: a reason, one visit, one form that leads to AWS, and nothing of it kept."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from django.test import Client as Browser

from awsaccess.aws.errors import AwsDenied, AwsTransient
from awsaccess.aws.fake import FakeAwsGateway
from awsaccess.lifecycle import VisitStatus
from awsaccess.models import Visit
from engagements.services.pauses import engagement_pause
from portal.console import opening
from portal.kernel import tenancy
from portal.kernel.models import AuditBody
from tests.console.cast import House, house, open_the_door
from tests.pages.stage import active

pytestmark = pytest.mark.django_db


@pytest.fixture
def home(db: None) -> House:
    return house(active())


@pytest.fixture
def aws(home: House, monkeypatch: pytest.MonkeyPatch) -> FakeAwsGateway:
    return open_the_door(home.stage, monkeypatch)


def asked(browser: Browser, home: House, **over: str) -> dict[str, str]:
    """The form as the browser got it, filled in."""
    shown = browser.get(home.url("open/")).content.decode()
    once = re.search(r'name="once" value="([^"]+)"', shown)
    assert once is not None
    told = {
        "confirm": "yes",
        "reason": "compare server sizes",
        "service": "ec2",
        "minutes": "30",
        "once": once[1],
    }
    return {**told, **over}


def press(browser: Browser, home: House, **over: str) -> Any:  # Any: the test client's own type
    return browser.post(home.url("open/"), asked(browser, home, **over))


def test_the_page_holds_one_form_to_aws_and_may_lead_there_only(home: House, aws: FakeAwsGateway) -> None:
    answer = press(home.assigned, home)
    shown = answer.content.decode()
    (token,) = aws.signins
    assert answer.status_code == 200
    assert f'<input type="hidden" name="SigninToken" value="{token}">' in shown
    assert 'action="https://eu-west-1.signin.aws.amazon.com/federation" target="_blank"' in shown
    assert shown.count("<form") == 2  # the other one signs out of the portal
    assert "form-action 'self' https://*.aws.amazon.com" in answer["Content-Security-Policy"]
    assert answer["Cache-Control"] == "no-store"


def test_other_pages_may_lead_nowhere_else(home: House, aws: FakeAwsGateway) -> None:
    press(home.assigned, home)
    for url in (home.url(), home.url("open/"), "/console/"):
        policy = home.assigned.get(url)["Content-Security-Policy"]
        assert "amazon" not in policy
        assert "unsafe" not in policy


def test_the_visit_names_person_reason_and_time(home: House, aws: FakeAwsGateway) -> None:
    press(home.assigned, home)
    (visit,) = home.visits()
    assert (visit.status, visit.consultant_name) == (VisitStatus.ISSUED, "Tomasz Lis")
    assert visit.reason == "compare server sizes"
    (call,) = [one for one in aws.calls if one.method == "assume" and one.request]
    assert call.request is not None
    assert call.request.duration_seconds == 30 * 60
    assert call.request.source_identity == "tomasz@northgate.example"


def test_neither_token_nor_keys_are_kept_anywhere(home: House, aws: FakeAwsGateway) -> None:
    press(home.assigned, home)
    (token,) = aws.signins
    credentials = aws.signins[token]
    with tenancy.use(home.stage.scope):
        kept = " ".join(
            [*map(str, Visit.objects.values()), *AuditBody.objects.values_list("text", flat=True)]
        )
    assert not any(
        secret in kept for secret in (token, credentials.secret_access_key, credentials.session_token)
    )
    assert token not in str(dict(home.assigned.session))
    assert token not in home.assigned.get(home.url()).content.decode()


def test_the_same_form_twice_is_one_visit(home: House, aws: FakeAwsGateway) -> None:
    form = asked(home.assigned, home)
    assert home.assigned.post(home.url("open/"), form).status_code == 200
    again = home.assigned.post(home.url("open/"), form)
    assert again.status_code == 422
    assert "This form was used already" in again.content.decode()
    assert len(home.visits()) == 1
    assert len(aws.signins) == 1


def test_a_form_of_somebody_else_opens_nothing(home: House, aws: FakeAwsGateway) -> None:
    form = asked(home.owner, home)
    answer = home.assigned.post(home.url("open/"), form)
    assert "belongs to somebody else" in answer.content.decode()
    assert home.assigned.post(home.url("open/"), {**form, "once": "x"}).status_code == 422
    assert (home.visits(), aws.calls) == ([], [])


@pytest.mark.parametrize(
    ("field", "value"), [("reason", "  "), ("service", "https://evil.example"), ("minutes", "600")]
)
def test_what_is_not_offered_opens_nothing(home: House, aws: FakeAwsGateway, field: str, value: str) -> None:
    assert press(home.assigned, home, **{field: value}).status_code == 422
    assert (home.visits(), aws.calls) == ([], [])


def test_looking_at_the_form_asks_aws_nothing(home: House, aws: FakeAwsGateway) -> None:
    for _ in range(3):
        home.assigned.get(home.url("open/"))
        home.assigned.head(home.url("open/"))
    assert (home.visits(), aws.calls) == ([], [])


@pytest.mark.parametrize(
    ("person", "status"), [("auditor", 403), ("unassigned", 404), ("stranger", 404), ("contact", 404)]
)
def test_nobody_else_gets_in(home: House, aws: FakeAwsGateway, person: str, status: int) -> None:
    form = asked(home.assigned, home)
    assert getattr(home, person).post(home.url("open/"), form).status_code == status
    assert (home.visits(), aws.calls) == ([], [])


def test_an_owner_who_does_not_work_on_it_is_offered_no_way_in(home: House, aws: FakeAwsGateway) -> None:
    form = asked(home.owner, home)
    with tenancy.use(home.stage.scope):
        home.stage.engagement.assignments.filter(consultant=home.stage.maya).update(role="observer")
    assert home.url("open/") not in home.owner.get(home.url()).content.decode()
    assert home.owner.post(home.url("open/"), form).status_code == 302
    assert (home.visits(), aws.calls) == ([], [])


def test_a_pause_that_came_first_wins(home: House, aws: FakeAwsGateway) -> None:
    form = asked(home.assigned, home)
    with tenancy.use(home.stage.client_scope):
        engagement_pause(engagement=home.stage.engagement, actor=home.stage.sam_acts)
    answer = home.assigned.post(home.url("open/"), form, follow=True)
    assert "can’t be done as things stand now" in answer.content.decode()
    assert (home.visits(), aws.calls) == ([], [])


@pytest.mark.parametrize(
    ("error", "words", "status"),
    [
        (AwsDenied(), "without saying why", VisitStatus.REFUSED),
        # An answer may be on its way, with keys that nobody holds: until then nothing says that it was refused.
        (AwsTransient(), "could not be asked just now", VisitStatus.ORPHANED),
    ],
)
def test_a_refusal_of_aws_is_told_in_words_and_written_down(
    home: House, aws: FakeAwsGateway, error: Exception, words: str, status: VisitStatus
) -> None:
    aws.fail("assume", error)  # type: ignore[arg-type]  # both are errors of AWS
    answer = press(home.assigned, home)
    assert answer.status_code == 422
    assert words in answer.content.decode()
    (visit,) = home.visits()
    assert visit.status == status
    fresh = re.search(r'name="once" value="([^"]+)"', answer.content.decode())
    assert fresh is not None
    aws.mend()
    assert press(home.assigned, home, once=fresh[1]).status_code == 200  # the next press is a next try


def test_the_last_reason_stands_ready(home: House, aws: FakeAwsGateway) -> None:
    press(home.assigned, home)
    assert 'value="compare server sizes"' in home.assigned.get(home.url("open/")).content.decode()
    assert 'value="compare server sizes"' not in home.owner.get(home.url("open/")).content.decode()


def test_a_stand_in_for_aws_is_the_only_other_place_the_form_may_lead(
    home: House,
    aws: FakeAwsGateway,
    settings: Any,  # Any: pytest-django's private type
) -> None:
    settings.FEDERATION_BASE_URL, settings.CONSOLE_BASE_URL = "http://127.0.0.1:7001", "http://127.0.0.1:7002"
    policy = press(home.assigned, home)["Content-Security-Policy"]
    assert "form-action 'self' http://127.0.0.1:7001 http://127.0.0.1:7002;" in f"{policy};"


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://eu-west-1.signin.aws.amazon.com/federation", "https://*.aws.amazon.com"),
        ("https://signin.amazonaws-us-gov.com/federation", "https://*.amazonaws-us-gov.com"),
        ("https://signin.amazonaws.cn/federation", "https://*.amazonaws.cn"),
        ("https://aws.amazon.com.evil.example/x", "https://aws.amazon.com.evil.example"),
    ],
)
def test_hosts_of_aws_are_named_by_their_world(url: str, target: str) -> None:
    assert opening._target(url) == target


# The command line


def press_for_keys(browser: Browser, home: House, **over: str) -> Any:  # Any: the test client's own type
    form = asked(browser, home, **over)
    return browser.post(home.url("keys/"), {key: value for key, value in form.items() if key != "service"})


def test_keys_stand_on_one_page_in_three_forms_and_are_never_kept(home: House, aws: FakeAwsGateway) -> None:
    answer = press_for_keys(home.assigned, home)
    shown = html.unescape(answer.content.decode())
    (visit,) = home.visits()
    secret = next(each for each in re.findall(r"fake-secret-\d+", shown))
    assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store")
    assert (visit.status, visit.kind, visit.consultant_name) == (VisitStatus.ISSUED, "cli", "Tomasz Lis")
    for line in (
        f"export AWS_SECRET_ACCESS_KEY={secret}",
        f"aws configure set aws_secret_access_key {secret} --profile latchkey-{home.engagement.code}",
        f'"SecretAccessKey": "{secret}"',
    ):
        assert line in shown
    assert "amazon" not in answer["Content-Security-Policy"]
    with tenancy.use(home.stage.scope):
        kept = " ".join(
            [*map(str, Visit.objects.values()), *AuditBody.objects.values_list("text", flat=True)]
        )
    assert secret not in f"{kept} {dict(home.assigned.session)} {home.assigned.get(home.url()).content!r}"
    assert aws.signins == {}


def test_the_same_form_gives_keys_once(home: House, aws: FakeAwsGateway) -> None:
    form = asked(home.assigned, home)
    assert home.assigned.post(home.url("keys/"), form).status_code == 200
    assert home.assigned.post(home.url("keys/"), form).status_code == 422
    assert home.assigned.post(home.url("open/"), form).status_code == 422
    assert len(home.visits()) == 1


def test_looking_at_the_form_for_keys_asks_aws_nothing(home: House, aws: FakeAwsGateway) -> None:
    home.assigned.get(home.url("keys/"))
    home.assigned.head(home.url("keys/"))
    assert (home.visits(), aws.calls) == ([], [])


@pytest.mark.parametrize(
    ("person", "status"), [("auditor", 403), ("unassigned", 404), ("stranger", 404), ("contact", 404)]
)
def test_nobody_else_gets_keys(home: House, aws: FakeAwsGateway, person: str, status: int) -> None:
    form = asked(home.assigned, home)
    assert getattr(home, person).post(home.url("keys/"), form).status_code == status
    assert (home.visits(), aws.calls) == ([], [])


@pytest.mark.parametrize("slug", ["open/", "keys/"])
def test_who_takes_less_is_kept_to_it_by_aws(home: House, aws: FakeAwsGateway, slug: str) -> None:
    form = {**asked(home.assigned, home), "less": ["read_only", "one_address"], "region": "eu-west-1"}
    shown = home.assigned.post(home.url(slug), form).content.decode()
    (call,) = [one for one in aws.calls if one.method == "assume" and one.request]
    assert call.request is not None
    assert '"aws:SourceIp":"127.0.0.1"' in (call.request.session_policy or "")
    assert '"aws:RequestedRegion":"eu-west-1"' in (call.request.session_policy or "")
    assert call.request.policy_arns == ("arn:aws:iam::aws:policy/ReadOnlyAccess",)
    assert "look only, from one address only, only in eu-west-1" in shown
    (visit,) = home.visits()
    page = home.assigned.get(f"/console/awsaccess/visit/{visit.pk}/").content.decode()
    assert "look only, from one address only, only in eu-west-1" in page
    assert "127.0.0.1" not in page


@pytest.mark.parametrize(("field", "value"), [("less", "everything"), ("region", "nowhere")])
def test_what_cannot_be_left_out_opens_nothing(
    home: House, aws: FakeAwsGateway, field: str, value: str
) -> None:
    assert press(home.assigned, home, **{field: value}).status_code == 422
    assert (home.visits(), aws.calls) == ([], [])
