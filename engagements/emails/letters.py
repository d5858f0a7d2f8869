"""Words put into the frame of a mail: from whom, to whom, in the reader's language."""

from __future__ import annotations

from dataclasses import replace

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils import translation

from accounts.emails import invitation_url
from accounts.models import Invitation, User
from engagements.emails import client_words, nudges
from engagements.emails.news import News
from engagements.emails.readers import Reader
from engagements.emails.scenes import Matter, Scene, matter_of_invitation, scene_for
from engagements.emails.words import Words
from engagements.lifecycle import WITH_A_STEP, EngagementStatus
from engagements.models import ORDER_PURPOSE, Engagement, Handover, Order
from portal.kernel import clock, mail, outbox, secrets
from portal.kernel.languages.reading import ENGLISH

LIFETIME_HOURS = 24  # of the link that confirms an order
# Nothing of these is shown to a client, so nothing leads there.
HIDDEN = frozenset({EngagementStatus.DRAFT, EngagementStatus.CANCELLED})


def news_letter(
    news: News, matter: Matter, reader: Reader, *, reason: str, message_key: str
) -> mail.Letter | None:
    """The mail of this news for this reader, or None when there is nothing to tell them any more."""
    scene = scene_for(matter, reader)
    with translation.override(reader.user.reads):
        told = news.words(scene)
        return _letter(scene, told, reason=reason, message_key=message_key) if told else None


def invitation_letter(invitation: Invitation, *, reason: str, message_key: str) -> mail.Letter | None:
    """The mail that asks an approver, or once that is answered, the bare link that somebody asked for again.

    None when the engagement was withdrawn. Raises outbox.Hopeless for a link that can never be sent.
    """
    matter = matter_of_invitation(invitation)
    if matter is None:
        raise outbox.Hopeless("the invitation leads to no engagement")
    if matter.engagement.status in HIDDEN:
        return None
    scene = scene_for(matter, Reader(user=invitation.contact.user, is_client=True))
    write = client_words.asking if _is_open(scene) else client_words.link
    with translation.override(scene.reader.user.reads):
        told = write(scene, invitation, _url(invitation))
        return _letter(scene, told, reason=reason, message_key=message_key)


def handover_letter(invitation: Invitation, *, reason: str, message_key: str) -> mail.Letter | None:
    """The mail that asks a colleague for the step in AWS, in the name of who asks. None once there is nothing to do.

    Raises outbox.Hopeless for a link that can never be sent.
    """
    matter = matter_of_invitation(invitation)
    rows = Handover.objects.select_related("contact__user").filter(hands_id=invitation.contact_id)
    row = rows.filter(engagement=matter.engagement).order_by("-asked_at").first() if matter else None
    if matter is None or row is None:
        raise outbox.Hopeless("the invitation leads to no step in AWS")
    if matter.engagement.status not in WITH_A_STEP:
        return None
    scene = scene_for(matter, Reader(user=invitation.contact.user, is_client=True))
    with translation.override(scene.reader.user.language):
        told = nudges.handover(scene, row, invitation, _url(invitation))
        letter = _letter(scene, told, reason=reason, message_key=message_key)
    asker = row.contact.user
    return replace(
        letter, from_name=f"{asker.name} via {matter.engagement.practice.sender}", reply_to=asker.email
    )


def agreement_code_letter(*, engagement: Engagement, person: User, code: str, minutes: int) -> mail.Letter:
    """The code that is retyped at “Agree”. It holds a secret, and so is sealed until it leaves."""
    practice = engagement.practice
    with translation.override(person.reads):
        return mail.compose(
            "agreement_code",
            {
                "code": code,
                "minutes": minutes,
                "title": engagement.title,
                "practice": practice,
                "person": person,
            },
            to=person.email,
            from_name=practice.sender,
            reply_to=practice.support_email,
            thread=f"engagement-{engagement.pk}",
            reason="engagements.agreement_code",
            list_label=practice.code,
        )


def order_letter(order: Order, *, reason: str, message_key: str) -> mail.Letter:
    """To whoever ordered: the link that confirms the address. `order` comes with practice and template.

    Nothing stands in it that was typed on the page: a stranger could send words of theirs to anybody's mailbox.
    Raises outbox.Hopeless for a link that can never be sent.
    """
    practice = order.practice
    try:
        with translation.override(order.language or ENGLISH):
            return mail.compose(
                "order_confirm",
                {"practice": practice, "url": _order_url(order), "hours": LIFETIME_HOURS},
                to=order.email,
                from_name=practice.sender,
                reply_to=practice.support_email,
                thread=f"order-{order.pk}",
                reason=reason,
                list_label=practice.code,
                message_key=message_key,
            )
    except ValidationError as error:
        raise outbox.Hopeless("one of its addresses is none") from error


def _order_url(order: Order) -> str:
    for token in secrets.tokens(ORDER_PURPOSE, order.pk.bytes):
        if secrets.fingerprint(token) == order.token_sha256:
            return f"{settings.SITE_URL}/to/{order.practice.code}/{token}/"
    raise outbox.Hopeless("the key its link was made with is gone")


def _is_open(scene: Scene) -> bool:
    engagement = scene.engagement
    return engagement.status == EngagementStatus.INVITED and engagement.ends_at > clock.now()


def _url(invitation: Invitation) -> str:
    try:
        return invitation_url(invitation)
    except secrets.Unreadable as error:
        raise outbox.Hopeless("the key its link was made with is gone") from error


def _letter(scene: Scene, told: Words, *, reason: str, message_key: str) -> mail.Letter:
    practice, reader = scene.engagement.practice, scene.reader
    # Consultants read many clients' mails in one box: there the client's name comes first.
    name = scene.host_name if reader.is_client else scene.engagement.client.name
    try:
        letter = mail.compose(
            "engagement",
            {
                "words": told,
                "person": reader.user,
                "practice": practice,
                "host": scene.host_first_name,
                "is_client": reader.is_client,
            },
            to=reader.user.email,
            from_name=f"{name} via {practice.sender}" if name != practice.name else practice.sender,
            reply_to=_answers_to(scene),
            thread=f"engagement-{scene.engagement.pk}",
            reason=reason,
            list_label=practice.code,
            message_key=message_key,
        )
    except ValidationError as error:
        raise outbox.Hopeless("one of its addresses is none") from error
    return replace(letter, attachments=_papers(scene))


def _papers(scene: Scene) -> tuple[mail.Attachment, ...]:
    """The signed paper for the client. The practice finds it in the console: its people read many clients' mails."""
    document = scene.matter.document
    if document is None or not scene.reader.is_client:
        return ()
    name = f"{document.kind}-{scene.engagement.code}.pdf"
    return (mail.Attachment(name=name, content=bytes(document.pdf)),)


def _answers_to(scene: Scene) -> str:
    """A client's answer reaches the consultant; a consultant's, whoever at the client made the latest move."""
    if scene.reader.is_client:
        return scene.host_email
    consent, mover, remark = scene.matter.consent, scene.engagement.moved_by, scene.matter.remark
    if remark is not None:
        return remark.author.email
    if consent is not None:
        return consent.contact.user.email
    return mover.email if mover is not None and scene.moved_by_client else ""
