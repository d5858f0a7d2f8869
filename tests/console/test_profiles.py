"""A practice's own access profiles in the console: judged at each line before anything is saved, nothing typed is lost."""

from __future__ import annotations

import html as markup
import json
import re
from typing import Any

import pytest

from engagements.models import PracticeProfile
from engagements.profiles import PROFILES
from engagements.selectors import profile_for
from portal.kernel import tenancy
from portal.kernel.models import AuditEvent
from tests.console.cast import ENGAGEMENT, House, house
from tests.pages import stage

pytestmark = pytest.mark.django_db
LIST = "/console/engagements/practiceprofile/"
ADD = f"{LIST}add/"
SERVERS = json.dumps({"Effect": "Allow", "Action": ["ec2:Describe*"], "Resource": "*"}, indent=2)
BUCKETS = json.dumps({"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"})


@pytest.fixture
def home() -> House:
    return house(stage.set_stage())


def asked(**over: str) -> dict[str, str]:
    """A look at servers, with buckets to add."""
    return {
        "confirm": "yes",
        "act": "save",
        "rows": "3",
        "title": "Server check",
        "kind": "look",
        "summary": "They can look at your servers.",
        "closes_contents": "on",
        "line0-title": "See your servers",
        "line0-why": "So we can see which ones are too big.",
        "line0-policy": SERVERS,
        "line2-title": "See your buckets",
        "line2-why": "So we can see which ones cost most.",
        "line2-policy": BUCKETS,
        "line2-optional": "on",
        **over,
    }


def rows(home: House) -> list[PracticeProfile]:
    with tenancy.use(home.stage.scope):
        return list(PracticeProfile.objects.order_by("saved_at"))


def saved(home: House, **over: str) -> PracticeProfile:
    answer = home.owner.post(ADD, asked(**over))
    assert answer.status_code == 302, text_of(answer)
    return rows(home)[-1]


def text_of(answer: Any) -> str:  # Any: Django's test answer
    return " ".join(markup.unescape(answer.content.decode()).split())


def refused(home: House, url: str = ADD, **over: str) -> str:
    """The form again, with nothing saved."""
    before = [(row.pk, row.number) for row in rows(home)]
    answer = home.owner.post(url, asked(**over))
    assert answer.status_code == 422
    assert [(row.pk, row.number) for row in rows(home)] == before
    text = text_of(answer)
    assert "Nothing was saved yet." in text
    return text


def fault_at(text: str, field: str) -> str:
    """The message beside a field."""
    found = re.search(rf'id="id_{field}_error">([^<]*)<', text)
    return found[1] if found else ""


# ---------------------------------------------------------------- saving


def test_a_profile_is_written_read_and_asked_for(home: House) -> None:
    row = saved(home)
    assert (row.title, row.kind, row.number) == ("Server check", "look", 1)
    assert [line["optional"] for line in row.lines] == [False, True]
    page = text_of(home.owner.get(f"{LIST}{row.code}/"))
    for text in ("See your servers", "So we can see which ones cost most.", "ec2:Describe*", "optional"):
        assert text in page
    assert "Server check" in text_of(home.auditor.get(LIST))
    form = text_of(home.owner.get(f"{ENGAGEMENT}add/"))
    assert f'value="{row.code}"' in form
    assert f'value="{row.code}:line1"' in form


def test_its_draft_is_previewed_and_sent(home: House) -> None:
    row = saved(home)
    answer = home.owner.post(
        f"{ENGAGEMENT}add/",
        {
            "client": str(home.stage.client.pk),
            "lead": str(home.stage.maya.pk),
            "title": "Servers",
            "purpose": "to see what is too big",
            "profile": row.code,
            "optional": [f"{row.code}:line1"],
            "ends_at": "2036-12-18T18:00",
        },
    )
    page = answer["Location"]
    preview = text_of(home.owner.get(f"{page}preview/"))
    assert "See your servers" in preview
    assert 'id="optional-line1"' in preview
    assert home.owner.post(f"{page}send/", {"confirm": "yes"}).status_code == 302
    home.owner.post(
        f"{LIST}{row.code}/edit/", asked(seen="1", title="Another name", **{"line0-title": "See it"})
    )
    again = text_of(home.owner.get(f"{page}preview/"))
    assert "See your servers" in again
    assert "See it" not in again
    assert "Server check" not in text_of(home.owner.get(LIST))


