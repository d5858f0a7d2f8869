"""Asking freezes everything; the network comes after, in its own time, and may fail as often as it likes."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from dataclasses import replace

import pytest

from accounts.lifecycle import ContactRole
from accounts.models import Contact, Invitation
from awsaccess import selectors
from awsaccess.asking import spec_of
from awsaccess.aws.errors import AwsError, AwsMisconfigured, AwsRejected, AwsTransient
from awsaccess.lifecycle import AccessEvent, GrantStatus
from awsaccess.models import Grant
from awsaccess.provision.access_stack import render_template
from awsaccess.services.sending import NotReady, engagement_send, offer_publish
from engagements.lifecycle import EngagementStatus
from engagements.models import Offer
from engagements.services.drafts import offer_hash
from engagements.services.moves import engagement_cancel
from portal.kernel import clock, outbox, tenancy
from portal.kernel.errors import InvalidMove, NotVisible
from tests.awsaccess.services.cast import (
    HUBS,
    Case,
    check,
    drafted,
    make_practice,
    publish,
    send,
    sent,
    set_hub,
    watched,
)
from tests.awsaccess.services.worlds import InMemory, Simulated, World
from tests.engagements.records import everything
from tests.factories import Firm, acting, make_contact
from tests.plugins.sandbox_process import BRIGHTWATER, NORTHGATE


def published_places(memory: InMemory) -> list[tuple[str, str]]:
    return [(bucket, key) for bucket, key, _version in memory.fake.uploads]


# What sending fixes.


def test_sending_freezes_the_offer_and_expects_its_role(north: Firm) -> None:
    case = sent(north)
    offer, grant, hub = case.offer(), case.grant(), HUBS["northgate"]
    assert case.fresh().status == EngagementStatus.INVITED
    assert offer.documents["hub_role_arn"] == hub.role_arn
    assert (offer.documents["region"], offer.documents["bucket"]) == (hub.region, hub.bucket)
    assert offer.documents["expires_at"] == case.fresh().ends_at.astimezone(dt.UTC).isoformat()
    assert offer.documents["purpose"] == "to find out why the bill went up"
    assert (grant.status, grant.account_id) == (GrantStatus.EXPECTED, BRIGHTWATER)
    assert grant.role_arn == f"arn:aws:iam::{BRIGHTWATER}:role/latchkey-{case.engagement.code}"
    assert (grant.offer, grant.partition, grant.checks) == (offer, "aws", {})
    (told,) = [details for kind, details in case.told() if kind == AccessEvent.GRANT_EXPECTED]
    assert told == {"role": grant.role_name, "account": BRIGHTWATER}


def test_the_offers_hash_covers_lines_documents_and_template(north: Firm) -> None:
    offer = sent(north).offer()
    assert offer.template_sha256 == hashlib.sha256(offer.template.encode()).hexdigest()
    assert offer.offer_sha256 == offer_hash(offer.lines, offer.documents, offer.template_sha256)
    other = {**offer.documents, "expires_at": "2030-01-01T00:00:00+00:00"}
    assert offer.offer_sha256 != offer_hash(offer.lines, other, offer.template_sha256)


def test_the_frozen_documents_render_the_same_template_again(north: Firm) -> None:
    case = sent(north)
    offer, grant = case.offer(), case.grant()
    assert render_template(spec_of(offer, grant)) == offer.template
    assert grant.external_id in offer.template
    assert grant.external_id not in json.dumps(offer.documents)


def test_every_external_id_is_random_and_its_grants_alone(north: Firm, harbour: Firm) -> None:
    found = [sent(firm).grant().external_id for firm in (north, north, harbour)]
    assert len(set(found)) == 3
    assert all(re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f-]{17}", each) for each in found)


def test_every_approver_is_invited_to_the_page_and_nobody_else(north: Firm) -> None:
    second = make_contact(north, "second", ContactRole.APPROVER)
    left = make_contact(north, "left", ContactRole.APPROVER)
    make_contact(north, "viewer", ContactRole.VIEWER)
    with tenancy.use(north.practice_side):
        Contact.objects.filter(pk=left.pk).update(ended_at=clock.now())
    case = sent(north)
    with tenancy.use(north.practice_side):
        invitations = list(Invitation.objects.all())
    assert {row.contact_id for row in invitations} == {north.contact.pk, second.pk}
    assert {row.landing_path for row in invitations} == {f"/e/{case.engagement.code}/"}
    assert {row.invited_by_id for row in invitations} == {north.owner.pk}
    assert case.promised("engagements.invitation") == 2
    assert case.promised("awsaccess.publish") == 1


def test_an_account_that_is_not_known_yet_is_left_open(north: Firm) -> None:
    case = sent(north, account_id="")
    assert case.grant().account_id == ""
    assert str(case.grant()) == f"latchkey-{case.engagement.code} in an account not named yet"


# What must be there, or nothing happens.


def refused(case: Case, words: str) -> None:
    before = everything(case.firm)
    with pytest.raises(NotReady, match=words):
        send(case)
    assert everything(case.firm) == before
    with tenancy.use(case.firm.practice_side):
        assert not Grant.objects.exists()
        assert not Invitation.objects.exists()


def test_without_a_hub_nothing_is_sent(db: None) -> None:
    refused(drafted(make_practice("northgate", with_hub=False)), "no AWS set-up yet")


def test_another_practices_hub_is_no_hub(harbour: Firm) -> None:
    refused(drafted(make_practice("northgate", with_hub=False)), "no AWS set-up yet")


def test_without_an_approver_nothing_is_sent(north: Firm) -> None:
    with tenancy.use(north.practice_side):
        Contact.objects.update(role=ContactRole.VIEWER)
    refused(drafted(north), "Nobody at this client may agree yet")


def test_what_aws_would_not_take_is_not_sent(north: Firm, monkeypatch: pytest.MonkeyPatch) -> None:
    from awsaccess.services import sending
    from engagements.selectors import profile_for

    policies = tuple(f"arn:aws:iam::aws:policy/P{number}" for number in range(11))
    too_much = replace(profile_for("cost_review"), managed_policies=policies)
    monkeypatch.setattr("awsaccess.asking.profile_for", lambda _code, _language="en": too_much)
    assert sending.NotReady.http_status == 409
    refused(drafted(north), "AWS would not take this: a role takes at most 10 managed policies")


def test_a_draft_whose_end_has_passed_is_not_sent(north: Firm) -> None:
    case = drafted(north)
    with clock.frozen(case.engagement.ends_at):
        refused(case, "The agreed end has passed")


def test_the_practices_own_account_is_not_asked_for(north: Firm) -> None:
    refused(drafted(north, account_id=NORTHGATE), "your own AWS account")


def test_sending_twice_is_refused_and_changes_nothing(north: Firm) -> None:
    case = sent(north)
    before = everything(north)
    with pytest.raises(InvalidMove):
        send(case)
    assert everything(north) == before
    assert Grant.objects.count() == 0  # nobody looks
    with tenancy.use(north.practice_side):
        assert Grant.objects.count() == Offer.objects.count() == 1


def test_another_practice_cannot_send_it(north: Firm, harbour: Firm) -> None:
    case = drafted(north)
    with tenancy.use(harbour.practice_side), pytest.raises(NotVisible):
        engagement_send(engagement=case.engagement, actor=acting(harbour.owner))
    assert case.fresh().status == EngagementStatus.DRAFT


# Publishing: after the commit, as often as it takes.


def test_the_template_is_published_as_it_was_frozen_and_its_version_pinned(north: Firm, world: World) -> None:
    case = sent(north)
    with tenancy.use(north.client_side):
        assert selectors.quick_create_url(case.engagement) is None
    publish(case)
    offer = case.offer()
    assert offer.template_version_id
    assert world.template(case) == offer.template
    assert case.kinds().count("engagement:offer:published") == 1
    with tenancy.use(north.client_side):
        link = selectors.quick_create_url(case.engagement)
    assert link is not None
    assert "versionId%3D" in link
    assert f"stackName=latchkey-{case.engagement.code}" in link


def test_publishing_twice_uploads_once(north: Firm, memory: InMemory) -> None:
    case = sent(north)
    publish(case)
    first = case.offer().template_version_id
    publish(case)
    assert case.offer().template_version_id == first
    assert len(memory.fake.uploads) == 1


def test_an_upload_that_was_overtaken_keeps_the_first_version(north: Firm, memory: InMemory) -> None:
    case = sent(north)
    memory.door.before("upload_template", lambda: publish(case))
    publish(case)
    assert len(memory.fake.uploads) == 2
    (_, _, first), _second = memory.fake.uploads
    assert case.offer().template_version_id == first
    assert case.kinds().count("engagement:offer:published") == 1


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (AwsTransient(code="SlowDown"), outbox.Later),
        (AwsMisconfigured(code="NoSuchBucket"), outbox.Later),
        (AwsRejected("the body is too large", code="EntityTooLarge"), outbox.Hopeless),
    ],
)
def test_while_aws_does_not_take_it_the_invitation_stands_and_the_template_waits(
    north: Firm, memory: InMemory, error: AwsError, answer: type[Exception]
) -> None:
    case = sent(north)
    memory.door.fail("upload_template", error)
    with pytest.raises(answer) as caught:
        publish(case)
    assert error.user_message in str(caught.value)
    assert caught.value.__cause__ is None
    assert case.offer().template_version_id == ""
    assert case.fresh().status == EngagementStatus.INVITED
    with tenancy.use(north.client_side):
        assert selectors.quick_create_url(case.engagement) is None
        assert not selectors.live_card(case.engagement).has_template
    publish(case)
    assert case.offer().template_version_id


def test_a_throttled_or_broken_bucket_is_tried_later_over_the_wire(north: Firm, simulated: Simulated) -> None:
    case = sent(north)
    simulated.sandbox.control("POST", "faults", service="s3", code="AccessDenied")
    with pytest.raises(outbox.Later, match="own AWS set-up has a fault"):
        publish(case)
    simulated.sandbox.control("DELETE", "faults")
    publish(case)
    assert case.offer().template_version_id


def test_a_hub_that_is_gone_makes_publishing_wait(north: Firm, memory: InMemory) -> None:
    case = sent(north)
    hub = memory.fake.hubs.pop(HUBS["northgate"].role_arn)
    with pytest.raises(outbox.Later):
        publish(case)
    memory.fake.hubs[hub.role_arn] = hub
    publish(case)
    assert case.offer().template_version_id


def test_an_invitation_taken_back_while_it_is_published_stays_taken_back(
    north: Firm, memory: InMemory
) -> None:
    case = sent(north)

    def cancel() -> None:
        engagement_cancel(engagement=case.fresh(), actor=acting(north.owner))

    memory.door.before("upload_template", cancel)
    publish(case)
    assert case.fresh().status == EngagementStatus.CANCELLED
    assert check(case) is None


# An offer keeps the hub it was frozen with.


def other_hub() -> dict[str, str]:
    return {
        "region": "eu-central-1",
        "bucket": "another-bucket",
        "role_arn": f"arn:aws:iam::{NORTHGATE}:role/newer-hub",
    }


def test_a_template_goes_into_the_bucket_that_its_link_names(north: Firm, memory: InMemory) -> None:
    case = sent(north)
    set_hub(north, replace(HUBS["northgate"], **other_hub()))
    publish(case)
    assert published_places(memory) == [(HUBS["northgate"].bucket, f"{case.engagement.code}/access.json")]
    with tenancy.use(north.practice_side):
        assert HUBS["northgate"].bucket in selectors.template_address(case.offer())


def test_a_role_is_entered_from_the_hub_that_it_trusts(north: Firm, memory: InMemory) -> None:
    case = watched(north)
    memory.deploy(case)
    set_hub(north, replace(HUBS["northgate"], **other_hub()))
    check(case)
    assert case.grant().status == GrantStatus.VERIFIED


def test_an_unknown_offer_is_no_offer(north: Firm, memory: InMemory) -> None:
    case = sent(north)
    with tenancy.use(north.practice_side), pytest.raises(Offer.DoesNotExist):
        offer_publish(offer_id=case.grant().pk)
    assert memory.fake.uploads == {}
