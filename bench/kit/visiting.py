"""`python -m kit.visiting ENDPOINT PRACTICE TIMES`: open visits as the web role, and the same AWS calls bare, in turn, as JSON.

Both sides hold their connections open and their hub session ready; each line is seconds of ours and of the bare calls.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from uuid import UUID

import django


def main() -> None:
    """Models can be imported only after Django is set up."""
    django.setup()
    sys.stdout.write(json.dumps(measured(sys.argv[1], UUID(sys.argv[2]), int(sys.argv[3]))))


def measured(endpoint: str, practice_id: UUID, times: int) -> list[tuple[float, float]]:
    """Pairs of wall seconds, interleaved. The first two pairs are thrown away: they load libraries and open sessions."""
    from accounts.models import User
    from awsaccess.aws.arns import ConsoleService
    from awsaccess.aws.gateway import AssumeRequest, BotoGateway
    from awsaccess.models import Grant, Visit
    from awsaccess.services.checks import target_of
    from awsaccess.services.visits import visit_open
    from engagements.models import Engagement
    from portal.kernel import tenancy
    from portal.kernel.actor import person

    with tenancy.use(tenancy.practice_scope(practice_id)):
        maya = User.objects.get(email="maya@northgate.example")
        target = target_of(Grant.objects.select_related("offer__practice", "engagement").get())
        engagement = Engagement.objects.select_related("practice", "client").get()
        actor, bare = person(maya.pk, name=maya.name, email=maya.email), BotoGateway(endpoint, endpoint)

        def ours() -> None:
            visit_open(
                engagement=engagement,
                consultant=maya,
                reason="measure how long it takes",
                service=ConsoleService.COSTS,
                actor=actor,
            )

        def calls() -> None:
            request = AssumeRequest(
                role_arn=target.role_arn,
                external_id=target.external_id,
                role_session_name="bench",
                duration_seconds=3600,
                source_identity=target.names.source_identity,
                tags=target.names.tags,
            )
            inside = bare.assume(target.hub, request)
            bare.caller_identity(inside, target.hub.region)
            bare.signin_token(inside, region=target.hub.region, partition=target.hub.partition)

        pairs = [(_timed(ours), _timed(calls)) for _ in range(times + 2)]
        assert Visit.objects.filter(reason="measure how long it takes", status="issued").count() == times + 2
    return pairs[2:]


def _timed(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
