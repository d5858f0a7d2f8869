"""The practice's own side: people, clients, AWS set-up, and the record."""

from __future__ import annotations

import pytest
from django.urls import reverse

from accounts.models import Client, Contact, Membership
from awsaccess.aws.errors import AwsMisconfigured, AwsTransient
from awsaccess.models import Hub
from engagements.models import Offer
from portal.kernel import tenancy
from tests.console.cast import House, house, open_the_door
from tests.pages.stage import agreed, set_stage

pytestmark = pytest.mark.django_db
YES = {"confirm": "yes"}
HUB = {
    "account_id": "1111 1111 1111",
    "role_arn": "arn:aws:iam::111111111111:role/latchkey-hub",
    "region": "eu-central-1",
    "template_bucket": "latchkey-templates-111111111111",
}


@pytest.fixture
def home(db: None) -> House:
    return house(set_stage())


def _hub_url(home: House, slug: str = "") -> str:
    with tenancy.use(home.stage.scope):
        return f"/console/awsaccess/hub/{Hub.objects.get().pk}/{slug}"


def test_an_owner_changes_the_hub_and_others_cannot(home: House) -> None:
    url = _hub_url(home, "edit/")
    for browser, status in ((home.assigned, 403), (home.auditor, 403), (home.stranger, 404)):
        assert browser.post(url, {**YES, **HUB}).status_code == status
    assert home.owner.post(url, {**YES, **HUB}).status_code == 302
    with tenancy.use(home.stage.scope):
        assert Hub.objects.get().region == "eu-central-1"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("role_arn", "arn:aws:iam::222222222222:role/latchkey-hub"),
        ("role_arn", "arn:aws:iam::111111111111:role/*"),
        ("region", "us-gov-west-1"),
        ("template_bucket", "With.Dots"),
        ("account_id", "123"),
    ],
)
def test_a_hub_that_aws_could_not_have_is_refused_at_its_field(home: House, field: str, value: str) -> None:
    answer = home.owner.post(_hub_url(home, "edit/"), {**YES, **HUB, field: value})
    assert answer.status_code == 422
    assert f'id="id_{field}_error"' in answer.content.decode()


def test_a_hub_is_set_up_once(home: House) -> None:
    add = reverse("admin:awsaccess_hub_add")
    assert home.owner.get(add).status_code == 403
    with tenancy.use(home.stage.scope):
        Hub.objects.get().delete()
    assert "Set up AWS" in home.owner.get(reverse("admin:index")).content.decode()
    assert home.assigned.get(add).status_code == 403
    assert home.owner.post(add, HUB).status_code == 302
    assert home.owner.get(add).status_code == 403


def test_checking_the_hub_tells_what_aws_says(monkeypatch: pytest.MonkeyPatch) -> None:
    home = house(agreed(published=False))
    aws = open_the_door(home.stage, monkeypatch)
    url = _hub_url(home, "check/")
    home.owner.get(url)
    assert aws.calls == []
    assert "The hub role opens" in home.assigned.post(url, YES, follow=True).content.decode()
    aws.fail("own_identity", AwsMisconfigured())
    answer = home.assigned.post(url, YES)
    assert answer.status_code == 422
    assert "own AWS set-up has a fault" in answer.content.decode()


def test_templates_that_wait_are_published_on_demand(monkeypatch: pytest.MonkeyPatch) -> None:
    home = house(agreed(published=False))
    aws = open_the_door(home.stage, monkeypatch)
    url = _hub_url(home, "publish/")
    assert "Brightwater Dental: Cost review" in home.owner.get(url).content.decode()
    aws.fail("upload_template", AwsTransient(), times=1)
    assert "could not be published" in home.owner.post(url, YES).content.decode()
    assert "Published: 1." in home.owner.post(url, YES, follow=True).content.decode()
    with tenancy.use(home.stage.scope):
        assert Offer.objects.get().template_version_id
    assert "Published: 0." in home.owner.post(url, YES, follow=True).content.decode()
    assert len(aws.uploads) == 1


def test_clients_and_their_people_are_added(home: House) -> None:
    answer = home.assigned.post(reverse("admin:accounts_client_add"), {"name": "Hollins Farm"})
    page = answer["Location"]
    ruth = {
        **YES,
        "email": "Ruth@hollins.example",
        "name": "Ruth Hollins",
        "role": "approver",
        "title": "Owner",
    }
    assert home.assigned.post(f"{page}add-contact/", ruth).status_code == 302
    again = home.assigned.post(f"{page}add-contact/", ruth)
    assert again.status_code == 422
    assert "already there" in again.content.decode()
    with tenancy.use(home.stage.scope):
        assert Contact.objects.filter(client__name="Hollins Farm").count() == 1
        assert Client.objects.count() == 2
    assert home.auditor.post(f"{page}add-contact/", ruth).status_code == 403
    assert home.stranger.post(f"{page}add-contact/", ruth).status_code == 404


def test_only_an_owner_adds_people_to_the_practice(home: House) -> None:
    url = reverse("admin:accounts_membership_add")
    asked = {"email": "new@northgate.example", "name": "New Person", "role": "consultant"}
    for browser in (home.assigned, home.auditor):
        assert browser.post(url, asked).status_code == 403
    assert home.owner.post(url, {**asked, "practice": "x", "is_superuser": "on"}).status_code == 302
    with tenancy.use(home.stage.scope):
        added = Membership.objects.select_related("user").get(user__email="new@northgate.example")
    assert (added.practice_id, added.user.is_superuser) == (home.stage.practice.pk, False)


def test_who_is_of_the_practice_is_not_added_again_and_nothing_typed_is_lost(home: House) -> None:
    asked = {"email": "maya@northgate.example", "name": "Maya O.", "role": "consultant", "title": "Architect"}
    answer = home.owner.post(reverse("admin:accounts_membership_add"), asked)
    assert answer.status_code == 422
    shown = answer.content.decode()
    assert "already" in shown
    assert all(f'value="{typed}"' in shown for typed in (asked["email"], asked["name"], asked["title"]))


def test_text_of_people_is_text_on_every_page(home: House) -> None:
    evil = "<script>alert(1)</script>"
    answer = home.owner.post(reverse("admin:accounts_client_add"), {"name": evil})
    for url in (
        answer["Location"],
        reverse("admin:accounts_client_changelist"),
        reverse("admin:engagements_engagement_add"),
    ):
        shown = home.owner.get(url).content.decode()
        assert evil not in shown
        assert "&lt;script&gt;" in shown


def test_the_record_says_that_it_is_unbroken(home: House) -> None:
    shown = home.auditor.get(reverse("admin:kernel_auditevent_verify")).content.decode()
    assert "The chain is unbroken" in shown


def test_the_record_can_be_read_and_nothing_else(home: House) -> None:
    for url in (
        reverse("admin:kernel_auditevent_changelist"),
        "/console/kernel/auditevent/1/",
        reverse("admin:kernel_outboxmessage_changelist"),
    ):
        assert home.owner.post(url, {"action": "delete_selected", "_selected_action": "1"}).status_code == 405
    for url in (
        "/console/kernel/auditevent/add/",
        "/console/kernel/auditevent/1/delete/",
        "/console/kernel/auditevent/1/history/",
    ):
        assert home.owner.get(url).status_code == 404
