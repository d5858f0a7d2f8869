"""What AWS answers when it does not do what was asked, in four kinds. Only the first and last are proven answers.

No text here ever holds a credential, a token, a sign-in address or an external ID.
"""

from __future__ import annotations


class AwsError(Exception):
    """Base of the four. `code` is AWS's own error code, if it gave one; `user_message` may be shown to people."""

    user_message = "AWS did not do what was asked."

    def __init__(self, user_message: str | None = None, *, code: str = "") -> None:
        self.user_message = user_message or self.user_message
        self.code = code
        super().__init__(f"{self.user_message} ({code})" if code else self.user_message)


class AwsDenied(AwsError):
    """AWS refused: absent role, wrong external ID, changed trust and passed date all look the same."""

    user_message = "The account refused us. AWS does not say why."


class AwsTransient(AwsError):
    """No answer that proves anything: throttled, timed out, 5xx. Try again later; no verdict changes."""

    user_message = "AWS could not be asked just now. Nothing has changed; we try again."


class AwsMisconfigured(AwsError):
    """Our own keys, clock, hub role or bucket are wrong: tell the operator. Says nothing about any client."""

    user_message = "The portal's own AWS set-up has a fault. This says nothing about the client's account."


class AwsRejected(AwsError):
    """AWS understood and will not do it, with a reason for both sides."""

    def __init__(self, reason: str, *, code: str = "") -> None:
        self.reason = reason
        super().__init__(f"AWS says: {reason}", code=code)
