"""Who works on what, and how people leave: what ends with them, who is told, and who may not go yet."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.contrib.auth import get_user
from django.test import Client as Browser
from django.test import RequestFactory

from accounts.lifecycle import AccountEvent, ContactRole, MemberRole
from accounts.models import Contact, Invitation, Membership, User
from accounts.services.invitations import invitation_make
from accounts.services.people import LastOwner, Person, contact_add, membership_add
from engagements.lifecycle import AssignmentRole, EngagementEvent, EngagementStatus
from engagements.models import Assignment, Engagement
from engagements.selectors import assignments_of, lead_of, offer_current, staffing_of
from engagements.services.closing import engagement_end
from engagements.services.consents import consent_give, engagement_decline
from engagements.services.drafts import BadDraft, Span, Terms, draft_mark, engagement_edit
from engagements.services.moves import engagement_cancel
from engagements.services.pauses import engagement_resume
from engagements.services.people import (
    BadTime,
    NeedsLead,
    assignment_end,
    assignment_make,
    assignment_over,
    contact_change_role,
    contact_end,
    lead_hand_over,
    membership_change_role,
    membership_end,
)
from engagements.tasks import part_over
from portal.kernel import audit, clock, due, tenancy
from portal.kernel.errors import InvalidMove, NotAllowed, PortalError, Stale
from portal.kernel.models import AuditEvent, AuditHead, OutboxMessage
from tests.engagements.records import as_stored, everything, kinds, refused
from tests.engagements.test_races import at_once
from tests.factories import (
    EVIDENCE,
    Firm,
    acting,
    give_consent,
    make_consultant,
    make_contact,
    make_engagement_active,
    make_engagement_agreed,
    make_engagement_closed,
    make_engagement_drafted,
    make_engagement_invited,
    make_engagement_paused,
    make_firm,
    paper_shown,
)

MEMBER, OBSERVER, LEAD = AssignmentRole.MEMBER, AssignmentRole.OBSERVER, AssignmentRole.LEAD
ROUNDS = 4


def assign(
    firm: Firm,
    engagement: Engagement,
    who: User,
    role: AssignmentRole = MEMBER,
    span: Span | None = None,
) -> Assignment:
    with tenancy.use(firm.practice_side):
        return assignment_make(
            engagement=engagement, consultant=who, role=role, span=span or Span(), actor=acting(firm.owner)
        )


def take_off(firm: Firm, row: Assignment) -> None:
    with tenancy.use(firm.practice_side):
        assignment_end(assignment=row, actor=acting(firm.owner))


def hand_over(firm: Firm, engagement: Engagement, to: User) -> None:
    with tenancy.use(firm.practice_side):
        lead_hand_over(engagement=engagement, to=to, actor=acting(firm.owner))


def place_of(firm: Firm, user: User) -> Membership:
    with tenancy.use(firm.practice_side):
        return Membership.objects.select_related("user").get(user=user)


def leave(firm: Firm, user: User, *, successor: User | None = None) -> None:
    place = place_of(firm, user)
    with tenancy.use(firm.practice_side):
        membership_end(membership=place, successor=successor, actor=acting(firm.owner))


def become(firm: Firm, user: User, role: MemberRole, *, successor: User | None = None) -> None:
    place = place_of(firm, user)
    with tenancy.use(firm.practice_side):
        membership_change_role(membership=place, role=role, successor=successor, actor=acting(firm.owner))


def dismiss(firm: Firm, contact: Contact) -> None:
    with tenancy.use(firm.practice_side):
        contact_end(contact=contact, actor=acting(firm.owner))


def names(firm: Firm, engagement: Engagement) -> list[tuple[str, str]]:
    with tenancy.use(firm.practice_side):
        return [(row.consultant.name, row.role) for row in assignments_of(engagement)]


def told(firm: Firm, kind: str) -> int:
    with tenancy.use(firm.practice_side):
        return OutboxMessage.objects.filter(kind=kind).count()


def is_signed_in(browser: Browser) -> bool:
    request = RequestFactory().get("/")
    request.session = browser.session
    return bool(get_user(request).is_authenticated)


def assert_chain_holds(firm: Firm) -> None:
    with tenancy.use(firm.practice_side):
        events = list(AuditEvent.objects.order_by("seq"))
        assert audit.first_fault(events, head=AuditHead.objects.get()) is None


def time_of(monkeypatch: pytest.MonkeyPatch, *moments: dt.datetime) -> None:
    """The clock as the service reads it, glance by glance; the last one stays."""
    left = list(moments)
    monkeypatch.setattr(clock, "now", lambda: left.pop(0) if len(left) > 1 else left[0])


# Coming onto an engagement.


@pytest.mark.parametrize("role", [MEMBER, OBSERVER])
def test_onto_a_draft_people_come_without_a_word_to_the_client(north: Firm, role: AssignmentRole) -> None:
    engagement = make_engagement_drafted(north)
    assign(north, engagement, make_consultant(north, "ben"), role)
    assert names(north, engagement) == [("Maya Okafor", "lead"), ("Ben", role)]
    assert told(north, "engagements.person_added") == 0
    assert kinds(north, engagement)[-1] == EngagementEvent.ASSIGNED


@pytest.mark.parametrize(
    "make", [make_engagement_invited, make_engagement_agreed, make_engagement_active, make_engagement_paused]
)
def test_onto_what_the_client_knows_people_come_and_the_client_is_told(
    north: Firm, make: Callable[[Firm], Engagement]
) -> None:
    engagement = make(north)
    row = assign(north, engagement, make_consultant(north, "ben"))
    with tenancy.use(north.practice_side):
        promise = OutboxMessage.objects.get(kind="engagements.person_added")
    assert (promise.object_id, promise.client_id) == (row.pk, north.client.pk)
    with tenancy.use(north.client_side):
        assert [one.consultant.name for one in assignments_of(engagement)] == ["Maya Okafor", "Ben"]


def test_nobody_comes_onto_what_is_over(north: Firm) -> None:
    engagement, ben = make_engagement_closed(north), make_consultant(north, "ben")
    with refused(north, InvalidMove):
        assign(north, engagement, ben)
    drafted = make_engagement_drafted(north)
    with tenancy.use(north.practice_side):
        engagement_cancel(engagement=drafted, actor=acting(north.owner))
    with refused(north, InvalidMove):
        assign(north, drafted, ben)


def test_nobody_is_on_it_twice_nor_leads_beside_the_lead(north: Firm) -> None:
    engagement, ben = make_engagement_active(north), make_consultant(north, "ben")
    assign(north, engagement, ben)
    with refused(north, InvalidMove):
        assign(north, engagement, ben, OBSERVER)
    with refused(north, NeedsLead):
        assign(north, engagement, make_consultant(north, "ida"), LEAD)


def test_only_people_who_work_at_the_practice_come(north: Firm, harbour: Firm) -> None:
    engagement, gone = make_engagement_active(north), make_consultant(north, "ben")
    leave(north, gone)
    auditor = make_consultant(north, "ada", MemberRole.AUDITOR)
    for stranger in (gone, auditor, harbour.owner, north.approver):
        with refused(north, NotAllowed):
            assign(north, engagement, stranger)
        with refused(north, NotAllowed):
            hand_over(north, engagement, stranger)


def test_a_part_has_a_from_and_an_until(north: Firm) -> None:
    engagement, ben, now = make_engagement_active(north), make_consultant(north, "ben"), clock.now()
    span = Span(starts_at=now + dt.timedelta(days=1), ends_at=now + dt.timedelta(days=2))
    row = assign(north, engagement, ben, span=span)
    assert (row.starts_at, row.ends_at) == (span.starts_at, span.ends_at)
    for bad in (
        Span(starts_at=now - dt.timedelta(days=1)),
        Span(ends_at=now),
        Span(starts_at=span.ends_at, ends_at=span.starts_at),
    ):
        with refused(north, BadTime):
            assign(north, engagement, make_consultant(north, f"x{bad.ends_at}".replace(" ", "")), span=bad)


def test_a_part_whose_time_is_over_is_over_by_itself(north: Firm) -> None:
    engagement, ben = make_engagement_active(north), make_consultant(north, "ben")
    row = assign(north, engagement, ben)
    with tenancy.use(north.practice_side):
        Assignment.objects.filter(pk=row.pk).update(ends_at=clock.now() - dt.timedelta(seconds=1))
    assert names(north, engagement) == [("Maya Okafor", "lead")]
    assign(north, engagement, ben)
    assert names(north, engagement) == [("Maya Okafor", "lead"), ("Ben", "member")]


def test_a_planned_end_is_told_to_record_and_client_when_it_comes_and_once(north: Firm) -> None:
    engagement, ben = make_engagement_active(north), make_consultant(north, "ben")
    row = assign(north, engagement, ben, span=Span(ends_at=clock.now() + dt.timedelta(days=1)))
    with tenancy.use(north.practice_side):
        assert due.next_look("assignment.over", row.pk) == row.ends_at
        Assignment.objects.filter(pk=row.pk).update(ends_at=clock.now() - dt.timedelta(seconds=1))
        for _ in range(2):
            part_over(turn_of("assignment.over", row))
        assert OutboxMessage.objects.filter(kind="engagements.person_left", object_id=row.pk).count() == 1
        ended = AuditEvent.objects.filter(kind=EngagementEvent.UNASSIGNED)
        assert [one.actor for one in ended] == ["system:assignments"]
        assert due.next_look("assignment.over", row.pk) is None


def test_a_part_that_ended_before_or_whose_project_is_over_needs_no_telling(north: Firm) -> None:
    engagement, ben = make_engagement_active(north), make_consultant(north, "ben")
    row = assign(north, engagement, ben, span=Span(ends_at=clock.now() + dt.timedelta(days=1)))
    with tenancy.use(north.practice_side):
        assignment_end(assignment=row, actor=acting(north.owner))
        assert due.next_look("assignment.over", row.pk) is None
        part_over(turn_of("assignment.over", row))
        assert AuditEvent.objects.filter(kind=EngagementEvent.UNASSIGNED).count() == 1
        assignment_over(assignment_id=engagement.pk)  # no assignment at all
    drafted = make_engagement_drafted(north)
    late = assign(north, drafted, ben, span=Span(ends_at=clock.now() + dt.timedelta(days=1)))
    with tenancy.use(north.practice_side):
        engagement_cancel(engagement=drafted, actor=acting(north.owner))
        part_over(turn_of("assignment.over", late))
        assert AuditEvent.objects.filter(kind=EngagementEvent.UNASSIGNED).count() == 1


def turn_of(kind: str, row: Assignment) -> due.Turn:
    """As the worker's sweep would hand it on."""
    return due.Turn(
        due_id=1,
        lease_id=row.pk,
        practice_id=row.practice_id,
        client_id=row.client_id,
        kind=kind,
        object_id=row.pk,
        attempts=1,
    )


