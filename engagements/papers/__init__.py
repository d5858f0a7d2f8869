"""What stands on the signed papers: rows become words in the reader's language, and nothing of a row is markup."""

from __future__ import annotations
