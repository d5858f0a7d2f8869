"""The page that explains the pack to whoever opens it."""

from __future__ import annotations

import datetime as dt
from typing import Final

from django.conf import settings

from awsaccess.evidence.shapes import iso
from engagements.models import Engagement

README: Final = """Evidence of an access, packed by Latchkey
=========================================

Project   {title} ({code})
Client    {client}
Practice  {practice}
Packed    {made}

What is in it
-------------
papers/            Signed receipts and certificates, as they were mailed. A PDF reader shows their signatures.
shown/             The pages that were shown and agreed to, byte for byte.
consents/          The record of each consent, as it was written when it was given (ISO/IEC TS 27560).
offers/            What was asked: plain words, permissions, and a template for each choice.
engagement.json    What, why, who, until when.
decisions.json     Each consent with its circumstances; each answer, also no; each question; each act that was refused.
deployments.json   Where each template was published, in which version; what the client's stacks reported of themselves.
access.json        The roles that were made in AWS, and what became of them.
rotations.json     Each exchange of a role's external ID, or of the hub role that may come: who began it, how far it
                   came, which IDs or roles.
rings.json         Each time a consultant asked the client to be let in, and what the client answered.
visits.json        Each time a consultant went into the account, or tried to: who, why, from when to when.
reports.json       What was done in each visit, out of the client's own CloudTrail, where that look was agreed to;
                   and what is not known of it.
checks.json        Each time the portal looked whether the access was as agreed.
exit_proof.json    How it was proved that the access is gone.
record/            The practice's whole record, as a chain of hashes, and its signed checkpoints. Names and reasons
                   are given for this project alone; of everything else only fingerprints are here.
certificates.pem   The certificates that the papers were signed with.
verify.py, audit_verify.py   Programs that check all of it. They need Python 3.11 or newer and nothing else.

How to check it
---------------
1. Unpack it into an empty folder.
2. In that folder: python3 verify.py
   It says that nothing is wrong, or names each file that is not right.
3. Whoever made the pack could have made up a record as well. So keep what was mailed to you: the seal in a receipt, or a
   mail with a checkpoint, vouches for the record from outside:
   python3 verify.py --checkpoint mail.eml --key 'the key in that mail'
4. Take verify.py from a pack that you trust, or from Latchkey's own source, if you do not trust this one.
5. A single paper can be checked at {verify} too.

What the check goes by
----------------------
The record tells of every paper, page, consent, offer, decision, ring, visit, report, step of an exchange and proof, and
each is compared with what the record says of it. A visit to an access with a doorbell must have been let in before it
began, once, by somebody at the client; or it was an emergency of the kind that was agreed to. Who is on the project, single checks and
the text of the external IDs stand in no event: for those, verify.py shows only that nobody changed them since they were
packed.
"""


def readme_of(engagement: Engagement, made: dt.datetime) -> str:
    """Filled in. The engagement comes with practice and client."""
    return README.format(
        title=engagement.title,
        code=engagement.code,
        client=engagement.client.name,
        practice=engagement.practice.legal_name,
        made=iso(made),
        verify=f"{settings.SITE_URL}/verify/",
    )
