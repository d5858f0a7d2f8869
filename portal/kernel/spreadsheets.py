"""Tables for spreadsheet programs, in which no cell is a formula (SECURITY W4)."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Final

from django.http import HttpResponse

# What makes a program calculate, also in its full-width form, and what hides such a character behind it.
FORMULA: Final = re.compile(r"[=+\-@|\t\r\n\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS SIGN}"
                            r"\N{FULLWIDTH HYPHEN-MINUS}\N{FULLWIDTH COMMERCIAL AT}]")  # fmt: skip
BYTE_ORDER_MARK: Final = "\ufeff"  # without it, Excel reads UTF-8 as its own code page


def literal(text: str) -> str:
    """The text as a cell that no program calculates: a formula is shown with an apostrophe before it."""
    return f"'{text}" if FORMULA.match(text) else text


def csv_text(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """RFC 4180 with every cell quoted; line ends are CR LF."""
    written = io.StringIO()
    writer = csv.writer(written, quoting=csv.QUOTE_ALL)
    writer.writerows([literal(cell) for cell in row] for row in (header, *rows))
    return written.getvalue()


def csv_response(name: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> HttpResponse:
    """The table as a download. `name` is a file name of ours, never a person's."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    text = BYTE_ORDER_MARK + csv_text(header, rows)
    return HttpResponse(text, content_type="text/csv; charset=utf-8", headers=headers)
