"""What is sealed opens for its own use only, and tokens come out the same every time."""

from __future__ import annotations

import logging
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings as installed
from django.core.management import CommandError, call_command
from django.db import DatabaseError
from hypothesis import given
from hypothesis import strategies as st

from accounts.services.letters import letter_promise
from portal.kernel import clock, mail, secrets, tenancy
from portal.kernel.models import SealedLetter
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


def with_new_key(settings: Any) -> None:
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "a-newer-key-" * 5, [settings.SECRET_KEY]


def letters() -> list[SealedLetter]:
    with tenancy.use(tenancy.platform_scope()):
        return list(SealedLetter.objects.order_by("created_at"))


def letter_to(address: str) -> None:
    letter_promise(mail.Letter(to=address, subject="Code", text="123456"))


def rotated(capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    call_command("rotate_secrets")
    return capsys.readouterr().out


def test_what_is_sealed_names_its_key_and_not_the_keys_owner(settings: Any) -> None:
    first = secrets.seal("letter", b"words")
    assert first[:5] == secrets.seal("session", b"other")[:5]
    assert secrets.is_current(first)
    with_new_key(settings)
    assert not secrets.is_current(first)
    assert secrets.seal("letter", b"words")[:5] != first[:5]
    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(secrets.Unreadable):
        secrets.unseal("letter", first)


def test_a_letter_copied_into_another_row_does_not_open(real_db: None) -> None:
    letter_to("sam@brightwater.example")
    letter_to("eve@elsewhere.example")
    mine, other = letters()
    other.sealed = mine.sealed
    with pytest.raises(secrets.Unreadable):
        mail.unseal(other, message_key="k")
    mine.practice_id = UUID(int=7)
    with pytest.raises(secrets.Unreadable):
        mail.unseal(mine, message_key="k")


def test_after_a_rotation_the_old_key_can_go(
    real_db: None, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("sam", "ruth"):
        letter_to(f"{name}@brightwater.example")
    before = [bytes(row.sealed) for row in letters()]
    with_new_key(settings)
    letter_to("lena@acacia.example")
    assert "letter: 2 sealed anew, 1 under the newest key already, 0 that no key opens" in rotated(capsys)
    settings.SECRET_KEY_FALLBACKS = []
    found = letters()
    assert [mail.unseal(row, message_key="k").to for row in found] == [
        "sam@brightwater.example",
        "ruth@brightwater.example",
        "lena@acacia.example",
    ]
    assert not {bytes(row.sealed) for row in found} & set(before)
    assert "letter: 0 sealed anew, 3 under the newest key already" in rotated(capsys)


def test_a_rotation_without_the_old_key_says_so_and_breaks_nothing(
    real_db: None, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    letter_to("sam@brightwater.example")
    (before,) = letters()
    old = settings.SECRET_KEY
    with_new_key(settings)
    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(CommandError, match="is an older one missing"):
        call_command("rotate_secrets")
    assert "1 that no key opens" in capsys.readouterr().out
    settings.SECRET_KEY_FALLBACKS = [old]
    assert bytes(letters()[0].sealed) == bytes(before.sealed)
    assert "1 sealed anew" in rotated(capsys)


def test_what_is_used_while_a_rotation_runs_does_not_come_back(real_db: None, settings: Any) -> None:
    letter_to("sam@brightwater.example")
    with_new_key(settings)
    keeper = secrets.KEEPERS[mail.SEALED]
    with tenancy.use(tenancy.platform_scope()):
        (thing,) = keeper.things()
        SealedLetter.objects.all().delete()
        assert not keeper.swap(thing, b"anew")
    assert letters() == []


def test_only_what_is_sealed_changes_in_a_letter_and_never_whose_it_is(real_db: None) -> None:
    letter_to("sam@brightwater.example")
    with tenancy.use(tenancy.platform_scope()), pytest.raises(DatabaseError, match="created_at is frozen"):
        SealedLetter.objects.update(created_at=clock.now())


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
    assert all(line.startswith("  | ") and line.isprintable() for line in more)
    assert "/i/[hidden]/" in more[-1]
    assert "abc234" not in more[-1]


def test_every_handler_writes_single_lines() -> None:
    handlers: Any = installed.LOGGING["handlers"]  # Any: settings have no types
    formatters: Any = installed.LOGGING["formatters"]  # Any: as above
    for handler in handlers.values():
        assert formatters[handler["formatter"]]["()"] == "portal.kernel.redaction.OneLine"
