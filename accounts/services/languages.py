"""In which language a person reads: what they chose, or else what they were shown when they first came in."""

from __future__ import annotations

from django.db import transaction

from accounts.models import User


@transaction.atomic(durable=True)
def language_choose(*, user: User, language: str) -> None:
    """Pages and mails are in this language from now on. `language` is a code of `settings.LANGUAGES`."""
    User.objects.filter(pk=user.pk).update(language=language)


@transaction.atomic(durable=True)
def language_take_over(*, user: User, language: str) -> None:
    """The language they read when they came in is theirs, unless they chose one before."""
    if not user.language:
        User.objects.filter(pk=user.pk, language="").update(language=language)
