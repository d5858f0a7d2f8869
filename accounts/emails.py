"""The mails of this app, and the links in them."""

from __future__ import annotations

from typing import Final

from django.conf import settings

from accounts.models import Invitation, Membership
from portal.kernel import checkpoints, mail, secrets
from portal.kernel.models import AuditCheckpoint

TOKEN_PURPOSE: Final = "invitation"  # noqa: S105  # names a use, is no secret


def invitation_url(invitation: Invitation) -> str:
    """The link of an invitation, worked out anew each time: only its SHA-256 is stored.

    Raises secrets.Unreadable when the key it was made with is no longer configured.
    """
    for token in secrets.tokens(TOKEN_PURPOSE, invitation.pk.bytes):
        if secrets.fingerprint(token) == invitation.token_sha256:
            return f"{settings.SITE_URL}/i/{token}/"
    raise secrets.Unreadable(TOKEN_PURPOSE)


def invitation_letter(invitation: Invitation, *, message_key: str) -> mail.Letter:
    """The plain invitation: who invites whom to whose portal. `invitation` comes with everything it names."""
    inviter, practice = invitation.invited_by, invitation.practice
    return mail.compose(
        "invitation",
        {
            "invitation": invitation,
            "person": invitation.contact.user,
            "inviter": inviter,
            "practice": practice,
            "client": invitation.client,
            "url": invitation_url(invitation),
        },
        to=invitation.contact.user.email,
        from_name=f"{inviter.name} via {practice.sender}",
        reply_to=inviter.email,
        message_key=message_key,
    )


def code_letter(*, to: str, code: str) -> mail.Letter:
    """The mail with a sign-in code. Names no practice: who is asking is not known yet."""
    return mail.compose("sign_in_code", {"code": code, "minutes": settings.SIGN_IN_CODE_SECONDS // 60}, to=to)


def checkpoint_letter(
    owner: Membership, checkpoint: AuditCheckpoint, *, reason: str, message_key: str
) -> mail.Letter:
    """The seal of a practice's record, word for word, for an owner to keep. `owner` comes with user and practice."""
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
