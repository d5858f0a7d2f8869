"""The pages of a move to another hub role: the client's two steps, the owner's guide, and who may begin it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from awsaccess.door import hub_identity
from awsaccess.lifecycle import RotationStatus, Verdict
from awsaccess.models import Grant, Hub, Rotation, Verification
from awsaccess.services.moving import hub_move_begin
from portal.kernel import clock, tenancy
from tests.console.cast import House, house, open_the_door
from tests.factories import acting
from tests.pages import stage
from tests.pages.reading import read
from tests.pages.stage import Stage
from tests.pages.test_new_key import move, page

pytestmark = pytest.mark.usefixtures("db")

NEW = "arn:aws:iam::111111111111:role/latchkey-hub-2"
YES = {"confirm": "yes"}


def with_new_role() -> Stage:
    """The practice has written another hub role down; the live access names the one from before."""
    scene = stage.active()
    with tenancy.use(scene.scope):
        Hub.objects.update(role_arn=NEW)
    return scene


def begun() -> Stage:
    scene = with_new_role()
    with tenancy.use(scene.scope):
        hub_move_begin(grant=Grant.objects.get(), actor=acting(scene.maya))
    move(scene, both_version_id="v8", alone_version_id="v9")
    return scene


def grant_url(home: House, slug: str = "") -> str:
    return f"/console/awsaccess/grant/{home.grant().pk}/{slug}"


def hub_url(home: House, slug: str = "") -> str:
    with tenancy.use(home.stage.scope):
        return f"/console/awsaccess/hub/{Hub.objects.get().pk}/{slug}"


def old_role(home: House) -> str:
    with tenancy.use(home.stage.scope):
        return str(Grant.objects.select_related("offer").get().offer.documents["hub_role_arn"])


# ---------------------------------------------------------------- the client


def test_the_client_reads_which_role_is_exchanged_and_does_the_same_two_steps() -> None:
    scene = begun()
    shown = page(scene)
    assert "is a role in the account of Northgate Cloud" in shown.text
    assert NEW in shown.text
    assert "Step 1 of 2: let AWS accept the new key, too" in shown.text
    assert "-both.json?versionId=v8" in scene.browser().get(scene.path("key.sh")).content.decode()
    move(scene, status=RotationStatus.DROPPING, turned_at=clock.now())
    assert "Step 2 of 2: take the old key away" in page(scene).text


def test_an_exchange_of_the_key_names_no_role() -> None:
    from tests.pages.test_new_key import begun as key_begun

    assert "arn:aws" not in page(key_begun()).text


def test_the_client_reads_it_in_german() -> None:
    scene = begun()
    shown = read(scene.browser().get(scene.path("key/"), headers={"accept-language": "de"}))
    assert "ist eine Rolle im Konto von Northgate Cloud" in shown.text


# ---------------------------------------------------------------- the console


def test_an_owner_begins_it_for_one_access_and_nobody_else_may() -> None:
    home = house(with_new_role())
    url = grant_url(home)
    assert "Move to the new hub role" in read(home.owner.get(url)).links
    assert "Move to the new hub role" not in read(home.assigned.get(url)).links
    for browser, status in ((home.assigned, 403), (home.auditor, 403), (home.unassigned, 404)):
        assert browser.post(f"{url}move/", YES).status_code == status
    told = read(home.owner.get(f"{url}move/")).text
    assert "nobody agrees again: your AWS account stays the same" in told
    shown = read(home.owner.post(f"{url}move/", YES, follow=True))
    assert f"{old_role(home)} → {NEW}" in shown.text
    assert "Move to the new hub role" not in shown.links
    assert "The hub role from before stays in force." in read(home.owner.get(f"{url}keep-key/")).text
    off = read(home.owner.post(f"{url}keep-key/", YES, follow=True))
    assert "Called off" in off.text


def test_the_set_up_page_leads_through_it(monkeypatch: pytest.MonkeyPatch) -> None:
    home = house(with_new_role())
    fake = open_the_door(home.stage, monkeypatch)
    with tenancy.use(home.stage.scope):
        identity = hub_identity(Hub.objects.select_related("practice").get())
    fake.hubs[NEW] = replace(identity, role_arn=NEW)
    before = read(home.owner.get(hub_url(home)))
    assert "Accesses that name an older hub role" in before.text
    assert "Not begun" in before.text
    assert "Brightwater Dental" in read(home.owner.get(hub_url(home, "move/"))).text
    assert home.assigned.post(hub_url(home, "move/"), YES).status_code == 403
    done = read(home.owner.post(hub_url(home, "move/"), YES, follow=True))
    assert "Begun: 1." in done.text
    assert "the templates are on their way to the bucket" in done.text
    assert "Move accesses here" not in done.links


def test_a_role_that_the_portal_cannot_come_from_begins_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    home = house(with_new_role())
    open_the_door(home.stage, monkeypatch).hubs.pop(NEW)
    answer = home.owner.post(hub_url(home, "move/"), YES)
    assert answer.status_code == 422
    assert "The hub role does not open for the portal" in answer.content.decode()
    with tenancy.use(home.stage.scope):
        assert not Rotation.objects.exists()


def test_those_that_cannot_begin_are_told_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    home = house(with_new_role())
    open_the_door(home.stage, monkeypatch)
    with tenancy.use(home.stage.scope):
        Hub.objects.update(account_id="888888888888", role_arn="arn:aws:iam::888888888888:role/latchkey-hub")
    monkeypatch.setattr("portal.console.grants.hub_try", lambda _hub: ())
    shown = read(home.owner.post(hub_url(home, "move/"), YES, follow=True))
    assert "Begun: 0." in shown.text
    assert "The hub now lies in another AWS account" in shown.text


def test_an_old_role_that_cannot_be_asked_any_more_is_said() -> None:
    scene = begun()
    move(scene, status=RotationStatus.DROPPING, turned_at=clock.now())
    home = house(scene)
    url = grant_url(home)
    assert "the other hub role does not open" not in read(home.owner.get(url)).text
    with tenancy.use(scene.scope):
        grant = Grant.objects.get()
        Verification.objects.create(
            practice_id=grant.practice_id,
            client_id=grant.client_id,
            grant=grant,
            at=clock.now(),
            verdict=Verdict.OK,
            findings={"with_other_hub": "not asked"},
        )
    assert "the other hub role does not open for the portal" in read(home.owner.get(url)).text
    assert "the other hub role does not open for the portal" in read(home.owner.get(hub_url(home))).text


def test_where_every_access_names_the_role_there_is_no_list() -> None:
    home = house(stage.active())
    assert "Accesses that name an older hub role" not in read(home.owner.get(hub_url(home))).text
