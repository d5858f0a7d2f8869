"""Who has an account in the sandbox, and what accounts.json says of each. Light: it imports nothing of moto."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, TypedDict

from awsaccess.sandbox.signing import Keys

Kind = Literal["practice", "client", "stranger"]

REGION: Final = "eu-west-1"
HUB_ROLE: Final = "latchkey-hub"
CONTROL_ROLE: Final = "latchkey-control"
PORTAL_USER: Final = "portal"
CALLBACK: Final = "latchkey-callback"
ADMINISTRATOR: Final = "administrator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """Who an account belongs to."""

    account_id: str
    name: str
    kind: Kind


PARTIES: Final = (
    Party(account_id="111111111111", name="Northgate Cloud", kind="practice"),
    Party(account_id="999999999999", name="Harbour Cloud", kind="practice"),
    Party(account_id="441709265583", name="Brightwater Dental", kind="client"),
    Party(account_id="222222222222", name="Hollins Farm", kind="client"),
    Party(account_id="333333333333", name="Acacia Legal", kind="client"),
    Party(account_id="444455556666", name="Stranger", kind="stranger"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One simulated account with the keys of its administrator. What is None is a practice's only."""

    account_id: str
    name: str
    kind: Kind
    region: str
    admin_user: str
    admin_access_key_id: str
    admin_secret_access_key: str = field(repr=False)
    portal_user: str | None = None
    portal_access_key_id: str | None = None
    portal_secret_access_key: str | None = field(default=None, repr=False)
    hub_role_arn: str | None = None
    bucket: str | None = None
    topic_arn: str | None = None
    queue_url: str | None = None

    @property
    def portal_keys(self) -> Keys:
        """For calls in the name of a practice's portal. Raises ValueError for other accounts."""
        if self.portal_access_key_id is None or self.portal_secret_access_key is None:
            raise ValueError(f"{self.name} is no practice")
        return Keys(access_key_id=self.portal_access_key_id, secret_access_key=self.portal_secret_access_key)

    @property
    def admin_keys(self) -> Keys:
        """For calls in the administrator's name."""
        return Keys(access_key_id=self.admin_access_key_id, secret_access_key=self.admin_secret_access_key)


class AccountsFile(TypedDict):
    """What accounts.json holds."""

    endpoint: str
    seed: str
    accounts: dict[str, dict[str, str | None]]


def read_accounts(folder: Path) -> tuple[str, dict[str, Account]]:
    """The endpoint of a running sandbox and its accounts by number. Raises FileNotFoundError before its first start."""
    kept: AccountsFile = json.loads((folder / "accounts.json").read_text())
    return kept["endpoint"], {number: Account(**entry) for number, entry in kept["accounts"].items()}  # type: ignore[arg-type]  # as it was written
