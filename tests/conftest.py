"""Databases for tests: always the web role, never the owner or a superuser."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from copy import copy
from typing import Any, Final
from urllib.parse import urlsplit

import hypothesis
import psycopg
import pytest
from psycopg import sql

from tests.mailbox import Mailbox
from tests.plugins import canary
from tests.plugins.servers import TEMPLATE

# Tests that walk past everything once more, by the thousand: cells of the matrix, pages in every width and language,
# examples and rounds of races. Coverage is not measured in them, which would double their time: a line that only they reach
# shows as not reached, and wants a test that looks at it. They are run as all others are.
UNMEASURED: Final = (
    "tests/walls/test_matrix.py",
    "tests/walls/test_sameness.py",
    "tests/walls/test_headers.py",
    "tests/walls/test_forging.py",
    "tests/languages/test_pseudo_pages.py",
    "tests/pages/test_screens.py",
    "tests/pages/test_more_screens.py",
    "tests/pages/test_intake_screens.py",
    "tests/console/test_screens.py",
    "tests/security/test_web.py",
    "tests/security/test_parse_back.py",
    "tests/security/test_races.py",
)

SqlAs = Callable[[str], "psycopg.Connection[tuple[Any, ...]]"]

# Speed is for bench/ to show: a busy machine must fail no test.
hypothesis.settings.register_profile("latchkey", deadline=None)
hypothesis.settings.load_profile("latchkey")


def _clone(name: str) -> None:
    target, template = sql.Identifier(name), sql.Identifier(TEMPLATE)
    with psycopg.connect(os.environ["LATCHKEY_TEST_ADMIN_URL"], autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(target))
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER portal_owner").format(target, template))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what coverage passes by; its setting up is measured."""
    for item in items:
        if item.nodeid.startswith(UNMEASURED):
            item.add_marker("no_cover")


@pytest.fixture(scope="session", autouse=True)
def _listening() -> Iterator[None]:
    """Every line that is logged and every answer to a browser of the tests is searched for marked secrets."""
    from django.test import Client as Browser

    request, call, ear = Browser.request, logging.Logger.callHandlers, canary.ear()

    def watched(
        self: Browser, **asked: Any
    ) -> Any:  # Any: WSGI's environment, and the test client's own answer
        answer = request(self, **asked)
        canary.heed_answer(asked["REQUEST_METHOD"], asked["PATH_INFO"], answer)
        return answer

    # Not as a handler of the root: what sets logging up anew, as a worker does, would take it away.
    def heard(self: logging.Logger, record: logging.LogRecord) -> None:
        ear.handle(copy(record))
        call(self, record)

    Browser.request = watched  # type: ignore[method-assign]
    logging.Logger.callHandlers = heard  # type: ignore[method-assign]
    yield
    logging.Logger.callHandlers = call  # type: ignore[method-assign]
    Browser.request = request  # type: ignore[method-assign]
    canary.search_cache()
    assert canary.take() == []


@pytest.fixture(autouse=True)
def _no_secret_is_told(_listening: None) -> Iterator[None]:
    """First set up, so last torn down: what other fixtures searched when they ended counts too."""
    yield
    assert canary.take() == []


@pytest.fixture(scope="session")
def database_name() -> str:
    """This worker's own database."""
    return f"portal_test_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"


@pytest.fixture(scope="session")
def django_db_setup(
    database_name: str, django_db_blocker: Any
) -> Iterator[None]:  # Any: pytest-django's private type
    """A clone of the migrated template, used as portal_web: never as its owner, never as a superuser."""
    from django.db import connection

    _clone(database_name)
    with django_db_blocker.unblock():
        connection.close()
        connection.settings_dict["NAME"] = database_name
    yield
    with django_db_blocker.unblock():
        connection.close()


@pytest.fixture
def real_db(django_db_setup: None, django_db_blocker: Any, database_name: str) -> Iterator[None]:
    """Commits for real, for races and several connections; afterwards the database is cloned anew."""
    from django.db import connection

    with django_db_blocker.unblock():
        yield
        connection.close()
    canary.search_rows(database_name)
    _clone(database_name)


@pytest.fixture
def sql_as(django_db_setup: None, database_name: str) -> Iterator[SqlAs]:
    """Plain SQL as a role of the product (`portal_web`, ...) or as `superuser`, in this worker's database."""
    opened: list[psycopg.Connection[tuple[Any, ...]]] = []

    def connect(role: str) -> psycopg.Connection[tuple[Any, ...]]:
        admin = urlsplit(os.environ["LATCHKEY_TEST_ADMIN_URL"])
        login = admin.netloc if role == "superuser" else f"{role}:test@{admin.hostname}:{admin.port}"
        address = admin._replace(netloc=login, path=f"/{database_name}").geturl()
        opened.append(psycopg.connect(address, autocommit=True))
        return opened[-1]

    yield connect
    for connection in opened:
        connection.close()


@pytest.fixture
def as_worker(real_db: None) -> Callable[[], AbstractContextManager[None]]:
    """A block in which Django is logged in as portal_worker instead of portal_web."""
    from django.db import connection

    @contextmanager
    def worker() -> Iterator[None]:
        connection.close()
        connection.settings_dict["USER"] = "portal_worker"
        try:
            yield
        finally:
            connection.close()
            connection.settings_dict["USER"] = "portal_web"

    return worker


@pytest.fixture
def mailbox(settings: Any) -> Iterator[Mailbox]:  # Any: pytest-django's private type
    """Where mails really arrive, by SMTP."""
    box = Mailbox()
    box.controller.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", box.port
    yield box
    box.controller.stop()


@pytest.fixture
def deliver(as_worker: Callable[[], AbstractContextManager[None]]) -> Callable[[], int]:
    """Does once what sweep and worker do for everything that is due, as the worker's role; how many there were."""
    from portal.celery import app
    from portal.kernel import outbox, tenancy

    app.loader.import_default_modules()  # the handlers of every app, as a worker does when it starts

    def run() -> int:
        with as_worker():
            with tenancy.use(tenancy.SYSTEM):
                claims = outbox.claim()
            return sum(outbox.deliver(held) for held in claims)

    return run


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What stories measured on their way is told at the end, whichever process played them."""
    for report in terminalreporter.getreports("passed"):
        for name, told in report.user_properties:
            terminalreporter.write_line(f"{name}: {told}")
