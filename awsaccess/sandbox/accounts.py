"""The accounts are made in-process, the same ones every time, and written down for whoever uses the sandbox."""

from __future__ import annotations

import json
import os
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

from moto.iam.models import IAMBackend, iam_backends
from moto.s3.models import s3_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends

from awsaccess.sandbox import ids
from awsaccess.sandbox.parties import (
    ADMINISTRATOR,
    CALLBACK,
    CONTROL_ROLE,
    HUB_ROLE,
    PARTIES,
    PORTAL_USER,
    REGION,
    Account,
    AccountsFile,
    Party,
)

Statement = Mapping[str, object]
ASK_AND_NAME = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]


def _policy(*statements: Statement) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def _make_user(iam: IAMBackend, name: str) -> tuple[str, str]:
    iam.create_user(region_name="us-east-1", user_name=name, path="/", tags=[])
    key = iam.create_access_key(name)
    return key.access_key_id, key.secret_access_key


def _make_hub_role(iam: IAMBackend, account_id: str) -> str:
    user = f"arn:aws:iam::{account_id}:user/{PORTAL_USER}"
    trust = _policy({"Effect": "Allow", "Principal": {"AWS": user}, "Action": "sts:AssumeRole"})
    role = iam.create_role(
        role_name=HUB_ROLE,
        assume_role_policy_document=trust,
        path="/",
        permissions_boundary=None,
        description="Enters the clients' roles for the portal",
        tags=[],
        max_session_duration="3600",
    )
    return str(role.arn)


def _make_control_role(iam: IAMBackend, account_id: str, hub_role_arn: str) -> None:
    """What no client trusts: the hub enters it to prove that it may enter roles, and it enters itself likewise."""
    own = f"arn:aws:iam::{account_id}:role/{CONTROL_ROLE}"
    trust = _policy(
        {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{account_id}:root"},
            "Action": ASK_AND_NAME,
            "Condition": {"ArnEquals": {"aws:PrincipalArn": [hub_role_arn, own]}},
        }
    )
    iam.create_role(
        role_name=CONTROL_ROLE,
        assume_role_policy_document=trust,
        path="/",
        permissions_boundary=None,
        description="Proves that refusals are the clients' own",
        tags=[],
        max_session_duration="3600",
    )
    ask: Statement = {
        "Effect": "Allow",
        "Action": ASK_AND_NAME,
        "Resource": "arn:aws:iam::*:role/latchkey-*",
    }
    iam.put_role_policy(CONTROL_ROLE, "ask", _policy(ask))


def _let_hub_work(iam: IAMBackend, hub_role_arn: str, bucket: str, account_id: str) -> None:
    """The portal's user may become the hub role and look after the template bucket, the hub role enters clients and
    reads what their stacks report."""
    enter: Statement = {
        "Effect": "Allow",
        "Action": ASK_AND_NAME,
        "Resource": "arn:aws:iam::*:role/latchkey-*",
    }
    publish: Statement = {
        "Effect": "Allow",
        "Action": ["s3:PutObject", "s3:GetObject", "s3:GetObjectVersion"],
        "Resource": f"arn:aws:s3:::{bucket}/*",
    }
    look: Statement = {
        "Effect": "Allow",
        "Action": ["s3:ListBucket", "s3:GetBucketVersioning", "s3:GetBucketLocation"],
        "Resource": f"arn:aws:s3:::{bucket}",
    }
    listen: Statement = {
        "Effect": "Allow",
        "Action": ["sqs:ReceiveMessage", "sqs:DeleteMessage"],
        "Resource": f"arn:aws:sqs:{REGION}:{account_id}:{CALLBACK}",
    }
    become: Statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": hub_role_arn}
    iam.put_role_policy(HUB_ROLE, "hub", _policy(enter, publish, look, listen))
    iam.put_user_policy(PORTAL_USER, "hub", _policy(become, publish, look))


