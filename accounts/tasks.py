"""What beat asks of this app. Apart from the handlers: those are known in every process, which then loads no Celery."""

from __future__ import annotations

from celery import shared_task

from accounts.sessions import SessionStore


@shared_task(name="accounts.sessions_sweep")
def sessions_sweep_task() -> None:
    """Forget browser sessions that are over. They open nothing any more; so they need not lie in a backup either."""
    SessionStore.clear_expired()