def test_a_changed_profile_is_the_next_version(home: House) -> None:
    row = saved(home)
    edit = f"{LIST}{row.code}/edit/"
    form = text_of(home.owner.get(edit))
    assert '"ec2:Describe*"' in form
    assert 'name="seen" value="1"' in form
    answer = home.owner.post(edit, asked(seen="1", title="Servers in short"))
    assert (answer.status_code, answer["Location"]) == (302, f"{LIST}{row.code}/")
    (now,) = rows(home)
    assert (now.code, now.number, now.title) == (row.code, 2, "Servers in short")
    assert "Saved as version 2" in text_of(home.owner.get(answer["Location"]))


@pytest.mark.parametrize("seen", ["1", "", "9"])
def test_who_read_an_older_version_overwrites_nothing(home: House, seen: str) -> None:
    row = saved(home)
    edit = f"{LIST}{row.code}/edit/"
    home.owner.post(edit, asked(seen="1"))
    answer = home.assigned.post(edit, asked(seen=seen, title="Mine"))
    assert answer.status_code == 422
    assert "Somebody else saved this profile meanwhile" in text_of(answer)
    assert 'value="Mine"' in text_of(answer)
    assert rows(home)[0].number == 2


def test_one_that_is_taken_back_is_offered_no_more(home: House) -> None:
    row = saved(home)
    assert home.owner.post(f"{LIST}{row.code}/retire/", {"confirm": "yes"}).status_code == 302
    assert "Taken back" in text_of(home.owner.get(LIST))
    assert f'value="{row.code}"' not in text_of(home.owner.get(f"{ENGAGEMENT}add/"))
    page = text_of(home.owner.get(f"{LIST}{row.code}/"))
    assert f"{row.code}/edit/" not in page
    home.owner.post(f"{LIST}{row.code}/edit/", asked(seen="1"))
    assert rows(home)[0].number == 1
    assert home.owner.get(f"{ADD}?from={row.code}").status_code == 404


@pytest.mark.parametrize("code", PROFILES)
def test_every_shipped_profile_can_be_copied_and_saved_as_it_stands(home: House, code: str) -> None:
    page = home.owner.get(f"{ADD}?from={code}")
    assert page.status_code == 200
    form = page.context["form"]
    start: dict[str, Any] = {"confirm": "yes", "act": "save", "rows": str(form.count)}
    start |= {name: form.get_initial_for_field(field, name) for name, field in form.fields.items()}
    start = {name: value for name, value in start.items() if value not in (None, False)}
    answer = home.owner.post(ADD, {**start, "title": "A copy of it"})
    assert answer.status_code == 302, [form.errors for form in [answer.context["form"]]]
    with tenancy.use(home.stage.scope):
        made, shipped = profile_for(rows(home)[-1].code), profile_for(code)
    assert [line.title for line in made.lines] == [line.title for line in shipped.lines]
    assert [line.title for line in made.optional_lines] == [line.title for line in shipped.optional_lines]
    allowed = [each for each in shipped.statements if each["Effect"] == "Allow"]
    assert [each for each in made.statements if each["Effect"] == "Allow"] == allowed
    assert made.managed_policies == shipped.managed_policies


def test_one_of_their_own_can_be_copied_too(home: House) -> None:
    row = saved(home)
    assert f"?from={row.code}" in text_of(home.owner.get(ADD))
    form = text_of(home.owner.get(f"{ADD}?from={row.code}"))
    assert 'value="See your buckets"' in form


# ---------------------------------------------------------------- what is wrong stands at its line


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ("{\n  not json", "Line 2, column 3"),
        ('{"Effect": "Allow", "Action": "ec2:Explode", "Resource": "*"}', "ec2:Explode"),
        ('{"Effect": "Allow", "Action": "ec2:RunInstances", "Resource": "*"}', "Line 1, column"),
        ('{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}', "NotAction"),
    ],
)
def test_a_wrong_policy_is_told_at_its_own_place_and_stays_as_it_was_typed(
    home: House, policy: str, words: str
) -> None:
    text = refused(home, **{"line2-policy": policy})
    assert words in fault_at(text, "line2-policy")
    assert fault_at(text, "line0-policy") == ""
    assert " ".join(policy.split()) in text
    assert 'value="See your servers"' in text
    assert 'name="line2-optional" ' in text
    assert re.search(r'name="line2-optional"[^>]* checked', text)