# Going off it.


def test_who_is_taken_off_is_off_at_once_and_told_of(north: Firm) -> None:
    engagement, ben = make_engagement_active(north), make_consultant(north, "ben")
    row = assign(north, engagement, ben)
    take_off(north, row)
    assert names(north, engagement) == [("Maya Okafor", "lead")]
    assert told(north, "engagements.person_left") == 1
    assert kinds(north, engagement)[-1] == EngagementEvent.UNASSIGNED
    with refused(north, InvalidMove):
        take_off(north, row)


def test_who_comes_back_has_a_row_of_their_own(north: Firm) -> None:
    engagement, ben = make_engagement_active(north), make_consultant(north, "ben")
    take_off(north, assign(north, engagement, ben))
    assign(north, engagement, ben)
    with tenancy.use(north.practice_side):
        assert [vars(row)["is_over"] for row in staffing_of(engagement) if row.consultant == ben] == [
            True,
            False,
        ]


def test_what_had_not_begun_never_was(north: Firm) -> None:
    engagement, tomorrow = make_engagement_active(north), clock.now() + dt.timedelta(days=1)
    row = assign(north, engagement, make_consultant(north, "ben"), span=Span(starts_at=tomorrow))
    take_off(north, row)
    with tenancy.use(north.practice_side):
        kept = Assignment.objects.get(pk=row.pk)
    assert kept.ends_at == kept.starts_at


