"""Each kind of news: what it is about, who hears of it, in which words, and until when it is true."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from accounts.lifecycle import HANDS, ContactRole
from engagements.emails import both_words, client_words, consultant_words, elsewhere, nudges, staff_words
from engagements.emails.links import live_link, opened_at
from engagements.emails.readers import (
    READERS,
    READERS_AND_HANDS,
    Reader,
    readers_at_client,
    readers_at_practice,
    readers_who_asked,
)
from engagements.emails.scenes import (
    Matter,
    Scene,
    is_on_it,
    matter_of_change,
    matter_of_closing,
    matter_of_consent,
    matter_of_doorbell,
    matter_of_engagement,
    matter_of_joining,
    matter_of_leaving,
    matter_of_referral,
    matter_of_remark,
    matter_of_trace,
    matter_of_wish,
)
from engagements.emails.words import Words
from engagements.lifecycle import (
    CHANGEABLE,
    KNOWN_TO_CLIENT,
    MOVABLE,
    OPEN_CHANGES,
    AssignmentRole,
    ChangeStatus,
    DoorbellStatus,
    EngagementStatus,
    WishStatus,
)
from engagements.models import (
    AccountWish,
    Assignment,
    Consent,
    Doorbell,
    Engagement,
    Remark,
    ScopeChange,
)
from engagements.reminding import (
    ENDS_SOON,
    UNANSWERED,
    UNCONNECTED,
    UNOPENED,
)
from portal.kernel import (
    clock,
    deliveries,
)

_S = EngagementStatus
APPROVERS: Final = frozenset({ContactRole.APPROVER})


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """One kind. `find` reads the matter, `is_true` asks whether it still holds, `words` may have none for a reader."""

    find: Callable[[UUID], Matter | None]
    is_true: Callable[[Engagement, dt.datetime], bool]
    readers: Callable[[Matter], list[Reader]]
    words: Callable[[Scene], Words | None]

    def matter(self, object_id: UUID, told_at: dt.datetime) -> Matter | None:
        """What it is about, as long as what was promised at `told_at` is still so."""
        found = self.find(object_id)
        return found if found is not None and self.is_true(found.engagement, told_at) else None


def _both_sides(roles: frozenset[ContactRole] = READERS) -> Callable[[Matter], list[Reader]]:
    def readers(matter: Matter) -> list[Reader]:
        engagement = matter.engagement
        return [*readers_at_client(engagement, roles), *readers_at_practice(engagement)]

    return readers


def _client_and_hands(matter: Matter) -> list[Reader]:
    """Who has something to do in AWS, and who reads along there."""
    return readers_at_client(matter.engagement, READERS_AND_HANDS)


def _key_first(scene: Scene) -> Words:
    return client_words.key_step(scene, is_first=True)


def _key_last(scene: Scene) -> Words:
    return client_words.key_step(scene, is_first=False)


def _practice(matter: Matter) -> list[Reader]:
    return readers_at_practice(matter.engagement)


def _who_agreed_and_practice(matter: Matter) -> list[Reader]:
    """The receipt is for whoever agreed, in whatever role they are by now, as long as they may come in."""
    contact = _consent(matter).contact
    is_here = contact.ended_at is None and contact.user.is_active
    own = [Reader(user=contact.user, is_client=True)] if is_here else []
    return [*own, *_practice(matter)]


def _receipt_or_agreed(scene: Scene) -> Words | None:
    """The receipt stays true; that the client agreed does not, once they took it back."""
    consent = _consent(scene.matter)
    if scene.reader.is_client:
        return client_words.receipt(scene, consent)
    return None if consent.withdrawn_at else consultant_words.agreed(scene, consent)


def _other_approvers(matter: Matter) -> list[Reader]:
    """Everybody who is asked or has agreed, but the one who agreed just now."""
    everybody = readers_at_client(matter.engagement, APPROVERS)
    return [one for one in everybody if one.user.pk != _consent(matter).contact.user_id]


def _who_asked(matter: Matter) -> list[Reader]:
    return readers_who_asked(matter.engagement)


def _asked(scene: Scene) -> Words:
    return consultant_words.question(scene, _remark(scene.matter))


def _answered(scene: Scene) -> Words:
    return client_words.answer(scene, _remark(scene.matter))


def _named(scene: Scene) -> Words:
    row = scene.matter.referral
    assert row is not None  # noqa: S101  # this kind of news is found by its referral
    return consultant_words.colleague(scene, row)


def _remark(matter: Matter) -> Remark:
    assert matter.remark is not None  # noqa: S101  # this kind of news is found by its remark
    return matter.remark


def _one_of_several(scene: Scene) -> Words | None:
    """As long as it is waited for: the others, or the step in AWS after the last of them."""
    change, is_on = scene.matter.change, scene.engagement.status in CHANGEABLE
    waits_for_stack = change is not None and not change.offer.other_account
    is_awaited = change.status in OPEN_CHANGES if change and waits_for_stack else not is_on
    return client_words.approved(scene, _consent(scene.matter)) if is_awaited else None


def _practice_and_others_who_were_asked(matter: Matter) -> list[Reader]:
    """Where several had to agree, one no ended it for all of them."""
    engagement = matter.engagement
    everybody = readers_at_client(engagement, APPROVERS) if engagement.approvals_needed > 1 else []
    return [*_practice(matter), *(one for one in everybody if one.user.pk != engagement.moved_by_id)]


def _consent(matter: Matter) -> Consent:
    assert matter.consent is not None  # noqa: S101  # this kind of news is found by its consent
    return matter.consent


def _clients_readers_and_staff(matter: Matter) -> list[Reader]:
    """The client's people, who works on it, and whoever it is about, as long as they are on it."""
    row = _assignment(matter)
    staff = readers_at_practice(matter.engagement)
    own = Reader(user=row.consultant, is_client=False)
    news_to_them = [own] if is_on_it(row) and own.key not in {one.key for one in staff} else []
    return [*readers_at_client(matter.engagement, READERS), *staff, *news_to_them]


