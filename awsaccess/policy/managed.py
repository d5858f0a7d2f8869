"""AWS's own policies whose contents are known here, so that they can be explained and judged without a network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from awsaccess.policy.documents import Document, document

# AWS may change most of its own at any time; this one is fixed by what it is.
KNOWN: Final[Mapping[str, Document]] = {
    "arn:aws:iam::aws:policy/AdministratorAccess": document(
        {"Effect": "Allow", "Action": "*", "Resource": "*"}
    ),
}
