"""What the code asks to have translated, read from the code itself: Python by its syntax tree, templates by Django's parser.

The console and the demo's desk are in English as a whole, so what stands in them is not asked for.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from django.template import Engine
from django.template.base import NodeList
from django.templatetags.i18n import BlockTranslateNode, TranslateNode

from portal.kernel.languages.catalogue import Entry, Key

ROOMS: Final = ("accounts", "awsaccess", "engagements", "portal", "templates")
ENGLISH: Final = (
    "portal/console/",
    "portal/demo/",
    "awsaccess/sandbox/",
    "templates/admin/",
    "templates/demo/",
)
# What each function is given, in order.
CALLS: Final = {
    "_": ("words",),
    "gettext": ("words",),
    "gettext_lazy": ("words",),
    "gettext_noop": ("words",),
    "pgettext": ("context", "words"),
    "pgettext_lazy": ("context", "words"),
    "ngettext": ("words", "plural"),
    "ngettext_lazy": ("words", "plural"),
}
IN_TAG: Final = re.compile(r"""\b_\((["'])(.+?)\1\)""")  # _("words") among the values of another tag
TEMPLATES: Final = frozenset({".html", ".txt"})


class NoWords(ValueError):
    """Raised where words are put together before they are asked for: no catalogue can hold them."""


def asked_in(base: Path) -> list[Entry]:
    """All that is asked for under `base`, by file and then as it stands there. Raises NoWords."""
    places: dict[Key, list[str]] = defaultdict(list)
    for path in _files(base):
        name = path.relative_to(base).as_posix()
        text = path.read_text(encoding="utf-8")
        found = python_keys(text, name) if path.suffix == ".py" else template_keys(text)
        for key in found:
            if name not in places[key]:
                places[key].append(name)
    return [Entry(key=key, places=tuple(names)) for key, names in places.items()]


def python_keys(text: str, name: str) -> Iterator[Key]:
    """What a module asks for, in the order of its lines. Raises NoWords."""
    calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    for call in sorted(calls, key=lambda node: (node.lineno, node.col_offset)):
        function = call.func.id if isinstance(call.func, ast.Name) else ""
        if function in CALLS:
            yield _called(call, CALLS[function], f"{name}:{call.lineno}")


def template_keys(text: str) -> Iterator[Key]:
    """What a template asks for."""
    nodes: NodeList = Engine.get_default().from_string(text).nodelist
    wanted = [
        *nodes.get_nodes_by_type(TranslateNode),
        *nodes.get_nodes_by_type(BlockTranslateNode),
    ]
    for node in wanted:
        yield _block(node) if isinstance(node, BlockTranslateNode) else _sentence(node)
    for _mark, words in IN_TAG.findall(text):
        yield Key(words=words)


def _files(base: Path) -> Iterator[Path]:
    for room in ROOMS:
        for path in sorted((base / room).rglob("*")):
            name = path.relative_to(base).as_posix()
            is_ours = path.suffix == ".py" or (room == "templates" and path.suffix in TEMPLATES)
            if is_ours and not name.startswith(ENGLISH):
                yield path


def _called(call: ast.Call, names: tuple[str, ...], place: str) -> Key:
    given = dict(zip(names, call.args, strict=False))
    told = {
        name: value.value
        for name, value in given.items()
        if isinstance(value, ast.Constant) and isinstance(value.value, str)
    }
    if set(told) != set(names):
        raise NoWords(f"{place}: a catalogue takes whole sentences only, with %(names)s for what changes")
    return Key(**told)


def _sentence(node: Any) -> Key:  # Any: Django's node, whose parts are not typed
    words = str(node.filter_expression.var.literal).replace("%", "%%")  # as Django asks for it
    return Key(words=words, context=_context(node))


def _block(node: Any) -> Key:  # Any: as above
    words, _names = node.render_token_list(node.singular)
    plural = node.render_token_list(node.plural)[0] if node.plural else ""
    return Key(words=words, context=_context(node), plural=plural)


def _context(node: Any) -> str:  # Any: as above
    return str(node.message_context.var if node.message_context else "")
