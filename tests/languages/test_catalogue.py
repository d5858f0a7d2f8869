"""The catalogues hold what the code asks for, and the files are read and written without any other tool."""

from __future__ import annotations

import gettext
import io
from pathlib import Path
from typing import Final

import pytest
from django.core.management import CommandError, call_command

from portal.kernel.languages import extraction, keeping
from portal.kernel.languages.catalogue import Catalogue, Entry, Key, Unreadable, mo_of, read_po, write_po

BASE: Final = Path(__file__).resolve().parents[2]
HEADER: Final = "Content-Type: text/plain; charset=UTF-8\nPlural-Forms: nplurals=2; plural=(n != 1);\n"
PAUSE: Final = Entry(key=Key(words="Pause"), forms=("Pausieren",), places=("a.py",))
DAYS: Final = Entry(key=Key(words="%(n)s day", plural="%(n)s days"), forms=("%(n)s Tag", "%(n)s Tage"))
QUOTED: Final = Entry(key=Key(words='Say "no"\n\tnow \\'), forms=("Sag „nein“\n\tjetzt \\",))
FORM: Final = Entry(key=Key(words="j F", context="date format"), forms=("j. F",))
UNSURE: Final = Entry(key=Key(words="Open"), forms=("Offen",), is_fuzzy=True)
EMPTY: Final = Entry(key=Key(words="Close"), forms=("",))
SHORT: Final = Catalogue(header=HEADER, entries=(PAUSE, DAYS, QUOTED, FORM, UNSURE, EMPTY))


def test_ux_row_68_the_catalogue_is_complete_and_is_what_the_code_asks_for() -> None:
    """If this fails, `make messages` says and does what is needed."""
    shelves = keeping.shelves_of(BASE)
    assert [shelf.language for shelf in shelves] == ["de"]
    assert [fault for shelf in shelves for fault in shelf.faults(is_kept=True)] == []


def test_a_catalogue_is_read_as_it_was_written() -> None:
    assert read_po(write_po(SHORT)) == SHORT


def test_python_reads_what_is_whole_and_stays_english_for_the_rest() -> None:
    told = gettext.GNUTranslations(io.BytesIO(mo_of(SHORT)))
    assert told.gettext("Pause") == "Pausieren"
    assert told.gettext(QUOTED.key.words) == QUOTED.forms[0]
    assert told.pgettext("date format", "j F") == "j. F"
    assert [told.ngettext("%(n)s day", "%(n)s days", n) for n in (1, 2)] == ["%(n)s Tag", "%(n)s Tage"]
    assert [told.gettext(words) for words in ("Open", "Close")] == ["Open", "Close"]


def test_what_others_write_into_such_a_file_is_understood() -> None:
    text = '#. a remark\n#: a.py:3 b.py\n#, fuzzy, python-format\nmsgid ""\n"Pause "\n"it"\nmsgstr "Halt"\n'
    (entry,) = read_po(text).entries
    assert entry == Entry(
        key=Key(words="Pause it"), forms=("Halt",), places=("a.py:3", "b.py"), is_fuzzy=True
    )


@pytest.mark.parametrize("line", ['msg "x"', 'msgid "x', "msgid x"])
def test_a_line_that_is_none_is_named(line: str) -> None:
    with pytest.raises(Unreadable, match="line 2"):
        read_po(f"\n{line}\n")


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (PAUSE, ""),
        (DAYS, ""),
        (UNSURE, "no translation"),
        (EMPTY, "make messages"),
        (Entry(key=DAYS.key, forms=("%(n)s Tage",)), "a form for one"),
        (Entry(key=DAYS.key, forms=("Tag", "Tage")), "other %(names)s"),
        (Entry(key=DAYS.key, forms=("ein Tag", "%(n)s Tage")), ""),
        (Entry(key=DAYS.key, forms=("%(m)s Tag", "%(n)s Tage")), "other %(names)s"),
        (Entry(key=Key(words="<b>No</b>"), forms=("<b>Nein",)), "other tags"),
    ],
)
def test_what_is_wrong_with_a_translation_is_said(entry: Entry, said: str) -> None:
    found = " ".join(keeping.faults_of(entry))
    assert said in found
    assert bool(found) == bool(said)


