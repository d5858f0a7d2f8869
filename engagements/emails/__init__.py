"""The mails of the paper side: who reads which, in which words, and whether they are still true when they leave."""

from __future__ import annotations
