"""Text as attackers write it: pieces of every language that the portal's output passes through, between any other."""

from __future__ import annotations

import os
from typing import Final

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

# Ten thousand for each generator where every change is judged; while working, a taste of them.
EXAMPLES: Final = int(os.environ.get("EXAMPLES") or (10_000 if os.environ.get("CI") == "true" else 500))
PIECES: Final = (
    *("'", '"', "`", "\\", "\\'", '\\"', "''", "$(id)", "`id`", "${x}", "$${x}", "%{x}", "$x", "!", "#", ";id;"),
    *("\n", "\r", "\r\n", "\t", "\0", "\x0b", "\x0c", "\x1b[2J", "\x1c", "\x7f", "\x85", "\u2028", "\u2029"),
    *("{{resolve:ssm:x}}", "{{ settings.SECRET_KEY }}", "{% debug %}", "${AWS::AccountId}", "!Sub", "Fn::Sub"),
    *('{"Ref": "x"}', '"}],"Effect":"Allow', "*", "?", "arn:aws:iam::1:root", "<script>", "</title>", "&amp;", "]]>"),
    *("Bcc: eve@evil.example", "\r\nBcc: eve@evil.example", "<eve@evil.example>", ",eve@evil.example", "=?utf-8?q?x?="),
    *("&to=x", "?cc=x", "#/x", "%00", "%0d%0a", "+", "@", "=1+1", "../", "//evil.example", "https://evil.example"),
    *("é", "e\u0301", "漢字", "🦷", "\u202e", "\u200b", "\ufeff", "\uff1d", "ﬁ", "İ", "ß", "\U0010ffff"),
)  # fmt: skip
# Joined pieces find what splits a value; single characters find what no list foresaw. Surrogates are no text at all.
HOSTILE: Final = st.lists(
    st.sampled_from(PIECES) | st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=6),
    max_size=6,
).map("".join)
THOROUGH: Final = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
