"""`python cove.py ENDPOINT ROLES`: botocove asks the same ten things of each role; what it cost, as JSON.

Runs in an environment of its own and imports nothing of ours: as its papers show it, a client from each role's session.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from typing import Any
from uuid import uuid4

NAME = "consultant"
EXTERNAL_ID = f"bench-external-id-of-the-role-{NAME}"


def main() -> None:
    """Ask, and print."""
    endpoint, count = sys.argv[1], int(sys.argv[2])
    os.environ |= {"AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": "ASIA0", "AWS_SECRET_ACCESS_KEY": "s"}
    os.environ |= {"AWS_DEFAULT_REGION": "eu-west-1"}
    logging.disable(logging.CRITICAL)
    _asked(4)
    wall, cpu = time.perf_counter(), time.process_time()
    found = _asked(count)
    told = {"grants": found, "cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
    sys.stdout.write(json.dumps(told))


def _asked(count: int) -> int:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import ClientError
    from botocove import cove  # type: ignore[import-not-found]  # lives in an environment of its own

    outside = boto3.client("sts", config=Config(max_pool_connections=32))

    def opens(account: str, **said: Any) -> bool:  # Any: parameters of AssumeRole
        arn = f"arn:aws:iam::{account}:role/{NAME}"
        try:
            outside.assume_role(RoleArn=arn, RoleSessionName="probe", DurationSeconds=900, **said)
        except ClientError as error:
            if error.response["Error"]["Code"] != "AccessDenied":
                raise
            return False
        return True

    accounts = [f"{200000000000 + number}" for number in range(count)]

    @cove(target_ids=accounts, rolename=NAME, external_id=EXTERNAL_ID, role_session_name="verify")  # type: ignore[untyped-decorator]  # botocove's own
    def checked(session: Any) -> str:  # Any: botocove's session
        account = session.session_information["Id"]
        inside = session.client("sts").get_caller_identity()["Account"]
        refused = not any(
            (
                opens(account),
                opens(account, ExternalId=str(uuid4())),
                opens(account, ExternalId="xx"),  # where we ask as another
                opens(account, ExternalId="yy"),  # where we name nobody
            )
        )
        iam = session.client("iam")
        iam.get_role(RoleName=NAME)
        for name in iam.list_role_policies(RoleName=NAME)["PolicyNames"]:
            iam.get_role_policy(RoleName=NAME, PolicyName=name)
        iam.list_attached_role_policies(RoleName=NAME)
        return "ok" if refused and inside == account else "wrong"

    return sum(each["Result"] == "ok" for each in checked()["Results"])


if __name__ == "__main__":
    main()
