"""One firm of its own for each test, and a browser at an address of its own: limits count by both."""

from __future__ import annotations

import secrets

import pytest
from django.test import Client

from tests.factories import Firm, make_firm


def make_browser(*, check_forms: bool = False) -> Client:
    number = secrets.randbits(24)
    address = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
    return Client(enforce_csrf_checks=check_forms, REMOTE_ADDR=address)


@pytest.fixture
def browser() -> Client:
    return make_browser()


@pytest.fixture
def firm(real_db: None) -> Firm:
    return make_firm(f"f{secrets.token_hex(4)}")
