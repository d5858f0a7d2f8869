"""The accounts of the sandbox: two practices, three clients and a stranger, the same ones every time."""

from __future__ import annotations

import json
import os
import secrets
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final, Literal, TypedDict

from moto.iam.models import IAMBackend, iam_backends
from moto.s3.models import s3_backends

from awsaccess.sandbox import ids

Kind = Literal["practice", "client", "stranger"]

REGION: Final = "eu-west-1"
HUB_ROLE: Final = "latchkey-hub"
CLIENT_ADMIN: Final = "client-admin"
PORTAL_USER: Final = "portal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """Who an account belongs to."""

    account: str
    name: str
    kind: Kind

    @property
    def user(self) -> str:
        """The user whose keys are in accounts.json."""
        return PORTAL_USER if self.kind == "practice" else CLIENT_ADMIN


PARTIES: Final = (
    Party(account="111111111111", name="Northgate Cloud (consultant)", kind="practice"),
    Party(account="999999999999", name="Harbour Cloud (a second consultant)", kind="practice"),
    Party(account="441709265583", name="Brightwater Dental", kind="client"),
    Party(account="222222222222", name="Hollins Farm", kind="client"),
    Party(account="333333333333", name="Acacia Legal", kind="client"),
    Party(account="444455556666", name="Stranger", kind="stranger"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One simulated account with the keys of its user. Hub role and bucket are a practice's only."""

    account: str
    name: str
    kind: Kind
    user: str
    access_key_id: str
    secret_access_key: str = field(repr=False)
    hub_role_arn: str | None = None
    template_bucket: str | None = None


class AccountsFile(TypedDict):
    """What accounts.json holds."""

    endpoint: str
    seed: str
    accounts: dict[str, dict[str, str | None]]


def _policy(*statements: dict[str, object]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def _make_user(iam: IAMBackend, party: Party) -> tuple[str, str]:
    iam.create_user(region_name="us-east-1", user_name=party.user, path="/", tags=[])
    key = iam.create_access_key(party.user)
    return key.access_key_id, key.secret_access_key


def _let_administer(iam: IAMBackend, user: str) -> None:
    iam.attach_user_policy("arn:aws:iam::aws:policy/AdministratorAccess", user)


def _make_hub_role(iam: IAMBackend, account: str, bucket: str) -> str:
    user = f"arn:aws:iam::{account}:user/{PORTAL_USER}"
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
    enter = {
        "Effect": "Allow",
        "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
        "Resource": "arn:aws:iam::*:role/latchkey-*",
    }
    publish = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    iam.put_role_policy(HUB_ROLE, "hub", _policy(enter, publish))
    only_the_hub = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": role.arn}
    iam.put_user_policy(PORTAL_USER, "hub", _policy(only_the_hub))
    return str(role.arn)


def _make_template_bucket(account: str) -> str:
    name, s3 = f"latchkey-templates-{account}", s3_backends[account]["aws"]
    s3.create_bucket(name, REGION)
    s3.put_bucket_versioning(name, "Enabled")
    read = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": ["s3:GetObject", "s3:GetObjectVersion"],
        "Resource": f"arn:aws:s3:::{name}/*",
    }
    s3.put_bucket_policy(name, _policy(read).encode())
    return name


def _make(party: Party) -> Account:
    iam = iam_backends[party.account]["aws"]
    key_id, secret = _make_user(iam, party)
    hub = bucket = None
    if party.kind == "practice":
        bucket = _make_template_bucket(party.account)
        hub = _make_hub_role(iam, party.account, bucket)
    else:
        _let_administer(iam, party.user)
    return Account(
        account=party.account,
        name=party.name,
        kind=party.kind,
        user=party.user,
        access_key_id=key_id,
        secret_access_key=secret,
        hub_role_arn=hub,
        template_bucket=bucket,
    )


def bootstrap(seed: str) -> dict[str, Account]:
    """Make every account in-process, in an empty AWS. The same seed gives the same keys and unique ids."""
    made = {}
    for party in PARTIES:
        with ids.seeded(f"{seed}:{party.account}"):
            made[party.account] = _make(party)
    return made


def read_seed(folder: Path) -> str:
    """The seed of the accounts kept in this folder; a new one when there are none."""
    try:
        kept: AccountsFile = json.loads((folder / "accounts.json").read_text())
    except FileNotFoundError:
        return secrets.token_hex(16)
    return kept["seed"]


def write_accounts(folder: Path, endpoint: str, seed: str, accounts: dict[str, Account]) -> Path:
    """Write accounts.json, readable by its owner only, in one step: a reader sees the old file or the new one."""
    entries = {
        number: {k: v for k, v in asdict(a).items() if k != "account"} for number, a in accounts.items()
    }
    content = AccountsFile(endpoint=endpoint, seed=seed, accounts=entries)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(dir=folder)  # mode 0600 from the start
    with os.fdopen(handle, "w") as file:
        json.dump(content, file, indent=2)
    return Path(name).replace(folder / "accounts.json")
