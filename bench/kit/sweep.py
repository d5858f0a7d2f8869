"""`python -m kit.sweep`: as the worker's role, check every grant that is due, once; what it cost, as JSON.

`kit.sweep fleet BATCH` does so as one of several, until nothing is left in anybody's hands. `kit.sweep documents` prints
what the stub must answer for the roles of the filled database.
"""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING

import django

from kit.stub_aws import PLACEHOLDER

LONGEST_WAIT = 300.0

if TYPE_CHECKING:
    from awsaccess.provision.access_stack import ExpectedRole


def main() -> None:
    """Models can be imported only after Django is set up."""
    django.setup()
    match sys.argv[1:]:
        case ["documents"]:
            sys.stdout.write(json.dumps(documents()))
        case ["fleet", batch]:
            sys.stdout.write(json.dumps(fleet(int(batch))))
        case _:
            sys.stdout.write(json.dumps(sweep()))


def sweep() -> dict[str, float]:
    """Claims in batches until nothing is due. The first batch is not measured: it loads boto3 and opens sessions."""
    from awsaccess.services.checks import CHECK
    from portal.kernel import due

    due.take_many(CHECK, _claimed(20))
    wall, cpu, grants = time.perf_counter(), time.process_time(), 0
    while turns := _claimed(100):
        grants += due.take_many(CHECK, turns)
    return {"grants": grants, "cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}


def fleet(batch: int) -> dict[str, float]:
    """Beside other workers: what one of them held when it was killed is taken once its lease is over."""
    from awsaccess.services.checks import CHECK
    from portal.kernel import due
    from portal.kernel.clock import wait_until

    cpu, grants = time.process_time(), 0
    while _ripe():
        if turns := _claimed(batch):
            grants += due.take_many(CHECK, turns)
        else:
            wait_until(lambda: _is_claimable() or not _ripe(), seconds=LONGEST_WAIT, every_seconds=0.2)
    return {"grants": grants, "cpu": time.process_time() - cpu}


def _ripe() -> int:
    from django.db.models.functions import Now

    from awsaccess.services.checks import CHECK
    from portal.kernel import tenancy
    from portal.kernel.models import Due

    with tenancy.use(tenancy.SYSTEM):
        return Due.objects.filter(kind=CHECK, next_at__lte=Now()).count()


def _is_claimable() -> bool:
    from portal.kernel import due, tenancy

    with tenancy.use(tenancy.SYSTEM):
        return due.seconds_to_next() <= 0


def _claimed(limit: int) -> list[due.Turn]:  # type: ignore[name-defined]  # noqa: F821  # loaded once Django is
    from portal.kernel import due, tenancy

    with tenancy.use(tenancy.SYSTEM):
        return due.claim(limit)


def documents() -> dict[str, str]:
    """The agreed role, its external ID left open."""
    from awsaccess.models import Grant
    from awsaccess.services.checks import target_of
    from portal.kernel import tenancy
    from portal.kernel.models import Due

    with tenancy.use(tenancy.SYSTEM):
        row = Due.objects.filter(kind="grant.check").order_by("pk").values("practice_id", "object_id").first()
    assert row is not None
    with tenancy.use(tenancy.practice_scope(row["practice_id"])):
        grant = Grant.objects.select_related("offer__practice", "engagement").get(pk=row["object_id"])
        return _of(target_of(grant).expected, grant.external_id_in_force)


def _of(expected: ExpectedRole, external_id: str) -> dict[str, str]:
    ((name, inline),) = expected.inline_documents.items()
    attached = "".join(
        f"<member><PolicyName>p</PolicyName><PolicyArn>{arn}</PolicyArn></member>"
        for arn in sorted(expected.attached_policy_arns)
    )
    tags = "".join(
        f"<member><Key>{key}</Key><Value>{value}</Value></member>" for key, value in expected.tags.items()
    )
    return {
        "trust": json.dumps(expected.trust_document).replace(external_id, PLACEHOLDER),
        "inline_name": name,
        "inline": json.dumps(inline),
        "attached": f"<AttachedPolicies>{attached}</AttachedPolicies><IsTruncated>false</IsTruncated>",
        "tags": f"<Tags>{tags}</Tags>",
    }


if __name__ == "__main__":
    main()
