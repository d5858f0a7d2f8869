"""The client's pages by subject. Views parse and choose; selectors read, presenters word, services write."""

from __future__ import annotations