def test_the_lead_is_not_taken_off(north: Firm) -> None:
    engagement = make_engagement_active(north)
    with tenancy.use(north.practice_side):
        (row,) = assignments_of(engagement)
    with refused(north, NeedsLead):
        take_off(north, row)


@pytest.mark.parametrize("before", [None, MEMBER, OBSERVER])
def test_the_lead_is_handed_over_and_who_led_works_on(north: Firm, before: AssignmentRole | None) -> None:
    engagement, ben = make_engagement_active(north), make_consultant(north, "ben")
    if before:
        assign(north, engagement, ben, before)
    mails = told(north, "engagements.person_added")
    hand_over(north, engagement, ben)
    assert names(north, engagement) == [("Ben", "lead"), ("Maya Okafor", "member")]
    assert told(north, "engagements.person_added") == mails + 1
    assert told(north, "engagements.person_left") == 0
    with refused(north, InvalidMove):
        hand_over(north, engagement, ben)


# Leaving the practice.


def test_where_the_leads_time_ran_out_somebody_takes_over(north: Firm) -> None:
    engagement, ben = make_engagement_active(north), make_consultant(north, "ben")
    with tenancy.use(north.practice_side):
        Assignment.objects.filter(engagement=engagement).update(ends_at=clock.now())
    hand_over(north, engagement, ben)
    assert names(north, engagement) == [("Ben", "lead")]


