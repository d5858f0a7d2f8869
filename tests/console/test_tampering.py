"""Somebody with the database in their hands changes the record, and the console says where."""

from __future__ import annotations

from django.urls import reverse

from tests.conftest import SqlAs
from tests.console.cast import house
from tests.pages.stage import visited


def test_the_record_says_where_it_was_changed(real_db: None, sql_as: SqlAs) -> None:
    home = house(visited())
    with sql_as("superuser").cursor() as cursor:
        cursor.execute("alter table kernel_auditevent disable trigger all")
        cursor.execute("update kernel_auditevent set kind = 'client:consent:forged' where seq = 3")
    shown = home.owner.get(reverse("admin:kernel_auditevent_verify")).content.decode()
    assert "The record was changed" in shown
    assert "At event 3: its content was changed" in shown
