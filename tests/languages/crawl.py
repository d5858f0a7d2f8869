"""Each page that people outside of the console see, and what is looked at on it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.test import Client as Browser

from accounts.models import User
from engagements.models import Offer
from portal.kernel import tenancy
from tests.languages.pseudo import Pseudo
from tests.pages.screen import Answer, Film, answer_of
from tests.pages.stage import Stage

if TYPE_CHECKING:
    from playwright.sync_api import Page

WORD: Final = re.compile(r"[A-Za-z]{2,}")
# Text and names of everything on the page, but for what is nobody's words: code, names of languages.
SAID: Final = """() => {
  const skipped = 'script,noscript,style,pre,code,.mono,option,[hreflang],[name=language],main [lang]';
  const found = [document.title];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; node = walker.nextNode();)
    if (!node.parentElement.closest(skipped)) found.push(node.textContent);
  for (const one of document.body.querySelectorAll('[aria-label],[alt],[title],[placeholder]'))
    for (const name of ['aria-label', 'alt', 'title', 'placeholder'])
      if (one.hasAttribute(name)) found.push(one.getAttribute(name));
  return found.map(text => text.trim()).filter(text => text);
}"""
# What was typed by people, or is named by AWS and by the world.
DATA: Final = (
    "Northgate Cloud Ltd",
    "Northgate Cloud",
    "North",
    "north Ltd",
    "Brightwater Dental",
    "Brightwater Production",
    "Maya Okafor",
    "Tomasz Lis",
    "Sam Carter",
    "Alex Reed",
    "Operations Manager",
    "Cost review",
    "to find out why the bill went up",
    "compare server sizes with last month’s use",
    "compare server sizes",
    "download the October bill",
    "our accountant has a question",
    "Everything is on one bill now.",
    "kms:Decrypt",
    "AdministratorAccess",
    "AWSDenyAll",
    "ReadOnlyAccess",
    "iam:PassRole",
    "s3:GetObject",
    "s3:PutObject",
    "ec2:StopInstances",
    "latchkey:client",
    "Maya",
    "Tomasz",
    "Sam",
    "Alex",
    "Latchkey",
    "Mozilla/5.0 (X11; Linux x86_64) Firefox/145.0",
    "London",
    "GMT",
    "BST",
    "UTC",
    "testserver",
)
CODES: Final = re.compile(
    r"\blatchkey-[a-z0-9]{10}\b|\S*(?:[@/\d]|\.example)\S*|\b[A-Z0-9]{6,}\b|\b[MTSAO][A-Z]?\b"
)
NOTHING_NEW: Final = Answer(status=204, headers={}, body=b"")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one page was like."""

    direction: str
    language: str
    width: int
    plain: tuple[str, ...]
    open_brackets: int


def speak(pseudo: Pseudo, *people: User) -> None:
    """From now on, they read this language."""
    User.objects.filter(pk__in=[one.pk for one in people]).update(language=pseudo.code)


def film_of(browser: Browser, path: str, *live: str) -> Film:
    """The page, and live cards that hear nothing new."""
    film = Film().shoot(browser, path)
    for one in live:
        film.add(f"GET {one}", NOTHING_NEW)
    return film


def film_of_answer(browser: Browser, path: str, fields: dict[str, str]) -> Film:
    """The page that comes back for a form."""
    return Film().add(f"GET {path}", answer_of(browser.post(path, fields)))


def look(data: Iterable[str]) -> Callable[[Page], Seen]:
    """What to notice: whatever is left in plain letters once `data` is taken out."""
    known = sorted((*DATA, *data), key=len, reverse=True)

    def seen(page: Page) -> Seen:
        said: list[str] = page.evaluate(SAID)
        text = "".join(said)
        return Seen(
            direction=page.evaluate("getComputedStyle(document.documentElement).direction"),
            language=page.evaluate("document.documentElement.lang"),
            width=page.evaluate("document.documentElement.scrollWidth"),
            plain=tuple(line for line in said if WORD.search(_without(line, known))),
            open_brackets=text.count("⟦") - text.count("⟧"),
        )

    return seen


def words_of_offer(scene: Stage) -> list[str]:
    """What the profiles say, which offers freeze: a language of its own brings its own."""
    with tenancy.use(scene.scope):
        offers = list(Offer.objects.filter(engagement=scene.engagement))
    return [said for offer in offers for said in _words_of(offer)]


def _words_of(offer: Offer) -> list[str]:
    papers = offer.documents
    lines = [line[part] for line in (*offer.lines, *papers.get("optional", ())) for part in ("title", "why")]
    limits = [limit["title"] for limit in papers["limits"]]
    return [*limits, *lines, *papers.get("warnings", ()), str(papers["summary"])]


def _without(text: str, known: Iterable[str]) -> str:
    for one in known:
        text = text.replace(one, "")
    return CODES.sub("", text)