def test_a_part_that_ran_out_while_somebody_took_it_away_stays_as_it_was(
    north: Firm, monkeypatch: pytest.MonkeyPatch
) -> None:
    engagement = make_engagement_active(north)
    until = clock.now() + dt.timedelta(days=1)
    row = assign(north, engagement, make_consultant(north, "ben"), span=Span(ends_at=until))
    before = everything(north)
    time_of(monkeypatch, until - dt.timedelta(seconds=1), until)
    with pytest.raises(InvalidMove):
        take_off(north, row)
    assert everything(north) == before


def test_a_part_that_ran_out_while_its_person_left_is_not_ended_again(
    north: Firm, monkeypatch: pytest.MonkeyPatch
) -> None:
    engagement, ben = make_engagement_active(north), make_consultant(north, "ben")
    until = clock.now() + dt.timedelta(days=1)
    row = assign(north, engagement, ben, span=Span(ends_at=until))
    place = place_of(north, ben)
    with tenancy.use(north.practice_side), monkeypatch.context() as patched:
        time_of(patched, until - dt.timedelta(seconds=1), until)
        membership_end(membership=place, actor=acting(north.owner))
    with tenancy.use(north.practice_side):
        assert Assignment.objects.get(pk=row.pk).ends_at == until
    assert told(north, "engagements.person_left") == 0


def test_leaving_ends_place_assignments_and_sessions_at_once(north: Firm) -> None:
    ben, browser = make_consultant(north, "ben"), Browser()
    browser.force_login(ben)
    active, drafted = make_engagement_active(north), make_engagement_drafted(north)
    for engagement in (active, drafted):
        assign(north, engagement, ben)
    assert is_signed_in(browser)
    leave(north, ben)
    assert not is_signed_in(browser)
    assert place_of(north, ben).ended_at is not None
    assert names(north, active) == names(north, drafted) == [("Maya Okafor", "lead")]
    assert told(north, "engagements.person_left") == 1  # of the draft, the client knows nothing
    with tenancy.use(north.practice_side):
        assert AuditEvent.objects.order_by("-seq").values_list("kind", flat=True)[0] == (
            AccountEvent.MEMBERSHIP_ENDED
        )
    assert_chain_holds(north)


def test_leaving_signs_nobody_else_out(north: Firm) -> None:
    ben, browser = make_consultant(north, "ben"), Browser()
    browser.force_login(north.owner)
    leave(north, ben)
    assert is_signed_in(browser)


def test_whoever_leads_something_that_runs_needs_somebody_after_them(north: Firm) -> None:
    ben, ida = make_consultant(north, "ben"), make_consultant(north, "ida")
    engagement = make_engagement_active(north)
    hand_over(north, engagement, ben)
    for nobody in (None, ben):
        with refused(north, NeedsLead):
            leave(north, ben, successor=nobody)
    leave(north, ben, successor=ida)
    assert names(north, engagement) == [("Ida", "lead"), ("Maya Okafor", "member")]
    with tenancy.use(north.practice_side):
        assert lead_of(engagement) == ida


