"""Templates: what Django lets pass in silence."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from django.conf import settings

TRANSLATED: Final = re.compile(r"{% blocktranslate[^%]*%}(.*?){% endblocktranslate %}", re.DOTALL)
DOTTED: Final = re.compile(r"{{\s*[^}\s]*[.|][^}]*}}")


def test_no_translated_sentence_asks_for_more_than_plain_names() -> None:
    """Within `blocktranslate` a dotted name is no error and no word: the sentence has a hole."""
    found = {
        str(path): holes
        for folder in ("templates", "accounts", "engagements", "awsaccess", "portal")
        for path in Path(settings.BASE_DIR, folder).rglob("*.*")
        if path.suffix in {".html", ".txt"}
        for body in TRANSLATED.findall(path.read_text(encoding="utf-8"))
        if (holes := DOTTED.findall(body))
    }
    assert found == {}
