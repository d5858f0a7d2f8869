"""What a client may tick, and that the role has what was ticked and nothing else."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest
from django.db import ProgrammingError, transaction

from awsaccess import selectors
from awsaccess.asking import choices_among, spec_from, spec_of
from awsaccess.aws.errors import AwsRejected
from awsaccess.lifecycle import GrantStatus
from awsaccess.provision.access_stack import expected_role, render_template
from awsaccess.services.profiles import practice_profile_save
from awsaccess.services.sending import NotReady, engagement_send, offer_publish, variant_publish
from engagements.emails import words
from engagements.models import Consent, Engagement, Offer, PracticeProfile, Variant
from engagements.profiles import Kind
from engagements.profiles.own import DraftLine, DraftProfile
from engagements.selectors import offer_current, template_agreed, with_choice
from engagements.services.choices import agreed_hash
from engagements.services.consents import consent_give
from engagements.services.drafts import (
    BadDraft,
    Terms,
    draft_mark,
    engagement_edit,
    offer_hash,
    variant_published,
)
from engagements.services.profiles import practice_profile_retire
from portal.kernel import clock, outbox, tenancy
from portal.kernel.errors import Stale
from tests.awsaccess.services.cast import Case, check, drafted, publish, send, watch
from tests.awsaccess.services.worlds import InMemory, World
from tests.factories import ACCOUNT_ID, EVIDENCE, TESTER, Firm, acting, make_engagement_drafted, paper_shown

BOTH = ("advice", "history")
SERVERS = json.dumps({"Effect": "Allow", "Action": "ec2:Describe*", "Resource": "*"})
BUCKETS = json.dumps({"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"})


def offering(firm: Firm, *keys: str, profile: str = "cost_review") -> Case:
    """A draft that lets the client add these lines."""
    case = drafted(firm)
    with tenancy.use(firm.practice_side):
        Engagement.objects.filter(pk=case.engagement.pk).update(optional=list(keys), profile=profile)
    return Case(firm=firm, engagement=case.fresh())


def asked(firm: Firm, *keys: str) -> Case:
    case = offering(firm, *keys)
    send(case)
    return case


def agree(case: Case, *ticked: str) -> Consent:
    firm = case.firm
    with tenancy.use(firm.client_side):
        return consent_give(
            engagement=case.engagement,
            offer=offer_current(case.engagement),
            contact=firm.contact,
            account_id=ACCOUNT_ID,
            shown=paper_shown(),
            evidence=EVIDENCE,
            signed_in_at=clock.now(),
            actor=acting(firm.approver),
            choice=ticked,
        )


def variants(case: Case) -> list[Variant]:
    with case.seen():
        return list(Variant.objects.filter(engagement=case.engagement).order_by("choice"))


def actions_in(template: str) -> set[str]:
    """Every action that the role of a template allows."""
    role = json.loads(template)["Resources"]["AccessRole"]["Properties"]
    statements = role["Policies"][0]["PolicyDocument"]["Statement"]
    return {action for each in statements if each["Effect"] == "Allow" for action in each["Action"]}


# ---------------------------------------------------------------- what is frozen


def test_a_draft_offers_none_of_them_unless_it_says_so(north: Firm) -> None:
    case = asked(north)
    assert (variants(case), case.offer().documents["optional"]) == ([], [])
    assert "choices" not in case.offer().documents


def test_every_choice_has_a_template_of_its_own_and_the_offers_hash_covers_them(north: Firm) -> None:
    case = asked(north, *BOTH)
    offer = case.offer()
    assert [row.choice for row in variants(case)] == [["advice"], ["history"], ["advice", "history"]]
    sealed = {tuple(each["keys"]): each["template_sha256"] for each in offer.documents["choices"]}
    for row in variants(case):
        assert row.template_sha256 == hashlib.sha256(row.template.encode()).hexdigest()
        assert sealed[tuple(row.choice)] == row.template_sha256
        assert row.choice[0] in str(row)
    assert offer.offer_sha256 == offer_hash(offer.lines, offer.documents, offer.template_sha256)
    other = {**offer.documents, "choices": offer.documents["choices"][:1]}
    assert offer.offer_sha256 != offer_hash(offer.lines, other, offer.template_sha256)


def test_what_is_not_ticked_is_not_in_the_role(north: Firm) -> None:
    case = asked(north, *BOTH)
    texts = {(): case.offer().template, **{tuple(row.choice): row.template for row in variants(case)}}
    advice, history = "trustedadvisor:List*", "cloudtrail:LookupEvents"
    found = {choice: {advice, history} & actions_in(text) for choice, text in texts.items()}
    assert found == {(): set(), ("advice",): {advice}, ("history",): {history}, BOTH: {advice, history}}
    assert all(actions_in(case.offer().template) <= actions_in(text) for text in texts.values())


def test_a_line_that_is_not_offered_stands_nowhere(north: Firm) -> None:
    case = asked(north, "history")
    frozen = json.dumps(
        [case.offer().documents, case.offer().lines, *(row.template for row in variants(case))]
    )
    assert "trustedadvisor" not in frozen
    assert "cloudtrail:LookupEvents" in frozen


def test_the_words_are_frozen_in_every_language(north: Firm) -> None:
    words = asked(north, *BOTH).offer().documents["words"]
    assert set(words) == {"en", "de"}
    assert [len(words["de"][name]) for name in ("lines", "optional", "limits")] == [3, 2, 4]
    assert words["de"]["optional"][0]["title"] != words["en"]["optional"][0]["title"]


def test_every_choice_is_one_of_at_least_one_line() -> None:
    assert list(choices_among([])) == []
    assert len(list(choices_among(["a", "b", "c", "d"]))) == 15


def test_a_policy_of_awss_own_comes_with_its_line() -> None:
    arn = "arn:aws:iam::aws:policy/AdministratorAccess"
    line = {"key": "all", "statements": [], "managed_policies": [arn]}
    documents: dict[str, Any] = {"managed_policy_arns": [arn], "statements": [], "optional": [line]}
    assert with_choice(documents, ["all"])["managed_policy_arns"] == [arn]
    assert with_choice({"managed_policy_arns": [], "statements": []}, ["all"])["managed_policy_arns"] == []


def test_what_can_be_chosen_cannot_be_rewritten(north: Firm) -> None:
    case = asked(north, "history")
    with tenancy.use(north.practice_side), pytest.raises(ProgrammingError), transaction.atomic():
        Variant.objects.update(template="{}")
    with tenancy.use(north.client_side):
        assert Variant.objects.count() == 1
        assert Variant.objects.update(template_version_id="v9") == 0
    assert variants(case)[0].template_version_id == ""


# ---------------------------------------------------------------- what is agreed to


def test_a_consent_seals_offer_choice_and_template_together(north: Firm) -> None:
    case = asked(north, *BOTH)
    consent = agree(case, "history", "advice")
    assert consent.choice == list(BOTH)
    (row,) = [row for row in variants(case) if row.choice == list(BOTH)]
    assert consent.template_sha256 == row.template_sha256
    assert consent.agreed_sha256 == agreed_hash(case.offer().offer_sha256, BOTH, row.template_sha256)
    assert consent.agreed_sha256 != agreed_hash(case.offer().offer_sha256, ["history"], row.template_sha256)
    (told,) = [details for kind, details in case.told() if kind == "client:consent:given"]
    assert (told["choice"], told["agreed_sha256"]) == ("advice, history", consent.agreed_sha256)


def test_without_a_tick_the_offers_own_template_is_agreed_to(north: Firm) -> None:
    case = asked(north, *BOTH)
    consent = agree(case)
    assert (consent.choice, consent.template_sha256) == ([], case.offer().template_sha256)
    assert consent.agreed_sha256 == agreed_hash(case.offer().offer_sha256, [], consent.template_sha256)


def test_a_choice_cannot_be_rewritten(north: Firm) -> None:
    agree(asked(north, "history"), "history")
    rewritten: dict[str, Any] = {"choice": [], "template_sha256": "0" * 64, "agreed_sha256": "0" * 64}
    for changes in ({name: value} for name, value in rewritten.items()):
        with tenancy.use(north.client_side), pytest.raises(ProgrammingError), transaction.atomic():
            Consent.objects.update(**changes)


@pytest.mark.parametrize("ticked", [("advice",), ("history", "costs"), ("",)])
def test_a_line_that_was_not_offered_is_not_agreed_to(north: Firm, ticked: tuple[str, ...]) -> None:
    case = asked(north, "history")
    with pytest.raises(Stale):
        agree(case, *ticked)
    assert case.fresh().status == "invited"


def test_a_choice_without_its_sealed_template_is_not_agreed_to(north: Firm) -> None:
    case = asked(north, *BOTH)
    offer = case.offer()
    for documents in (
        {**offer.documents, "choices": []},
        {**offer.documents, "choices": [{"keys": ["advice"], "template_sha256": "0" * 64}]},
    ):
        offer.documents = documents
        with tenancy.use(north.client_side), pytest.raises(Stale):
            consent_give(
                engagement=case.engagement,
                offer=offer,
                contact=north.contact,
                account_id=ACCOUNT_ID,
                shown=paper_shown(),
                evidence=EVIDENCE,
                signed_in_at=clock.now(),
                actor=acting(north.approver),
                choice=["advice"],
            )


# ---------------------------------------------------------------- what AWS has


@pytest.mark.parametrize("ticked", [(), ("history",), BOTH])
def test_the_agreed_template_is_the_one_that_is_linked_and_proved(
    north: Firm, memory: InMemory, ticked: tuple[str, ...]
) -> None:
    case = asked(north, *BOTH)
    agree(case, *ticked)
    with case.seen():
        assert selectors.quick_create_url(case.engagement) is None
    publish(case)
    with case.seen():
        for row in variants(case):
            variant_publish(variant_id=row.pk)
            variant_publish(variant_id=row.pk)
        agreed = template_agreed(offer_current(case.engagement))
        url = selectors.quick_create_url(case.engagement)
        assert render_template(spec_of(offer_current(case.engagement), case.grant())) == agreed.text
    assert url is not None
    assert agreed.version_id in url
    places = {version: text.decode() for (_, _, version), text in memory.fake.uploads.items()}
    assert places[agreed.version_id] == agreed.text
    assert len(places) == 4


def test_the_role_is_proved_to_be_the_chosen_one(north: Firm, world: World) -> None:
    case = asked(north, *BOTH)
    agree(case, "history")
    watch(case)
    world.deploy(case)
    check(case)
    assert case.grant().status == GrantStatus.VERIFIED


@pytest.mark.parametrize(("ticked", "built"), [((), ("history",)), (("history",), ()), (("history",), BOTH)])
def test_a_role_with_another_choice_is_none_that_was_agreed_to(
    north: Firm, memory: InMemory, ticked: tuple[str, ...], built: tuple[str, ...]
) -> None:
    case = asked(north, *BOTH)
    agree(case, *ticked)
    watch(case)
    with case.seen():
        grant, offer = case.grant(), case.offer()
        other = spec_from(with_choice(offer.documents, built), external_id=grant.external_id)
        memory.fake.make_role(grant.role_arn, expected_role(other, ACCOUNT_ID))
    check(case)
    assert case.grant().status == GrantStatus.DRIFTED


def test_a_publication_of_a_choice_is_recorded_once_and_refusals_are_told(
    north: Firm, memory: InMemory
) -> None:
    case = asked(north, "history")
    (row,) = variants(case)
    memory.door.fail("upload_template", AwsRejected("no such bucket"))
    with case.seen():
        with pytest.raises(outbox.Hopeless):
            variant_publish(variant_id=row.pk)
        assert variant_published(variant=row, version_id="v1", actor=TESTER)
        assert not variant_published(variant=row, version_id="v2", actor=TESTER)
    assert variants(case)[0].template_version_id == "v1"
    assert case.promised("awsaccess.publish_variant") == 1


# ---------------------------------------------------------------- drafts


def test_a_draft_may_offer_lines_of_its_profile_only(north: Firm) -> None:
    case = drafted(north)
    terms = Terms(
        title="Cost review",
        purpose="to look",
        profile="cost_review",
        ends_at=case.fresh().ends_at,
        account_id=ACCOUNT_ID,
        optional=("network",),
    )
    with tenancy.use(north.practice_side), pytest.raises(BadDraft, match="no such line"):
        engagement_edit(engagement=case.engagement, terms=terms, seen=draft_mark(case.fresh()), actor=TESTER)
    many = replace(terms, optional=tuple("abcde"))
    with tenancy.use(north.practice_side), pytest.raises(BadDraft, match="at most 4"):
        engagement_edit(engagement=case.engagement, terms=many, seen=draft_mark(case.fresh()), actor=TESTER)


def test_the_lines_that_are_offered_are_part_of_the_draft(north: Firm) -> None:
    case = drafted(north)
    before = draft_mark(case.fresh())
    terms = Terms(
        title="Cost review",
        purpose="to find out why the bill went up",
        profile="cost_review",
        ends_at=case.fresh().ends_at,
        account_id=ACCOUNT_ID,
        optional=BOTH,
    )
    with tenancy.use(north.practice_side):
        engagement_edit(engagement=case.engagement, terms=terms, seen=before, actor=TESTER)
    assert case.fresh().optional == list(BOTH)
    assert draft_mark(case.fresh()) != before
    (told,) = [details for kind, details in case.told() if kind == "engagement:engagement:edited"]
    assert told == {"new_optional": "advice, history"}


# ---------------------------------------------------------------- a practice's own profiles


def own_profile(firm: Firm, *, policy: str = SERVERS, over: PracticeProfile | None = None) -> PracticeProfile:
    line = DraftLine(title="See your servers", why="So we can see which ones are too big.", policy=policy)
    more = DraftLine(
        title="See your buckets", why="So we can see which ones cost most.", policy=BUCKETS, optional=True
    )
    draft = DraftProfile(
        title="Server check", kind=Kind.LOOK, summary="They can look at your servers.", lines=(line, more)
    )
    with tenancy.use(firm.practice_side):
        return practice_profile_save(practice=firm.practice, draft=draft, actor=acting(firm.owner), over=over)


def test_a_profile_of_their_own_is_asked_for_agreed_to_and_proved_like_a_shipped_one(
    north: Firm, world: World
) -> None:
    row = own_profile(north)
    case = offering(north, "line1", profile=row.code)
    send(case)
    agree(case, "line1")
    watch(case)
    world.deploy(case)
    check(case)
    assert case.grant().status == GrantStatus.VERIFIED
    with case.seen():
        template = template_agreed(offer_current(case.engagement)).text
    assert "ec2:Describe*" in template
    assert "s3:ListAllMyBuckets" in template


def test_a_profile_that_is_edited_or_retired_after_sending_changes_nothing_that_was_sent(north: Firm) -> None:
    row = own_profile(north)
    case = offering(north, profile=row.code)
    send(case)
    before = (case.offer().lines, case.offer().documents, case.offer().template, case.offer().offer_sha256)
    changed = own_profile(north, policy=SERVERS.replace("ec2:Describe*", "rds:Describe*"), over=row)
    with tenancy.use(north.practice_side):
        practice_profile_retire(row=changed, actor=TESTER)
        assert words.is_look_only(case.fresh())
    offer = case.offer()
    assert (offer.lines, offer.documents, offer.template, offer.offer_sha256) == before
    agree(case)
    with tenancy.use(north.practice_side):
        assert "ec2:Describe*" in template_agreed(offer_current(case.engagement)).text


def test_a_draft_of_a_retired_profile_is_not_sent(north: Firm) -> None:
    row = own_profile(north)
    case = offering(north, profile=row.code)
    with tenancy.use(north.practice_side):
        practice_profile_retire(row=row, actor=TESTER)
        with pytest.raises(NotReady, match="not offered any more"):
            engagement_send(engagement=case.engagement, actor=TESTER)
        assert not words.is_look_only(case.fresh())
        assert not Offer.objects.exists()


def test_what_another_practice_wrote_is_not_offered(north: Firm, harbour: Firm) -> None:
    row = own_profile(harbour)
    case = make_engagement_drafted(north)
    with tenancy.use(north.practice_side), pytest.raises(BadDraft, match="not offered"):
        engagement_edit(
            engagement=case,
            terms=Terms(title="x", purpose="y", profile=row.code, ends_at=clock.now().replace(year=2040)),
            seen=draft_mark(case),
            actor=TESTER,
        )


def test_publishing_twice_uploads_once(north: Firm, memory: InMemory) -> None:
    case = asked(north)
    publish(case)
    with case.seen():
        offer_publish(offer_id=case.offer().pk)
    assert len(memory.fake.uploads) == 1