def test_what_is_over_needs_no_lead(north: Firm) -> None:
    ben, ida = make_consultant(north, "ben"), make_consultant(north, "ida", MemberRole.OWNER)
    engagement = make_engagement_closed(north)
    leave(north, north.owner)
    assert names(north, engagement) == []
    leave(north, ben)
    assert place_of(north, ida).ended_at is None


def test_the_last_owner_stays(north: Firm) -> None:
    make_consultant(north, "ben")
    with refused(north, LastOwner):
        leave(north, north.owner)
    with refused(north, LastOwner):
        become(north, north.owner, MemberRole.CONSULTANT)
    ida = make_consultant(north, "ida", MemberRole.OWNER)
    become(north, north.owner, MemberRole.CONSULTANT)
    with refused(north, LastOwner):
        leave(north, ida)


def test_who_left_does_not_leave_again(north: Firm) -> None:
    ben = make_consultant(north, "ben")
    leave(north, ben)
    with refused(north, InvalidMove):
        leave(north, ben)
    with refused(north, InvalidMove):
        become(north, ben, MemberRole.AUDITOR)


def test_an_auditor_has_no_part_in_anything(north: Firm) -> None:
    ben, engagement = make_consultant(north, "ben"), make_engagement_active(north)
    assign(north, engagement, ben)
    become(north, ben, MemberRole.OWNER)
    assert ("Ben", "member") in names(north, engagement)
    become(north, ben, MemberRole.AUDITOR)
    assert names(north, engagement) == [("Maya Okafor", "lead")]
    with refused(north, InvalidMove):
        become(north, ben, MemberRole.AUDITOR)


def test_who_left_the_practice_comes_back_to_the_same_place(north: Firm) -> None:
    ben = make_consultant(north, "ben")
    place = place_of(north, ben)
    leave(north, ben)
    with tenancy.use(north.practice_side):
        again = membership_add(
            practice=north.practice,
            person=Person(email=ben.email, name="Ben"),
            role=MemberRole.AUDITOR,
            actor=acting(north.owner),
        )
    assert (again.pk, again.role, again.ended_at) == (place.pk, MemberRole.AUDITOR, None)


# Leaving the client.


def test_a_contact_who_leaves_takes_links_and_sessions_along(north: Firm) -> None:
    ann, browser = make_contact(north, "ann", ContactRole.VIEWER), Browser()
    browser.force_login(ann.user)
    with tenancy.use(north.practice_side):
        invitation_make(contact=ann, landing_path="/e/x/", invited_by=north.owner, actor=acting(north.owner))
    dismiss(north, ann)
    assert not is_signed_in(browser)
    with tenancy.use(north.practice_side):
        assert Contact.objects.get(pk=ann.pk).ended_at is not None
        assert Invitation.objects.get(contact=ann).replaced_at is not None
    with refused(north, InvalidMove):
        dismiss(north, ann)


def test_an_approver_who_left_decides_nothing_any_more(north: Firm) -> None:
    engagement, paused = make_engagement_invited(north), make_engagement_paused(north)
    dismiss(north, north.contact)
    with refused(north, NotAllowed):
        give_consent(north, engagement)
    with refused(north, NotAllowed), tenancy.use(north.client_side):
        engagement_decline(
            engagement=engagement, contact=north.contact, reason="", actor=acting(north.approver)
        )
    with refused(north, NotAllowed), tenancy.use(north.client_side):
        engagement_resume(engagement=paused, actor=acting(north.approver))


def test_another_role_holds_at_once(north: Firm) -> None:
    engagement = make_engagement_invited(north)
    with tenancy.use(north.practice_side):
        contact_change_role(contact=north.contact, role=ContactRole.VIEWER, actor=acting(north.owner))
    with refused(north, NotAllowed):
        give_consent(north, engagement)
    with refused(north, InvalidMove), tenancy.use(north.practice_side):
        contact_change_role(contact=north.contact, role=ContactRole.VIEWER, actor=acting(north.owner))


def test_what_was_agreed_stays_agreed(north: Firm) -> None:
    engagement = make_engagement_active(north)
    dismiss(north, north.contact)
    assert as_stored(north, engagement).status == EngagementStatus.ACTIVE