def _joined(scene: Scene) -> Words:
    row = _assignment(scene.matter)
    if row.role == AssignmentRole.LEAD:
        beside = scene.matter.beside
        return staff_words.leads(scene, row, beside, stays=beside is not None and is_on_it(beside))
    return staff_words.joins(scene, row)


def _left(scene: Scene) -> Words:
    return staff_words.leaves(scene, _assignment(scene.matter))


def _assignment(matter: Matter) -> Assignment:
    assert matter.assignment is not None  # noqa: S101  # this kind of news is found by its assignment
    return matter.assignment


def _approvers(matter: Matter) -> list[Reader]:
    return readers_at_client(matter.engagement, frozenset({ContactRole.APPROVER}))


def _of_change(write: Callable[[Scene, ScopeChange], Words]) -> Callable[[Scene], Words]:
    def told(scene: Scene) -> Words:
        change = scene.matter.change
        assert change is not None  # noqa: S101  # this kind of news is found by its change
        return write(scene, change)

    return told


def _of_wish(write: Callable[[Scene, AccountWish], Words]) -> Callable[[Scene], Words]:
    def told(scene: Scene) -> Words:
        wish = scene.matter.wish
        assert wish is not None  # noqa: S101  # this kind of news is found by its wish
        return write(scene, wish)

    return told


def _both_sides_still_asked(matter: Matter) -> list[Reader]:
    """Whoever agreed already has answered."""
    engagement = matter.engagement
    given = Consent.objects.filter(engagement=engagement, withdrawn_at=None).values_list(
        "contact__user_id", flat=True
    )
    asked = [one for one in readers_at_client(engagement, APPROVERS) if one.user.pk not in set(given)]
    return [*asked, *readers_at_practice(engagement)]


def _practice_but_who_gets_none(matter: Matter) -> list[Reader]:
    """Who works on it, by addresses that take mail: else one that takes none would be told of itself."""
    return [one for one in readers_at_practice(matter.engagement) if not deliveries.fails(one.user.email)]


def _not_opened(scene: Scene) -> Words:
    return nudges.unopened(scene, *live_link(scene))


def _not_answered(scene: Scene) -> Words:
    return nudges.unanswered(scene, *live_link(scene))


def _came_back(scene: Scene) -> Words:
    contact, trace = scene.matter.bounced, scene.matter.trace
    assert contact is not None and trace is not None  # noqa: PT018, S101  # this kind of news is found by its trace
    return nudges.bounced(scene, contact, trace)