def test_python_is_read_by_its_calls() -> None:
    text = """
from django.utils.translation import gettext_lazy as _, ngettext, pgettext
A = _("one " "two")
B = pgettext("date format", "j F") + ngettext("%(n)s day", "%(n)s days", 2)
C = other("three")
"""
    assert list(extraction.python_keys(text, "a.py")) == [
        Key(words="one two"),
        Key(words="j F", context="date format"),
        Key(words="%(n)s day", plural="%(n)s days"),
    ]


@pytest.mark.parametrize("call", ['gettext(f"{name} left")', "gettext(name)", 'ngettext("one")'])
def test_words_that_are_put_together_first_are_refused(call: str) -> None:
    with pytest.raises(extraction.NoWords, match=r"a\.py:1: a catalogue takes whole sentences"):
        list(extraction.python_keys(call, "a.py"))


def test_templates_are_read_as_django_reads_them() -> None:
    text = """{% load i18n %}{% translate "100% sure" %}{% translate "j F" context "date format" as form %}
{% blocktranslate trimmed with name=person.name %}
  Hello
  {{ name }}{% endblocktranslate %}{% if x %}{% blocktranslate count n=n %}{{ n }} day{% plural %}{{ n }} days{% endblocktranslate %}{% endif %}
{% firstof name _("Nobody") %}"""
    assert set(extraction.template_keys(text)) == {
        Key(words="100%% sure"),
        Key(words="j F", context="date format"),
        Key(words="Hello %(name)s"),
        Key(words="%(n)s day", plural="%(n)s days"),
        Key(words="Nobody"),
    }


def test_pages_that_are_english_as_a_whole_ask_for_nothing(tmp_path: Path) -> None:
    for name in ("portal/console", "portal/pages", "templates/admin"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "page.py").write_text('gettext("Here")')
        (tmp_path / name / "page.html").write_text('{% load i18n %}{% translate "There" %}')
    assert [(one.key.words, one.places) for one in extraction.asked_in(tmp_path)] == [
        ("Here", ("portal/pages/page.py",))
    ]


def _house(base: Path, words: str) -> Path:
    """A house with one word, and a German catalogue that does not know it yet."""
    (base / "portal").mkdir()
    (base / "portal" / "a.py").write_text(f'gettext("{words}")\ngettext("{words}")')
    place = base / "portal" / "locale" / "de" / "LC_MESSAGES" / "django.po"
    place.parent.mkdir(parents=True)
    place.write_text(write_po(Catalogue(header=HEADER, entries=(DAYS,))))
    return place


def test_one_command_renews_the_files_and_says_what_is_left(tmp_path: Path) -> None:
    place, told = _house(tmp_path, "Pause"), io.StringIO()
    with pytest.raises(CommandError, match=r"Pause.*a\.py.*make messages"):
        call_command("messages", base=tmp_path, stdout=told)
    assert [entry.key.words for entry in read_po(place.read_text()).entries] == ["Pause"]  # DAYS is forgotten
    place.write_text(place.read_text().replace('msgid "Pause"\nmsgstr ""', 'msgid "Pause"\nmsgstr "Halt"'))
    with pytest.raises(CommandError, match="MO file"):
        call_command("messages", base=tmp_path, check=True, stdout=told)
    call_command("messages", base=tmp_path, stdout=told)
    call_command("messages", base=tmp_path, check=True, stdout=told)
    assert "de: 1 words" in told.getvalue()
    made = io.BytesIO(place.with_suffix(".mo").read_bytes())
    assert gettext.GNUTranslations(made).gettext("Pause") == "Halt"


def test_a_check_writes_nothing(tmp_path: Path) -> None:
    place = _house(tmp_path, "Pause")
    before = place.read_text()
    with pytest.raises(CommandError, match="not what the code asks for"):
        call_command("messages", base=tmp_path, check=True, stdout=io.StringIO())
    assert place.read_text() == before
    assert not place.with_suffix(".mo").exists()
