"""A practice's own AWS side, set up once by an owner and changed rarely."""

from __future__ import annotations

import re
from typing import Final

from django.db import transaction

from accounts.models import Practice
from awsaccess.aws import arns
from awsaccess.lifecycle import AccessEvent
from awsaccess.models import Hub
from portal.kernel import audit
from portal.kernel.actor import Actor
from portal.kernel.errors import PortalError

BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", re.ASCII)


class BadHub(PortalError):
    """Raised for a hub that AWS could not have, naming what is wrong."""

    code = "bad-hub"
    title = "That hub can't work"


@transaction.atomic(durable=True)
def hub_set_up(*, practice: Practice, role_arn: str, region: str, template_bucket: str, actor: Actor) -> Hub:
    """Write down the hub role, its region and bucket; account and partition are read off the role's ARN.

    Offers that were sent keep the hub they were frozen with. Raises BadHub.
    """
    role = _role(role_arn)
    try:
        arns.partition_named(role.partition).check_region(region)
    except arns.BadAddress as error:
        raise BadHub(f"The region is {error}.") from None
    if not BUCKET.fullmatch(template_bucket):
        raise BadHub("A bucket's name has 3 to 63 small letters, digits and hyphens.")
    facts = {
        "partition": role.partition,
        "account_id": role.account_id,
        "role_arn": str(role),
        "region": region,
        "template_bucket": template_bucket,
    }
    hub, _made = Hub.objects.update_or_create(practice=practice, defaults=facts)
    audit.record(AccessEvent.HUB_SET_UP, subject=hub, actor=actor, details=facts)
    return hub


def _role(text: str) -> arns.RoleArn:
    try:
        return arns.RoleArn.parse(text.strip())
    except arns.BadArn:
        raise BadHub(
            "That is not the ARN of a role: it looks like arn:aws:iam::111111111111:role/latchkey-hub."
        ) from None
