"""The client's page for a new key, and the console's: what to do now, what is seen, and what stays as it was."""

from __future__ import annotations

import pytest

from accounts.lifecycle import ContactRole
from awsaccess.lifecycle import RotationStatus
from awsaccess.models import Grant, Rotation
from awsaccess.selectors import live_card
from awsaccess.services.rotating import rotation_begin
from portal.kernel import clock, tenancy
from tests.console.cast import house
from tests.pages import stage
from tests.pages.reading import Page, read
from tests.pages.stage import Stage

pytestmark = pytest.mark.usefixtures("db")


def begun(*, published: bool = True) -> Stage:
    """An exchange is under way, its templates in the bucket."""
    scene = stage.active()
    with tenancy.use(scene.scope):
        rotation_begin(grant=Grant.objects.get(), actor=scene.sam_acts)
    if published:
        move(scene, both_version_id="v8", alone_version_id="v9")
    return scene


def move(scene: Stage, **changes: object) -> None:
    with tenancy.use(scene.scope):
        Rotation.objects.update(**changes)


def page(scene: Stage, path: str = "key/") -> Page:
    response = scene.browser().get(scene.path(path))
    assert response.status_code == 200
    return read(response)


def link(shown: Page) -> str:
    return next(url for words, url in shown.links.items() if words.startswith("Open AWS"))


def test_the_first_step_is_one_link_with_a_script_beside_it() -> None:
    scene = begun()
    assert page(scene, "").links["Open the step"] == scene.path("key/")
    shown = page(scene)
    assert shown.h1 == "A new key for the access"
    assert "Step 1 of 2: let AWS accept the new key, too" in shown.text
    assert "versionId%3Dv8" in link(shown)
    script = scene.browser().get(scene.path("key.sh")).content.decode()
    assert "-both.json?versionId=v8" in script
    assert "account=441709265583" in script


def test_the_second_step_leads_to_the_template_with_the_new_key_alone() -> None:
    scene = begun()
    move(scene, status=RotationStatus.DROPPING, turned_at=clock.now())
    with tenancy.use(scene.scope):
        new = Rotation.objects.get().new_external_id
        Grant.objects.update(
            rotated_external_id=new, lock_template_key="x/key-alone.json", lock_version_id="v9"
        )
    shown = page(scene)
    assert "Step 2 of 2: take the old key away" in shown.text
    assert "key-alone.json%3FversionId%3Dv9" in link(shown)


def test_what_was_called_off_leads_back_to_the_key_from_before() -> None:
    scene = begun()
    move(scene, status=RotationStatus.UNDOING)
    shown = page(scene)
    assert "Take the new key away again" in shown.text
    assert "access.json%3FversionId%3Dv1" in link(shown)


def test_while_aws_spreads_it_there_is_nothing_to_do() -> None:
    scene = begun()
    move(scene, seen_at=clock.now())
    shown = page(scene)
    assert "We look once more in two minutes" in shown.text
    assert "Check now" not in shown.buttons


def test_while_the_templates_are_on_their_way_it_says_so() -> None:
    scene = begun(published=False)
    assert "We are preparing the change for AWS." in page(scene).text
    assert scene.browser().get(scene.path("key.sh")).status_code == 404


def test_while_open_visits_are_ended_the_step_waits() -> None:
    scene = begun()
    stage.make_visit(scene, minutes_ago=1, reason="look again", name="Tomasz Lis")
    with tenancy.use(scene.scope):
        Grant.objects.update(deny_before=clock.now())
    shown = page(scene)
    assert "Open visits are being ended in AWS" in shown.text
    assert "End open visits" in shown.links
    assert scene.browser().get(scene.path("key.sh")).status_code == 404


def test_looking_now_comes_back_to_the_page() -> None:
    scene = begun()
    answer = scene.browser().post(scene.path("check/"), {"back": "key"})
    assert answer.headers["Location"] == scene.path("key/")


def test_who_helps_in_aws_sees_the_step_and_without_one_there_is_nothing_to_do() -> None:
    scene = begun()
    helper = scene.browser(scene.colleague(ContactRole.AWS_ADMIN))
    assert "Check now" in read(helper.get(scene.path("key/"))).buttons
    with tenancy.use(scene.scope):
        Grant.objects.update(is_rotating=False)
    assert "You have nothing to do." in page(scene).text


def test_without_a_live_access_the_address_leads_to_the_project() -> None:
    scene = stage.agreed()
    assert scene.browser().get(scene.path("key/")).headers["Location"] == scene.path()


def test_an_access_without_any_role_has_no_key_to_exchange() -> None:
    scene = stage.active()
    with tenancy.use(scene.scope):
        Grant.objects.update(is_rotating=False)
    assert "No key is being exchanged now." in page(scene).text


def test_in_the_console_it_is_begun_watched_and_called_off() -> None:
    home = house(stage.active())
    with tenancy.use(home.stage.scope):
        url = f"/console/awsaccess/grant/{Grant.objects.get().pk}/"
    assert "Exchange the key" in read(home.owner.get(url)).links
    told = read(home.owner.get(f"{url}rotate/")).text
    assert "Visits go on throughout." in told
    begun_page = home.owner.post(f"{url}rotate/", {"confirm": "yes"}, follow=True)
    shown = read(begun_page)
    assert "the templates are on their way to the bucket" in shown.text
    assert "Exchange the key" not in shown.links
    move(home.stage, both_version_id="v8", alone_version_id="v9", seen_at=clock.now())
    assert "seen once; looked at again in two minutes" in read(home.owner.get(url)).text
    with tenancy.use(home.stage.scope):
        secret = Rotation.objects.get().new_external_id
    assert secret.encode() not in begun_page.content
    assert "The old external ID stays in force." in read(home.owner.get(f"{url}keep-key/")).text
    off = read(home.owner.post(f"{url}keep-key/", {"confirm": "yes"}, follow=True))
    assert "Called off: the client takes the new one away" in off.text
    assert "Call the exchange off" not in off.links


def test_a_card_that_is_open_is_renewed_when_an_exchange_begins() -> None:
    scene = stage.active()
    with tenancy.use(scene.scope):
        before = live_card(scene.fresh()).digest
        Grant.objects.filter(engagement=scene.engagement).update(is_rotating=True)
        assert live_card(scene.fresh()).digest != before
