"""`python -m kit.statements '{"path": …, "cookie": …}'`: how many SQL statements one status page asks, once warm."""

from __future__ import annotations

import json
import sys

import django


def main(path: str, cookie: str) -> int:
    """Opens the page twice inside this process; the second time counts. Raises BenchError for another page."""
    django.setup()
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    from kit.errors import BenchError

    visitor = Client(headers={"host": "localhost", "cookie": cookie})
    visitor.get(path)
    with CaptureQueriesContext(connection) as asked:
        answer = visitor.get(path)
    if answer.status_code != 200:
        raise BenchError(f"GET {path} answered {answer.status_code}.")
    return len(asked)


if __name__ == "__main__":
    sys.stdout.write(str(main(**json.loads(sys.argv[1]))))
