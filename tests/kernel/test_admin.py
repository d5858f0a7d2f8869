"""What the console's base class refuses when a subclass says nothing: no page, no form, no change, no deletion."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.test import RequestFactory

from accounts.models import Practice
from portal.kernel.admin import ScopedModelAdmin, attempt
from portal.kernel.errors import NotVisible


@pytest.fixture
def bare() -> ScopedModelAdmin[Practice]:
    """A registration that fills nothing in."""
    return ScopedModelAdmin(Practice, admin.site)


@pytest.fixture
def request_() -> HttpRequest:
    """An owner's request."""
    request = RequestFactory().get("/")
    vars(request)["membership"] = SimpleNamespace(role="owner")
    return request


def test_a_page_and_an_act_are_for_the_subclass_to_say(
    bare: ScopedModelAdmin[Practice], request_: HttpRequest
) -> None:
    with pytest.raises(NotImplementedError):
        bare.panels(request_, Practice())
    with pytest.raises(NotImplementedError):
        bare.add(request_, {})


def test_without_a_form_nobody_adds(bare: ScopedModelAdmin[Practice], request_: HttpRequest) -> None:
    assert not bare.has_add_permission(request_)
    with pytest.raises(PermissionDenied):
        bare.make_add_form(request_)


def test_members_read_and_nobody_edits_or_deletes(
    bare: ScopedModelAdmin[Practice], request_: HttpRequest
) -> None:
    assert bare.has_module_permission(request_)
    assert not bare.has_change_permission(request_)
    assert not bare.has_delete_permission(request_)
    assert not bare.has_module_permission(RequestFactory().get("/"))


def test_what_is_not_visible_is_not_there() -> None:
    def act() -> str:
        raise NotVisible

    with pytest.raises(Http404):
        attempt(forms.Form(), act)


@pytest.mark.parametrize("object_id", ["\u0661", "a\x00b", "\u200b"])
def test_an_address_of_other_characters_is_not_there(
    bare: ScopedModelAdmin[Practice], request_: HttpRequest, object_id: str
) -> None:
    with pytest.raises(Http404):
        bare.find(request_, object_id)
