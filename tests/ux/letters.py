"""Every kind of mail that the portal sends, once: made by what really happens, sent by SMTP, kept for all rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Final

from django.db import transaction

from accounts.lifecycle import ContactRole
from accounts.models import User
from accounts.services.invitations import invitation_make
from accounts.services.people import Person, contact_add
from engagements import tasks
from engagements.emails.news import NEWS
from engagements.models import Engagement
from engagements.selectors import offer_current
from engagements.services.agreement_codes import agreement_code_mail
from portal.kernel import checkpoints, clock, outbox, tenancy
from tests.accounts.conftest import make_browser
from tests.engagements.test_mails import in_state
from tests.engagements.test_orders import ask, make_page
from tests.factories import (
    TESTER,
    Firm,
    acting,
    make_engagement_agreed,
    make_engagement_invited,
    make_firm,
)
from tests.mailbox import Mailbox

INVITATION, LINK, PLAIN = "engagements.invitation", "engagements.link", "accounts.invitation"
PEOPLE, SEAL = "accounts.people_changed", checkpoints.MAIL
SIGN_IN, AGREE, ORDER = "accounts.sign_in_code", "engagements.agreement_code", "engagements.order_confirm"
CODES: Final = frozenset({SIGN_IN, AGREE})  # mails without a link
WITHOUT_LINK: Final = CODES | {SEAL}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One mail as it arrived, what it was sent for, and whether a client reads it.

    `names` are the words that both of its parts have to hold, over what they say in the same words.
    """

    kind: str
    letter: EmailMessage
    firm: Firm
    names: tuple[str, ...]
    engagement: Engagement | None = None

    @property
    def to_client(self) -> bool:
        to = str(self.letter["To"])
        return to != self.firm.owner.email and not to.startswith("ben@")  # Ben joins and leaves

    @property
    def subject(self) -> str:
        return str(self.letter["Subject"])

    @property
    def text(self) -> str:
        return self._part("plain")

    @property
    def html(self) -> str:
        return self._part("html")

    def _part(self, kind: str) -> str:
        part = self.letter.get_body((kind,))
        assert part is not None, f"{self.kind} has no {kind} part"
        return str(part.get_content()).replace("\r\n", "\n")

    def __str__(self) -> str:
        return f"{self.kind} to {self.letter['To']}"


@dataclass(kw_only=True)
class Post:
    """Puts what waits into the mailbox. `make` gives a firm of that name, or the one of a picture."""

    mailbox: Mailbox
    deliver: Callable[[], int]
    sent: list[Sent]
    make: Callable[[str], Firm] = make_firm

    def collect(
        self, kind: str, firm: Firm, *names: str, engagement: Engagement | None = None, only: str = ""
    ) -> None:
        """Deliver all that waits and keep what came, or of it what went to `only`."""
        self.mailbox.letters.clear()
        while self.deliver():
            pass
        assert self.mailbox.letters, f"{kind} has sent nothing"
        for letter in self.mailbox.letters:
            if not only or letter["To"] == only:
                self.sent.append(
                    Sent(kind=kind, letter=letter, firm=firm, names=names, engagement=engagement)
                )


def every_mail(mailbox: Mailbox, deliver: Callable[[], int]) -> list[Sent]:
    """Each kind to each reader. Kinds of news are those of the product: a new one comes by itself."""
    post = Post(mailbox=mailbox, deliver=deliver, sent=[])
    for number, kind in enumerate(NEWS):
        firm = make_firm(f"firm{number}")
        engagement = in_state(firm, kind)
        post.collect(kind, firm, engagement.title, engagement=engagement)
    for others in OTHERS.values():
        others(post)
    return post.sent


def _asking(post: Post) -> None:
    firm = post.make("asks")
    engagement = make_engagement_invited(firm)
    _invite(firm, f"/e/{engagement.code}/", tasks.INVITATION)
    names = (engagement.title, "ending 5583", firm.owner.name)
    post.collect(INVITATION, firm, *names, engagement=engagement, only=firm.approver.email)


def _link(post: Post) -> None:
    """Once that is answered, the same invitation is a bare link."""
    firm = post.make("late")
    engagement = make_engagement_agreed(firm)
    while post.deliver():
        pass
    _invite(firm, f"/e/{engagement.code}/", tasks.INVITATION)
    post.collect(LINK, firm, engagement.title, engagement=engagement, only=firm.approver.email)


def _plain(post: Post) -> None:
    firm = post.make("plain")
    _invite(firm, "/welcome/", PLAIN)
    post.collect(PLAIN, firm, firm.owner.name, firm.client.name)


def _invite(firm: Firm, path: str, kind: str) -> None:
    with tenancy.use(firm.practice_side):
        invitation_make(
            contact=firm.contact, landing_path=path, invited_by=firm.owner, letter_kind=kind, actor=TESTER
        )


def _people(post: Post) -> None:
    firm = post.make("people")
    User.objects.filter(pk=firm.approver.pk).update(last_login=clock.now())
    with tenancy.use(firm.practice_side):
        ann = Person(email="ann@people.example", name="Ann Bell")
        contact_add(client=firm.client, person=ann, role=ContactRole.VIEWER, actor=acting(firm.owner))
    post.collect(PEOPLE, firm, "Ann Bell", "ann@people.example")


def _seal(post: Post) -> None:
    firm = post.make("seals")
    make_engagement_agreed(firm)
    while post.deliver():
        pass
    with tenancy.use(firm.practice_side):
        checkpoints.checkpoint_make()
        with transaction.atomic(durable=True):
            outbox.put(SEAL, firm.practice.pk, dedupe_key="seal")
    post.collect(SEAL, firm, firm.practice.name)


def _sign_in(post: Post) -> None:
    firm = post.make("codes")
    make_browser().post("/account/login/", {"email": firm.approver.email})
    post.collect(SIGN_IN, firm, "15 minutes")


def _agree(post: Post) -> None:
    firm = post.make("agrees")
    engagement = make_engagement_invited(firm, code_at_agreement=True)
    with tenancy.use(firm.client_side):
        offer = offer_current(engagement)
        agreement_code_mail(
            engagement=engagement, offer=offer, contact=firm.contact, actor=acting(firm.approver)
        )
    names = (engagement.title, "10 minutes")
    post.collect(AGREE, firm, *names, engagement=engagement, only=firm.approver.email)


def _order(post: Post) -> None:
    firm = post.make("orders")
    ask(firm, make_page(firm))
    post.collect(ORDER, firm, firm.practice.name)


# What the portal mails beside the news of an engagement.
OTHERS: Final[dict[str, Callable[[Post], None]]] = {
    INVITATION: _asking,
    LINK: _link,
    PLAIN: _plain,
    PEOPLE: _people,
    SEAL: _seal,
    SIGN_IN: _sign_in,
    AGREE: _agree,
    ORDER: _order,
}