def test_a_contact_who_left_comes_back_to_the_same_seat(north: Firm) -> None:
    dismiss(north, north.contact)
    person = Person(email=north.approver.email, name="Sam Carter")
    with tenancy.use(north.practice_side):
        again = contact_add(
            client=north.client, person=person, role=ContactRole.VIEWER, actor=acting(north.owner)
        )
        assert (again.pk, again.role, again.ended_at) == (north.contact.pk, "viewer", None)
    with refused(north, InvalidMove), tenancy.use(north.practice_side):
        contact_add(client=north.client, person=person, role=ContactRole.VIEWER, actor=acting(north.owner))


def test_a_client_sends_nobody_of_the_practice_away(north: Firm) -> None:
    place = place_of(north, make_consultant(north, "ben"))
    before = everything(north)
    with tenancy.use(north.client_side), pytest.raises(PortalError):
        membership_end(membership=place, actor=acting(north.approver))
    with tenancy.use(north.client_side), pytest.raises(PortalError):
        contact_end(contact=north.contact, actor=acting(north.approver))
    assert everything(north) == before


def test_another_practice_moves_none_of_our_people(north: Firm, harbour: Firm) -> None:
    place, before = place_of(north, make_consultant(north, "ben")), everything(north)
    with tenancy.use(harbour.practice_side):
        with pytest.raises(InvalidMove):
            membership_end(membership=place, actor=acting(harbour.owner))
        with pytest.raises(PortalError):
            contact_end(contact=north.contact, actor=acting(harbour.owner))
    assert everything(north) == before
    assert place_of(north, place.user).ended_at is None


# Drafts.


def terms(**over: Any) -> Terms:  # Any: fields of several types
    ends_at = clock.now() + dt.timedelta(days=5)
    wanted: dict[str, Any] = {
        "title": "Security check",
        "purpose": "To see which doors are open.",
        "profile": "security_audit",
    }
    return Terms(ends_at=ends_at, optional=(), **{**wanted, **over})


def edit(firm: Firm, engagement: Engagement, wanted: Terms, *, seen: str = "") -> Engagement:
    with tenancy.use(firm.practice_side):
        return engagement_edit(
            engagement=engagement,
            terms=wanted,
            seen=seen or draft_mark(engagement),
            actor=acting(firm.owner),
        )


def test_a_draft_is_written_anew(north: Firm) -> None:
    engagement = make_engagement_drafted(north)
    edit(north, engagement, terms(profile="cost_review", account_name="Main"))
    row = as_stored(north, engagement)
    assert (row.title, row.purpose) == ("Security check", "to see which doors are open")
    assert (row.account_id, row.account_name, row.status) == ("", "Main", EngagementStatus.DRAFT)
    assert kinds(north, engagement)[-1] == EngagementEvent.EDITED


def test_saving_what_is_there_already_says_nothing(north: Firm) -> None:
    engagement = make_engagement_drafted(north)
    wanted = terms(profile="cost_review")
    before = kinds(north, edit(north, engagement, wanted))
    edit(north, as_stored(north, engagement), wanted)
    assert kinds(north, engagement) == before


def test_what_somebody_else_saved_meanwhile_is_not_overwritten(north: Firm) -> None:
    engagement = make_engagement_drafted(north)
    edit(north, engagement, terms(profile="cost_review"))
    with refused(north, Stale):
        edit(north, engagement, terms(profile="cost_review", title="Mine"))


def test_what_was_sent_is_not_edited(north: Firm) -> None:
    engagement = make_engagement_invited(north)
    with refused(north, InvalidMove):
        edit(north, engagement, terms(profile="cost_review"))


def test_a_draft_that_nobody_could_agree_to_is_not_saved(north: Firm) -> None:
    engagement = make_engagement_drafted(north)
    with refused(north, BadDraft):
        edit(north, engagement, terms(profile="administrator"))
    late = Terms(title="x", purpose="y", profile="cost_review", ends_at=clock.now())
    with refused(north, BadDraft):
        edit(north, engagement, late)


# Races, on real connections.


@pytest.fixture
def firm(real_db: None) -> Firm:
    return make_firm("north")