def _not_theirs(scene: Scene) -> Words:
    row = scene.matter.referral
    assert row is not None  # noqa: S101  # this kind of news is found by its referral
    return nudges.misdirected(scene, row)


def _runs(engagement: Engagement, _told_at: dt.datetime) -> bool:
    return engagement.status in {_S.ACTIVE, _S.PAUSED} and engagement.ends_at > clock.now()


def _is_unopened(engagement: Engagement, _told_at: dt.datetime) -> bool:
    return engagement.status == _S.INVITED and opened_at(engagement) is None


def _ring(matter: Matter) -> Doorbell:
    assert matter.doorbell is not None  # noqa: S101  # this kind of news is found by its ring
    return matter.doorbell


def _approvers_while_it_rings(matter: Matter) -> list[Reader]:
    """Nobody is called to the door for what was answered or is over."""
    is_open = _ring(matter).status == DoorbellStatus.RINGING
    return readers_at_client(matter.engagement, APPROVERS) if is_open else []


def _who_rang(matter: Matter) -> list[Reader]:
    """As long as they work on it."""
    own = _ring(matter).consultant_id
    return [one for one in readers_at_practice(matter.engagement) if one.user.pk == own]


def _rings(scene: Scene) -> Words:
    return client_words.rings(scene, _ring(scene.matter))


def _let_in(scene: Scene) -> Words:
    return consultant_words.door_answered(scene, _ring(scene.matter), let_in=True)


def _not_now(scene: Scene) -> Words:
    return consultant_words.door_answered(scene, _ring(scene.matter), let_in=False)


def _came_in(scene: Scene) -> Words:
    return both_words.came_in_unasked(scene, _ring(scene.matter))


def _always(_engagement: Engagement, _told_at: dt.datetime) -> bool:
    return True


def _is(*states: EngagementStatus) -> Callable[[Engagement, dt.datetime], bool]:
    def is_true(engagement: Engagement, _told_at: dt.datetime) -> bool:
        return engagement.status in states

    return is_true


def _is_since(state: EngagementStatus) -> Callable[[Engagement, dt.datetime], bool]:
    """The status holds, and no later pause came between: pausing and resuming may happen again and again, and
    each pause has its own mails."""

    def is_true(engagement: Engagement, told_at: dt.datetime) -> bool:
        paused_at = engagement.paused_at
        return engagement.status == state and (paused_at is None or paused_at <= told_at)

    return is_true


def _of_engagement(
    is_true: Callable[[Engagement, dt.datetime], bool],
    write: Callable[[Scene], Words],
    readers: Callable[[Matter], list[Reader]],
) -> News:
    return News(find=matter_of_engagement, is_true=is_true, readers=readers, words=write)


