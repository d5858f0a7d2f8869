"""Offers with lines to tick, and who ticks them."""

from __future__ import annotations

from accounts.models import Contact
from engagements.models import Consent, Engagement, Offer
from engagements.selectors import offer_current
from engagements.services.consents import consent_give
from portal.kernel import clock, tenancy
from tests.awsaccess.services.cast import Case, drafted, send
from tests.factories import ACCOUNT_ID, EVIDENCE, Firm, acting, paper_shown


def sent(firm: Firm, *keys: str, needed: int = 1) -> Case:
    """Asked for, with these optional lines on offer, of so many people."""
    case = drafted(firm)
    with tenancy.use(firm.practice_side):
        Engagement.objects.filter(pk=case.engagement.pk).update(optional=list(keys), approvals_needed=needed)
    case = Case(firm=firm, engagement=case.fresh())
    send(case)
    return case


def agree(case: Case, *ticked: str, contact: Contact | None = None, offer: Offer | None = None) -> Consent:
    """One yes, with these lines ticked, to the offer that holds or to another."""
    person = contact or case.firm.contact
    with tenancy.use(case.firm.client_side):
        return consent_give(
            engagement=case.engagement,
            offer=offer or offer_current(case.engagement),
            contact=person,
            account_id=ACCOUNT_ID,
            shown=paper_shown(),
            evidence=EVIDENCE,
            signed_in_at=clock.now(),
            actor=acting(person.user),
            choice=ticked,
        )
