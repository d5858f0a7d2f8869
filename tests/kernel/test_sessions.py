"""A session is found by its cookie, and the table has no cookie in it."""

from __future__ import annotations

import pytest
from django.contrib.sessions.models import Session
from django.db.models.functions import Now
from django.test import Client as Browser

from accounts.models import User
from portal.kernel.sessions import SessionStore, stored_key

pytestmark = pytest.mark.django_db


@pytest.fixture
def kept() -> SessionStore:
    store = SessionStore()
    store["word"] = "here"
    store.create()
    return store


def keys() -> list[str]:
    return list(Session.objects.values_list("session_key", flat=True))


def test_the_table_holds_the_hash_and_not_the_cookie(kept: SessionStore) -> None:
    assert kept.session_key
    assert keys() == [stored_key(kept.session_key)]
    assert len(keys()[0]) == 40
    assert kept.session_key not in keys()


def test_it_is_found_by_its_cookie_and_not_by_what_the_table_holds(kept: SessionStore) -> None:
    assert SessionStore(kept.session_key)["word"] == "here"
    assert SessionStore(keys()[0]).get("word") is None
    assert kept.exists(kept.session_key or "")
    assert not kept.exists(keys()[0])


def test_it_is_changed_in_its_own_row(kept: SessionStore) -> None:
    again = SessionStore(kept.session_key)
    again["word"] = "there"
    again.save()
    assert len(keys()) == 1
    assert SessionStore(kept.session_key)["word"] == "there"


def test_a_new_key_leaves_no_old_row(kept: SessionStore) -> None:
    old = kept.session_key
    kept.cycle_key()
    assert kept.session_key != old
    assert keys() == [stored_key(kept.session_key or "")]
    assert SessionStore(old).get("word") is None


def test_what_is_flushed_or_deleted_is_gone(kept: SessionStore) -> None:
    cookie = kept.session_key
    SessionStore().delete()
    assert len(keys()) == 1
    SessionStore().delete(cookie)
    assert keys() == []
    kept.flush()
    assert kept.session_key is None


def test_what_has_expired_is_not_found(kept: SessionStore) -> None:
    Session.objects.update(expire_date=Now())
    stale = SessionStore(kept.session_key)
    assert stale.get("word") is None
    assert stale.session_key is None


def test_a_stolen_row_signs_nobody_in() -> None:
    user = User.objects.create_user("sam@brightwater.example", name="Sam Carter")
    browser, thief = Browser(), Browser()
    browser.force_login(user)
    assert browser.get("/welcome/").status_code == 200
    thief.cookies["sessionid"] = keys()[0]
    assert thief.get("/welcome/").status_code == 302
