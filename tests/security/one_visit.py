"""A web process that opens one visit and lives just long enough to be killed: `python -m tests.security.one_visit`.

Arguments: practice, engagement and consultant, by id.
"""

from __future__ import annotations

import sys
from uuid import UUID

import django


def main(practice_id: str, engagement_id: str, user_id: str) -> None:
    """Open it as the console does."""
    django.setup()
    from accounts.models import User
    from awsaccess.aws.arns import ConsoleService
    from awsaccess.services.visits import visit_open
    from engagements.models import Engagement
    from portal.kernel import tenancy
    from tests.factories import acting

    consultant = User.objects.get(pk=UUID(user_id))
    with tenancy.use(tenancy.practice_scope(UUID(practice_id))):
        visit_open(
            engagement=Engagement.objects.get(pk=UUID(engagement_id)),
            consultant=consultant,
            reason="look at the bill",
            service=ConsoleService.COSTS,
            actor=acting(consultant),
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
