"""A real SMTP server on loopback that keeps what it is given, and refuses whom a test tells it to refuse."""

from __future__ import annotations

import email
import email.policy
import socket
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller

from tests.plugins import canary


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Mailbox:
    """`letters` in the order they came; `refuse` maps an address to the answer at RCPT, `data_answer` that at DATA."""

    def __init__(self) -> None:
        self.letters: list[EmailMessage] = []
        self.refuse: dict[str, str] = {}
        self.data_answer = "250 kept"
        self.controller = Controller(self, hostname="127.0.0.1", port=free_port())

    @property
    def port(self) -> int:
        return int(self.controller.port)

    async def handle_RCPT(  # noqa: N802  # aiosmtpd's name
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        if answer := self.refuse.get(address):
            return answer
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802  # as above
        if self.data_answer.startswith("250"):
            letter = email.message_from_bytes(envelope.content, policy=email.policy.default)
            assert isinstance(letter, EmailMessage)
            canary.heed_letter(letter)
            self.letters.append(letter)
        return self.data_answer

    def text(self, number: int = -1) -> str:
        """The plain part of a letter."""
        part = self.letters[number].get_body(("plain",))
        assert part is not None
        return str(part.get_content()).replace("\r\n", "\n")

    def html(self, number: int = -1) -> str:
        """The HTML part of a letter."""
        part = self.letters[number].get_body(("html",))
        assert part is not None
        return str(part.get_content()).replace("\r\n", "\n")
