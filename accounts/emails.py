"""The mails of this app, and the links in them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext

from accounts.lifecycle import AccountEvent, ContactRole, MemberRole
from accounts.models import Contact, Invitation, Membership, User
from portal.kernel import checkpoints, mail, secrets
from portal.kernel.models import AuditBody, AuditCheckpoint

GONE: Final = frozenset({AccountEvent.CONTACT_ENDED, AccountEvent.MEMBERSHIP_ENDED})
MOVED: Final = frozenset({AccountEvent.CONTACT_CHANGED, AccountEvent.MEMBERSHIP_CHANGED})
TOKEN_PURPOSE: Final = "invitation"  # noqa: S105  # names a use, is no secret


def invitation_url(invitation: Invitation) -> str:
    """The link of an invitation, worked out anew each time: only its SHA-256 is stored.

    Raises secrets.Unreadable when the key it was made with is no longer configured.
    """
    for token in secrets.tokens(TOKEN_PURPOSE, invitation.pk.bytes):
        if secrets.fingerprint(token) == invitation.token_sha256:
            return f"{settings.SITE_URL}/i/{token}/"
    raise secrets.Unreadable(TOKEN_PURPOSE)


def invitation_letter(invitation: Invitation, *, reason: str, message_key: str) -> mail.Letter:
    """The plain invitation: who invites whom to whose portal. `invitation` comes with everything it names."""
    inviter, practice, guest = invitation.invited_by, invitation.practice, invitation.contact.user
    with translation.override(guest.reads):
        return mail.compose(
            "invitation",
            {
                "invitation": invitation,
                "person": guest,
                "inviter": inviter,
                "practice": practice,
                "client": invitation.client,
                "url": invitation_url(invitation),
            },
            to=guest.email,
            from_name=f"{inviter.name} via {practice.sender}",
            reply_to=inviter.email,
            thread=f"people-{invitation.client_id}",
            reason=reason,
            list_label=practice.code,
            message_key=message_key,
        )


def code_letter(*, to: str, code: str) -> mail.Letter:
    """The mail with a sign-in code, in the language of the page. Names no practice: who is asking is not known yet."""
    return mail.compose(
        "sign_in_code",
        {"code": code, "minutes": settings.SIGN_IN_CODE_SECONDS // 60},
        to=to,
        thread=f"sign-in-{to.lower()}",
        reason="accounts.sign_in_code",
        list_label="sign-in",
    )


def checkpoint_letter(
    owner: Membership, checkpoint: AuditCheckpoint, *, reason: str, message_key: str
) -> mail.Letter:
    """The seal of a practice's record, word for word, for an owner to keep. `owner` comes with user and practice."""
    with translation.override(owner.user.reads):
        return mail.compose(
            "checkpoint",
            {
                "person": owner.user,
                "practice": owner.practice,
                "count": checkpoint.size,
                "note": checkpoints.note_of(checkpoint),
                "key": checkpoints.verifier_key_of(checkpoint),
            },
            to=owner.user.email,
            from_name=f"{owner.practice.sender} portal",
            thread=f"checkpoints-{checkpoint.practice_id}",
            reason=reason,
            list_label=owner.practice.code,
            message_key=message_key,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What happened to somebody's place: who did it, to whom, where, and what they may from now on."""

    kind: AccountEvent
    actor: str
    person: str
    email: str
    role: str
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeWords:
    """One mail about people, once for text and HTML. `why` ends the sentence that begins with who it is sent to."""

    subject: str
    line: str
    note: str
    button: str
    url: str
    why: str


def people_letter(
    seat: Membership | Contact, told: AuditBody, reader: User, *, reason: str, message_key: str
) -> mail.Letter:
    """The news of one change to a place, for somebody who answers for the people there. `seat` comes with its names."""
    practice = seat.practice
    with translation.override(reader.reads):
        return mail.compose(
            "people",
            {"words": _change_words(seat, _change(seat, told)), "person": reader, "practice": practice},
            to=reader.email,
            from_name=f"{practice.name} portal",
            reply_to=practice.support_email if isinstance(seat, Contact) else "",
            thread=f"people-{seat.client_id if isinstance(seat, Contact) else seat.practice_id}",
            reason=reason,
            list_label=practice.code,
            message_key=message_key,
        )


def _change(seat: Membership | Contact, told: AuditBody) -> Change:
    """As the record has it: what was true when it happened, whatever came after."""
    body = json.loads(told.text)
    details = body["details"]
    return Change(
        kind=AccountEvent(told.event.kind),
        actor=seat.practice.name if told.event.actor.startswith("system:") else body["name"],
        person=seat.user.name,
        email=details["email"],
        role=_role_words(seat, details.get("to") or details["role"]),
        where=seat.client.name if isinstance(seat, Contact) else seat.practice.name,
    )


def _role_words(seat: Membership | Contact, role: str) -> str:
    if isinstance(seat, Contact):
        return {
            ContactRole.APPROVER: gettext("They may agree to access, pause it and end it."),
            ContactRole.VIEWER: gettext("They may look."),
            ContactRole.AWS_ADMIN: gettext("They do the step in AWS."),
        }[ContactRole(role)]
    return {
        MemberRole.OWNER: gettext("They manage people and settings, and see everything."),
        MemberRole.CONSULTANT: gettext("They work on what they are assigned to."),
        MemberRole.AUDITOR: gettext("They see everything and change nothing."),
    }[MemberRole(role)]


def _change_words(seat: Membership | Contact, change: Change) -> ChangeWords:
    named = {"actor": change.actor, "person": change.person, "email": change.email, "where": change.where}
    is_client = isinstance(seat, Contact)
    subject, line = _told(change.kind, named)
    page = "home" if is_client else "admin:accounts_membership_changelist"
    return ChangeWords(
        subject=subject,
        line=line if change.kind in GONE else f"{line} {change.role}",
        note=gettext("You didn’t expect this? Reply to this mail at once.")
        if is_client
        else gettext("You didn’t expect this? Look at the record, and take it back."),
        button=gettext("See your projects") if is_client else gettext("See the people"),
        url=settings.SITE_URL + reverse(page),
        why=gettext("because you may agree for %(where)s.") % named
        if is_client
        else gettext("because you own %(where)s in this portal.") % named,
    )


def _told(kind: AccountEvent, named: dict[str, str]) -> tuple[str, str]:
    if kind in GONE:  # their address is no longer anybody's business
        return (
            gettext("%(person)s was removed: %(where)s") % named,
            gettext(
                "%(actor)s removed %(person)s. They are signed out, and see nothing of %(where)s any more."
            )
            % named,
        )
    if kind in MOVED:
        return (
            gettext("%(person)s has another role: %(where)s") % named,
            gettext("%(actor)s changed what %(person)s may do at %(where)s.") % named,
        )
    return (
        gettext("%(person)s was added: %(where)s") % named,
        gettext("%(actor)s added %(person)s (%(email)s) at %(where)s.") % named,
    )