def test_what_is_too_large_for_a_role_is_told_at_the_line_that_is_too_much(home: House) -> None:
    large = json.dumps(
        [
            {
                "Effect": "Allow",
                "Action": "s3:GetBucketLocation",
                "Resource": [
                    f"arn:aws:s3:::bucket-number-{number:04}-of-the-clinic" for number in range(240)
                ],
            }
        ]
    )
    text = refused(home, **{"line2-policy": large})
    assert "too l" in fault_at(text, "line2-policy") or "characters" in fault_at(text, "line2-policy")
    assert fault_at(text, "line0-policy") == ""


def test_wrong_words_are_told_at_their_field(home: House) -> None:
    text = refused(
        home, title="", **{"line0-why": "We look at it.", "line2-title": "One two three four five six seven"}
    )
    assert "the client would read nothing" in fault_at(text, "title")
    assert "Say what it is good for" in fault_at(text, "line0-why")
    assert "at most 6 words" in fault_at(text, "line2-title")


def test_a_profile_needs_a_line_and_a_kind(home: House) -> None:
    empty = {f"line{number}-{part}": "" for number in (0, 2) for part in ("title", "why", "policy")}
    assert "Ask for one line at least that is not optional." in refused(home, **empty)
    assert fault_at(refused(home, kind=""), "kind")
    assert fault_at(refused(home, kind="all"), "kind")


def test_invisible_characters_are_refused_where_they_stand(home: House) -> None:
    text = refused(home, **{"line0-policy": SERVERS + "\x07", "line0-title": "See\u202eservers"})
    assert "nothing invisible" in fault_at(text, "line0-policy")
    assert fault_at(text, "line0-title")


# ---------------------------------------------------------------- looking first


def test_a_look_explains_and_saves_nothing(home: House) -> None:
    text = refused(home, act="look")
    assert "This is how it would be read." in text
    assert "EC2" in text
    assert "Press “Look at it”" in text  # the line that was left empty
    assert "What they can’t do, as the client reads it" in text


def test_a_look_warns_where_something_is_to_be_weighed(home: House) -> None:
    change = json.dumps({"Effect": "Allow", "Action": "lambda:UpdateFunctionCode", "Resource": "*"})
    text = refused(home, act="look", kind="change", **{"line0-policy": change})
    assert '<ul class="warnings">' in text


def test_what_aws_calls_its_own_is_explained_from_its_contents(home: House) -> None:
    arn = "arn:aws:iam::aws:policy/AdministratorAccess"
    text = refused(home, act="look", kind="change", **{"line0-policy": "", "line0-managed": arn})
    assert re.search(r'value="arn:aws:iam::aws:policy/AdministratorAccess"[^>]* checked', text)
    assert "Press “Look at it”" in text


def test_one_more_line_keeps_everything_and_saves_nothing(home: House) -> None:
    text = refused(home, act="more")
    assert 'name="rows" value="4"' in text
    assert 'name="line3-title"' in text
    assert 'value="See your buckets"' in text


@pytest.mark.parametrize(
    ("rows_sent", "count"), [("", 1), ("0", 1), ("999", 1), ("99", 20), ("x", 1), ("-1", 1)]
)
def test_a_forged_count_of_lines_is_no_count(home: House, rows_sent: str, count: int) -> None:
    text = refused(home, act="look", rows=rows_sent)
    assert f'name="rows" value="{count}"' in text


# ---------------------------------------------------------------- who may


def test_only_who_works_here_writes_and_everybody_here_reads(home: House) -> None:
    row = saved(home)
    pages = (ADD, f"{LIST}{row.code}/edit/", f"{LIST}{row.code}/retire/")
    for browser, read, write in (
        (home.assigned, 200, 200),
        (home.auditor, 200, 403),
        (home.contact, 404, 404),
    ):
        assert browser.get(f"{LIST}{row.code}/").status_code == read
        assert {browser.get(page).status_code for page in pages} == {write}
    assert home.stranger.get(f"{LIST}{row.code}/").status_code == 404
    assert home.stranger.get(f"{ADD}?from={row.code}").status_code == 404
    assert home.stranger.post(f"{LIST}{row.code}/retire/", {"confirm": "yes"}).status_code == 404
    assert rows(home)[0].retired_at is None


def test_saving_and_taking_back_are_told_in_the_record(home: House) -> None:
    row = saved(home)
    home.owner.post(f"{LIST}{row.code}/retire/", {"confirm": "yes"})
    with tenancy.use(home.stage.scope):
        kinds = set(AuditEvent.objects.values_list("kind", flat=True))
    assert {"engagement:profile:saved", "engagement:profile:retired"} <= kinds
    assert "engagement:profile" not in text_of(home.owner.get(f"{LIST}{row.code}/"))