def _make_template_bucket(account_id: str) -> str:
    name, s3 = f"latchkey-templates-{account_id}", s3_backends[account_id]["aws"]
    s3.create_bucket(name, REGION)
    s3.put_bucket_versioning(name, "Enabled")
    read: Statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": ["s3:GetObject", "s3:GetObjectVersion"],
        "Resource": f"arn:aws:s3:::{name}/*",
    }
    s3.put_bucket_policy(name, _policy(read).encode())
    return name


def _make_callback(account_id: str) -> tuple[str, str]:
    """Topic and queue, as the hub's own stack makes them: anybody may publish, the topic alone may deliver."""
    sns, sqs = sns_backends[account_id][REGION], sqs_backends[account_id][REGION]
    topic = sns.create_topic(CALLBACK)
    publish: Statement = {
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": "SNS:Publish",
        "Resource": topic.arn,
    }
    sns.set_topic_attribute(topic.arn, "policy", _policy(publish))
    arn = f"arn:aws:sqs:{REGION}:{account_id}:{CALLBACK}"
    deliver: Statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "SQS:SendMessage",
        "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic.arn}},
    }
    sqs.create_queue(CALLBACK, Policy=_policy(deliver))
    sns.subscribe(topic.arn, arn, "sqs")
    return str(topic.arn), f"https://sqs.{REGION}.amazonaws.com/{account_id}/{CALLBACK}"


def _make(party: Party) -> Account:
    iam = iam_backends[party.account_id]["aws"]
    key_id, secret = _make_user(iam, ADMINISTRATOR)
    iam.attach_user_policy("arn:aws:iam::aws:policy/AdministratorAccess", ADMINISTRATOR)
    account = Account(
        account_id=party.account_id,
        name=party.name,
        kind=party.kind,
        region=REGION,
        admin_user=ADMINISTRATOR,
        admin_access_key_id=key_id,
        admin_secret_access_key=secret,
    )
    return _with_hub(iam, account) if party.kind == "practice" else account


def _with_hub(iam: IAMBackend, account: Account) -> Account:
    key_id, secret = _make_user(iam, PORTAL_USER)
    bucket = _make_template_bucket(account.account_id)
    hub_role_arn = _make_hub_role(iam, account.account_id)
    _let_hub_work(iam, hub_role_arn, bucket, account.account_id)
    _make_control_role(iam, account.account_id, hub_role_arn)
    topic_arn, queue_url = _make_callback(account.account_id)
    return replace(
        account,
        portal_user=PORTAL_USER,
        portal_access_key_id=key_id,
        portal_secret_access_key=secret,
        hub_role_arn=hub_role_arn,
        bucket=bucket,
        topic_arn=topic_arn,
        queue_url=queue_url,
    )


def bootstrap(seed: str) -> dict[str, Account]:
    """Make every account in-process, in an empty AWS. The same seed gives the same keys and unique ids."""
    made = {}
    for party in PARTIES:
        with ids.seeded(f"{seed}:{party.account_id}"):
            made[party.account_id] = _make(party)
    return made


def read_seed(folder: Path) -> str:
    """The seed of the accounts kept in this folder; a new one when there are none."""
    try:
        kept: AccountsFile = json.loads((folder / "accounts.json").read_text())
    except FileNotFoundError:
        return secrets.token_hex(16)
    return kept["seed"]


def write_accounts(folder: Path, endpoint: str, seed: str, accounts: Mapping[str, Account]) -> Path:
    """Write accounts.json, readable by its owner only, in one step: a reader sees the old file or the new one."""
    entries = {number: asdict(account) for number, account in accounts.items()}
    content = AccountsFile(endpoint=endpoint, seed=seed, accounts=entries)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(dir=folder)  # mode 0600 from the start
    with os.fdopen(handle, "w") as file:
        json.dump(content, file, indent=2)
    return Path(name).replace(folder / "accounts.json")
