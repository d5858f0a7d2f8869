"""Help for clients: open to everybody, whole on paper, in words that everybody reads."""

from __future__ import annotations

import re

import pytest
from django.test import Client as Browser
from django.urls import reverse

from portal.pages.help import PAGES
from tests.pages.reading import read
from tests.pages.screen import Chromium, Film
from tests.pages.test_screens import faults, sideways

pytestmark = pytest.mark.django_db
NAMES = [name for name, _ in PAGES]


@pytest.mark.parametrize("name", NAMES)
def test_everybody_reads_it_without_signing_in(name: str) -> None:
    response = Browser().get(reverse(name))
    assert response.status_code == 200
    page = read(response)
    others = [reverse(other) for other in NAMES if other != name]
    assert all(f'href="{other}"' in response.content.decode() for other in others)
    assert page.h1


def test_help_answers_ten_questions() -> None:
    shown = Browser().get(reverse("help")).content.decode()
    questions = re.findall(r"<h2[^>]*>([^<]*)</h2>", shown)
    assert len(questions) == 10
    assert all(question.endswith("?") for question in questions)


def test_the_sign_in_page_leads_there() -> None:
    shown = Browser().get(reverse("account_login")).content.decode()
    assert f'href="{reverse("help")}"' in shown
    assert f'href="{reverse("privacy")}"' in shown


@pytest.mark.parametrize("name", NAMES)
def test_it_fits_every_width_and_axe_finds_nothing(name: str, chromium: Chromium) -> None:
    path = reverse(name)
    film = Film().shoot(Browser(), path)
    assert chromium.look(film, path, lambda page: (sideways(page), faults(page))) == ({}, [])
