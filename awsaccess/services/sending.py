"""Asking: the offer is frozen, the grant expected, the mail promised, the template published."""

from __future__ import annotations

import secrets
from typing import Final
from uuid import UUID, uuid4

from django.db import transaction

from accounts.lifecycle import ContactRole
from accounts.models import Contact
from accounts.services.invitations import invitation_make_within
from awsaccess.asking import Documents, asked_in, documents_for, spec_from, variants_of
from awsaccess.aws.errors import AwsMisconfigured, AwsRejected, AwsTransient
from awsaccess.door import gateway, hub_for, hub_of
from awsaccess.lifecycle import AccessEvent
from awsaccess.models import Grant, Hub
from awsaccess.provision.access_stack import BadGrant, render_template
from awsaccess.selectors import grant_of
from awsaccess.services.records import grant_record_within
from engagements.models import Engagement, Offer, Variant
from engagements.selectors import lead_of
from engagements.services.drafts import offer_freeze_within, offer_published, variant_published
from engagements.services.moves import engagement_invite_within, engagement_locked
from portal.kernel import clock, outbox
from portal.kernel.actor import Actor, machine
from portal.kernel.errors import PortalError
from portal.kernel.secrets import fingerprint

INVITATION_LETTER: Final = "engagements.invitation"
NOT_OFFERED: Final = (
    "That kind of access, or a line of it, is not offered any more. Edit the draft and choose again."
)


class NotReady(PortalError):
    """Raised when an engagement cannot be sent yet, with what is missing."""

    code = "not-ready"
    http_status = 409
    title = "This can't be sent yet"


@transaction.atomic(durable=True)
def engagement_send(*, engagement: Engagement, actor: Actor) -> Offer:
    """draft -> invited: everything the client will read and AWS will get is fixed now; approvers are invited.

    Raises NotReady without a hub, an approver or a valid template, and for a draft that nobody could agree to;
    InvalidMove if it was sent meanwhile.
    """
    current = engagement_locked(engagement.pk)
    hub, approvers = _hub(), _approvers(current)
    _require_agreeable(current, hub)
    external_id = str(uuid4())  # ours, for this grant alone, never changed (SECURITY A1)
    callback_token = _callback_token(hub)
    documents = _documents(current, hub)
    templates = rendered(documents, external_id, callback_token)
    offer = offer_freeze_within(
        engagement=current,
        lines=asked_in(current).profile_in().lines_as_data(),
        documents=documents,
        template=templates.pop(()),
        variants=templates,
        actor=actor,
    )
    grant = _expect(current, offer, hub, external_id, actor)
    if callback_token:
        Grant.objects.filter(pk=grant.pk).update(callback_sha256=fingerprint(callback_token))
    engagement_invite_within(engagement=current, actor=actor)
    publish_promise_within(offer)
    for contact in approvers:
        invitation_make_within(
            contact=contact,
            landing_path=f"/e/{current.code}/",
            invited_by=lead_of(current),
            letter_kind=INVITATION_LETTER,
            actor=actor,
        )
    return offer


def offer_publish(*, offer_id: UUID) -> None:
    """Put the frozen template into the hub's bucket and write down its version. Twice does no harm.

    Raises outbox.Later while AWS does not answer or our set-up is broken, outbox.Hopeless if AWS will not take it.
    """
    offer = Offer.objects.select_related("engagement", "practice").get(pk=offer_id)
    if not offer.template_version_id:
        version = _uploaded(offer, offer.template)
        offer_published(offer=offer, version_id=version, actor=machine("publish"))


def variant_publish(*, variant_id: UUID) -> None:
    """The same for the template of one choice."""
    variant = Variant.objects.select_related("offer__practice", "engagement").get(pk=variant_id)
    if not variant.template_version_id:
        version = _uploaded(variant.offer, variant.template)
        variant_published(variant=variant, version_id=version, actor=machine("publish"))


def _uploaded(offer: Offer, template: str) -> str:
    grant = grant_of(offer.engagement)
    hub = hub_for(offer, grant) if grant else hub_of(offer)
    try:
        return gateway().upload_template(hub, key=offer.documents["template_key"], body=template.encode())
    except (AwsTransient, AwsMisconfigured) as error:
        raise outbox.Later(error.user_message) from None
    except AwsRejected as error:
        raise outbox.Hopeless(error.user_message) from None


def publish_promise_within(offer: Offer) -> None:
    """Each template goes into the bucket before anybody has chosen, so that no client waits for the chosen one."""
    client = offer.client_id
    outbox.put("awsaccess.publish", offer.pk, dedupe_key=f"publish:{offer.pk}", client_id=client)
    for variant in offer.variants.all():
        outbox.put(
            "awsaccess.publish_variant", variant.pk, dedupe_key=f"publish:{variant.pk}", client_id=client
        )


def _hub() -> Hub:
    hub = Hub.objects.select_related("practice").first()
    if hub is None:
        raise NotReady("Your practice has no AWS set-up yet. An owner can add it under Hub.")
    return hub


def _approvers(engagement: Engagement) -> list[Contact]:
    rows = Contact.objects.filter(client_id=engagement.client_id, role=ContactRole.APPROVER, ended_at=None)
    if not (approvers := list(rows)):
        raise NotReady(
            "Nobody at this client may agree yet. Add a contact who is an approver, then send again."
        )
    if len(approvers) < engagement.approvals_needed:
        raise NotReady(
            f"{engagement.approvals_needed} people have to agree, and this client has {len(approvers)} who may. "
            "Add approvers, or ask for fewer."
        )
    return approvers


def _require_agreeable(engagement: Engagement, hub: Hub) -> None:
    """What the client's page would refuse is not asked: the one who can mend it is here."""
    if engagement.ends_at <= clock.now():
        raise NotReady("The agreed end has passed. Choose a later one, then send again.")
    if engagement.account_id == hub.account_id:
        raise NotReady("That account number is your own AWS account's. Ask the client for theirs.")


def _documents(engagement: Engagement, hub: Hub) -> Documents:
    try:
        return documents_for(engagement, hub)
    except KeyError:
        raise NotReady(NOT_OFFERED) from None


def _callback_token(hub: Hub) -> str:
    """What the stack reports itself with, once; empty where the hub has no call-back and the role is looked for."""
    return secrets.token_urlsafe(24) if hub.queue_url and hub.topic_arns else ""


def rendered(documents: Documents, external_id: str, callback_token: str) -> dict[tuple[str, ...], str]:
    """The template for each choice, with none first. Raises NotReady for what AWS would not take."""
    spec = spec_from(documents, external_id=external_id, callback_token=callback_token)
    try:
        plain = render_template(spec)
        return {
            (): plain,
            **variants_of(documents, external_id=external_id, callback_token=callback_token),
        }
    except BadGrant as error:
        raise NotReady(f"AWS would not take this: {error}.") from None


def _expect(engagement: Engagement, offer: Offer, hub: Hub, external_id: str, actor: Actor) -> Grant:
    spec = spec_from(offer.documents, external_id=external_id)
    grant = Grant.objects.create(
        practice_id=engagement.practice_id,
        client_id=engagement.client_id,
        engagement=engagement,
        offer=offer,
        partition=hub.partition,
        account_id=engagement.account_id,
        role_name=spec.role_name,
        external_id=external_id,
    )
    grant_record_within(
        AccessEvent.GRANT_EXPECTED, grant, actor, {"role": spec.role_name, "account": engagement.account_id}
    )
    return grant