NEWS: Final[dict[str, News]] = {
    "engagements.receipt": News(
        find=matter_of_consent, is_true=_always, readers=_who_agreed_and_practice, words=_receipt_or_agreed
    ),
    "engagements.approved": News(
        find=matter_of_consent,
        is_true=_is(_S.INVITED, _S.AGREED, *CHANGEABLE),
        readers=_other_approvers,
        words=_one_of_several,
    ),
    "engagements.question": News(
        find=matter_of_remark, is_true=_is(*KNOWN_TO_CLIENT), readers=_practice, words=_asked
    ),
    "engagements.answer": News(
        find=matter_of_remark, is_true=_is(*KNOWN_TO_CLIENT), readers=_who_asked, words=_answered
    ),
    "engagements.colleague": News(
        find=matter_of_referral, is_true=_is(_S.INVITED), readers=_practice, words=_named
    ),
    "engagements.declined": _of_engagement(
        _is(_S.DECLINED), both_words.declined, _practice_and_others_who_were_asked
    ),
    "engagements.access_on": _of_engagement(_is_since(_S.ACTIVE), both_words.access_on, _both_sides()),
    "engagements.paused": _of_engagement(_is_since(_S.PAUSED), both_words.paused, _both_sides()),
    "engagements.resumed": _of_engagement(_is_since(_S.ACTIVE), both_words.resumed, _both_sides()),
    "engagements.problem": _of_engagement(
        _is(_S.AGREED, _S.ACTIVE, _S.PAUSED), both_words.problem, _both_sides(READERS_AND_HANDS)
    ),
    "engagements.not_switched_on": _of_engagement(
        _is(_S.AGREED), both_words.not_switched_on, _both_sides(READERS_AND_HANDS)
    ),
    "engagements.key_add": _of_engagement(_is(_S.ACTIVE, _S.PAUSED), _key_first, _client_and_hands),
    "engagements.key_drop": _of_engagement(_is(_S.ACTIVE, _S.PAUSED), _key_last, _client_and_hands),
    "engagements.key_done": _of_engagement(
        _is(_S.ACTIVE, _S.PAUSED), both_words.key_done, _both_sides(READERS_AND_HANDS)
    ),
    "engagements.ended": _of_engagement(_is(_S.CLOSING), both_words.ended, _both_sides(READERS_AND_HANDS)),
    "engagements.person_added": News(
        find=matter_of_joining,
        is_true=_is(*KNOWN_TO_CLIENT),
        readers=_clients_readers_and_staff,
        words=_joined,
    ),
    "engagements.person_left": News(
        find=matter_of_leaving, is_true=_is(*KNOWN_TO_CLIENT), readers=_clients_readers_and_staff, words=_left
    ),
    "engagements.change_asked": News(
        find=matter_of_change(ChangeStatus.ASKED),
        is_true=_is(*CHANGEABLE),
        readers=_approvers,
        words=_of_change(client_words.change_asked),
    ),
    "engagements.account_wished": News(
        find=matter_of_wish(WishStatus.ASKED),
        is_true=_is(*MOVABLE),
        readers=_practice,
        words=_of_wish(elsewhere.wished),
    ),
    "engagements.account_refused": News(
        find=matter_of_wish(WishStatus.REFUSED),
        is_true=_is(*MOVABLE),
        readers=_approvers,
        words=_of_wish(elsewhere.refused),
    ),
    "engagements.account_asked": News(
        find=matter_of_change(ChangeStatus.ASKED),
        is_true=_is(*MOVABLE),
        readers=_approvers,
        words=_of_change(elsewhere.asked),
    ),
    "engagements.change_declined": News(
        find=matter_of_change(ChangeStatus.DECLINED),
        is_true=_is(*MOVABLE, *CHANGEABLE),
        readers=_practice,
        words=_of_change(consultant_words.change_declined),
    ),
    "engagements.changed": News(
        find=matter_of_change(ChangeStatus.IN_FORCE),
        is_true=_is(*CHANGEABLE),
        readers=_both_sides(),
        words=_of_change(both_words.changed),
    ),
    "engagements.closed": News(
        find=matter_of_closing, is_true=_is(_S.CLOSED), readers=_both_sides(), words=both_words.closed
    ),
    "engagements.rang": News(
        find=matter_of_doorbell, is_true=_is(_S.ACTIVE), readers=_approvers_while_it_rings, words=_rings
    ),
    "engagements.let_in": News(
        find=matter_of_doorbell, is_true=_is(_S.ACTIVE), readers=_who_rang, words=_let_in
    ),
    "engagements.not_now": News(find=matter_of_doorbell, is_true=_always, readers=_who_rang, words=_not_now),
    "engagements.came_in": News(
        find=matter_of_doorbell, is_true=_always, readers=_both_sides(), words=_came_in
    ),
    "engagements.order_arrived": _of_engagement(_is(_S.DRAFT), consultant_words.order_arrived, _practice),
    "engagements.misdirected": News(
        find=matter_of_referral, is_true=_is(*KNOWN_TO_CLIENT), readers=_practice, words=_not_theirs
    ),
    ENDS_SOON: _of_engagement(_runs, nudges.ends_soon, _both_sides(APPROVERS)),
    UNOPENED: _of_engagement(_is_unopened, _not_opened, _both_sides_still_asked),
    UNANSWERED: _of_engagement(_is(_S.INVITED), _not_answered, _both_sides_still_asked),
    UNCONNECTED: _of_engagement(_is(_S.AGREED), nudges.unconnected, _both_sides(HANDS)),
    deliveries.CHANGED: News(
        find=matter_of_trace,
        is_true=_is(*KNOWN_TO_CLIENT),
        readers=_practice_but_who_gets_none,
        words=_came_back,
    ),
}
