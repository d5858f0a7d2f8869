"""What is sealed opens for its own use only, and tokens come out the same every time."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from django.conf import settings as installed
from hypothesis import given
from hypothesis import strategies as st

from portal.kernel import secrets
from portal.kernel.redaction import HideTokens, OneLine

OLD = "an-older-key-" * 5


@given(st.binary(max_size=300), st.text(max_size=20))
def test_what_is_sealed_comes_back(clear: bytes, bound_to: str) -> None:
    sealed = secrets.seal("letter", clear, bound_to=bound_to)
    assert secrets.unseal("letter", sealed, bound_to=bound_to) == clear
    assert len(clear) < 8 or clear not in sealed


@given(st.integers(min_value=0, max_value=40))
def test_one_flipped_bit_is_noticed(place: int) -> None:
    sealed = bytearray(secrets.seal("letter", b"some words"))
    sealed[place % len(sealed)] ^= 1
    with pytest.raises(secrets.Unreadable):
        secrets.unseal("letter", bytes(sealed))


@pytest.mark.parametrize(("purpose", "bound_to"), [("session", "1"), ("letter", "2")])
def test_it_opens_for_no_other_use_and_no_other_row(purpose: str, bound_to: str) -> None:
    sealed = secrets.seal("letter", b"words", bound_to="1")
    with pytest.raises(secrets.Unreadable):
        secrets.unseal(purpose, sealed, bound_to=bound_to)


@pytest.mark.parametrize("rubbish", [b"", b"\x01", b"\x01short", b"\x02" + bytes(60), bytes(60)])
def test_rubbish_is_unreadable(rubbish: bytes) -> None:
    with pytest.raises(secrets.Unreadable):
        secrets.unseal("letter", rubbish)


def test_two_seals_of_the_same_words_differ() -> None:
    assert secrets.seal("letter", b"words") != secrets.seal("letter", b"words")


def test_an_older_key_still_opens_and_a_forgotten_one_does_not(settings: Any) -> None:
    newest = installed.SECRET_KEY
    settings.SECRET_KEY = OLD
    sealed, (token,) = secrets.seal("letter", b"words"), secrets.tokens("invitation", b"1")
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = newest, ["never-used", OLD]
    assert secrets.unseal("letter", sealed) == b"words"
    assert list(secrets.tokens("invitation", b"1"))[2] == token
    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(secrets.Unreadable):
        secrets.unseal("letter", sealed)


def test_tokens_are_the_same_each_time_and_differ_by_use_and_subject() -> None:
    (token,) = secrets.tokens("invitation", b"1")
    assert next(secrets.tokens("invitation", b"1")) == token
    assert token not in {next(secrets.tokens("invitation", b"2")), next(secrets.tokens("other", b"1"))}
    assert len(token) == 32
    assert token.isalnum()
    assert len(secrets.fingerprint(token)) == 64


def test_a_session_at_rest_says_nothing() -> None:
    serializer = secrets.SealedSerializer()
    sealed = serializer.dumps({"code": "123456"})
    assert b"123456" not in sealed
    assert serializer.loads(sealed) == {"code": "123456"}


@pytest.mark.parametrize(
    ("said", "written"),
    [
        (("Gone: %s", "/i/abc234/"), "Gone: /i/[hidden]/"),
        (("at /i/abc234/again/ and /i/x",), "at /i/[hidden]/again/ and /i/[hidden]"),
        (("Not Found: %s", "/e/abc/"), "Not Found: /e/abc/"),
    ],
)
def test_tokens_do_not_reach_the_log(said: tuple[str, ...], written: str) -> None:
    record = logging.LogRecord("django.request", logging.WARNING, "", 0, said[0], said[1:], None)
    assert HideTokens().filter(record)
    assert record.getMessage() == written


def test_the_filter_stands_before_every_handler() -> None:
    handlers: Any = installed.LOGGING["handlers"]  # Any: settings have no types
    assert all(handler["filters"] == ["no_tokens"] for handler in handlers.values())


def entry(said: str, *values: object, error: Exception | None = None) -> str:
    line: Any = installed.LOGGING["formatters"]  # Any: settings have no types
    caught = (type(error), error, None) if error else None
    record = logging.LogRecord("portal", logging.ERROR, "", 0, said, values, caught)
    return OneLine(line["line"]["fmt"]).format(record)


@pytest.mark.parametrize("breaks", ["\n", "\r\n", "\r", "\x0b", "\x1b[2J", "\x85", "\u2028"])
def test_nobody_writes_a_line_of_the_log(breaks: str) -> None:
    said = entry("an error on %s", f"/e/x{breaks}2026-01-01 00:00:00 INFO portal all is well")
    assert len(said.splitlines()) == 1
    assert said.isprintable()


def test_what_an_error_says_stands_indented_below_its_entry() -> None:
    error = RuntimeError("bad\n2026-01-01 00:00:00 INFO portal all is well /i/abc234/\x1b[2J")
    first, *more = entry("a bug", error=error).split("\n")
    assert first.endswith("ERROR portal a bug")
    assert more
    assert all(line.startswith("    ") and line.isprintable() for line in more)
    assert "/i/[hidden]/" in more[-1]
    assert "abc234" not in more[-1]


def test_every_handler_writes_single_lines() -> None:
    handlers: Any = installed.LOGGING["handlers"]  # Any: settings have no types
    formatters: Any = installed.LOGGING["formatters"]  # Any: as above
    for handler in handlers.values():
        assert formatters[handler["formatter"]]["()"] == "portal.kernel.redaction.OneLine"