def test_of_an_approvers_yes_and_their_end_each_is_whole(firm: Firm) -> None:
    for _ in range(ROUNDS):
        engagement = make_engagement_invited(firm)
        contact = make_contact(firm, f"ann{engagement.code}", ContactRole.APPROVER)

        def agree(firm: Firm, seen: Engagement, contact: Contact = contact) -> None:
            with tenancy.use(firm.client_side):
                consent_give(
                    engagement=seen,
                    offer=offer_current(seen),
                    contact=contact,
                    account_id=seen.account_id,
                    shown=paper_shown(),
                    evidence=EVIDENCE,
                    signed_in_at=clock.now(),
                    actor=acting(contact.user),
                )

        def end(firm: Firm, _seen: Engagement, contact: Contact = contact) -> None:
            dismiss(firm, contact)

        agreed, ended = at_once(firm, engagement, agree, end)
        assert ended == "done"
        assert agreed in {"done", "NotAllowed"}
        with tenancy.use(firm.practice_side):
            given = list(engagement.consents.values_list("given_at", flat=True))
            left_at = Contact.objects.get(pk=contact.pk).ended_at
        assert left_at is not None
        assert [at < left_at for at in given] == ([True] if agreed == "done" else [])
    assert_chain_holds(firm)


def test_two_owners_who_send_each_other_away_leave_one(firm: Firm) -> None:
    engagement = make_engagement_closed(firm)
    for number in range(ROUNDS):
        pair = [make_consultant(firm, f"o{number}{side}", MemberRole.OWNER) for side in "ab"]
        places = [place_of(firm, user) for user in pair]
        with tenancy.use(firm.practice_side):
            Membership.objects.exclude(pk__in=[place.pk for place in places]).update(role="consultant")

        def go(_firm: Firm, _seen: Engagement, place: Membership) -> None:
            with tenancy.use(firm.practice_side):
                membership_end(membership=place, actor=acting(firm.owner))

        acts = [partial(go, place=place) for place in places]
        assert sorted(at_once(firm, engagement, *acts)) == ["LastOwner", "done"]
    assert_chain_holds(firm)


def test_nobody_is_put_on_anything_while_they_leave(firm: Firm) -> None:
    engagement = make_engagement_active(firm)
    for number in range(ROUNDS):
        ben = make_consultant(firm, f"ben{number}")

        def put(firm: Firm, seen: Engagement, ben: User = ben) -> None:
            assign(firm, seen, ben)

        def go(firm: Firm, _seen: Engagement, ben: User = ben) -> None:
            leave(firm, ben)

        came, went = at_once(firm, engagement, put, go)
        assert went == "done"
        assert came in {"done", "NotAllowed"}
        assert names(firm, engagement) == [("Maya Okafor", "lead")]
    assert_chain_holds(firm)


def test_one_person_is_put_on_it_once_and_one_leads(firm: Firm) -> None:
    engagement = make_engagement_active(firm)
    ben, ida = make_consultant(firm, "ben"), make_consultant(firm, "ida")

    def put(firm: Firm, seen: Engagement) -> None:
        assign(firm, seen, ben)

    assert sorted(at_once(firm, engagement, put, put, put)) == ["InvalidMove", "InvalidMove", "done"]

    def lead(firm: Firm, seen: Engagement, to: User) -> None:
        hand_over(firm, seen, to)

    at_once(firm, engagement, partial(lead, to=ben), partial(lead, to=ida))
    assert [role for _name, role in names(firm, engagement)] == ["lead", "member", "member"]
    assert_chain_holds(firm)


def test_of_two_who_edit_one_draft_one_is_told_to_look_again(firm: Firm) -> None:
    for _ in range(ROUNDS):
        engagement = make_engagement_drafted(firm)

        def save(firm: Firm, seen: Engagement, title: str) -> None:
            edit(firm, seen, terms(profile="cost_review", title=title))

        acts = [partial(save, title=title) for title in ("One", "Two")]
        assert sorted(at_once(firm, engagement, *acts)) == ["Stale", "done"]
    assert_chain_holds(firm)


def test_a_contact_who_ends_the_access_while_they_leave_harms_nothing(firm: Firm) -> None:
    engagement = make_engagement_active(firm)

    def end(firm: Firm, seen: Engagement) -> None:
        with tenancy.use(firm.client_side):
            engagement_end(engagement=seen, actor=acting(firm.approver))

    def go(firm: Firm, _seen: Engagement) -> None:
        dismiss(firm, firm.contact)

    assert at_once(firm, engagement, end, go) == ["done", "done"]
    assert as_stored(firm, engagement).status == EngagementStatus.CLOSING
