"""Assignments follow each other, and a consultant sees the engagements they are assigned to (SECURITY T2, ADR 8)."""

from __future__ import annotations

from django.db import migrations, models

from portal.kernel import rls

# Once for each statement, because nothing in them depends on the row. They run with the rights of who asks.
FUNCTIONS = """
create function sees_all_engagements() returns boolean language sql stable parallel safe as $$
  select current_setting('app.side', true) is distinct from 'practice'
    or app_uuid('app.user') is null
    or exists (
      select 1 from accounts_membership m
      where m.practice_id = app_uuid('app.practice') and m.user_id = app_uuid('app.user')
        and m.ended_at is null and m.role <> 'consultant') $$;
create function engagements_worked_on() returns setof uuid language sql stable parallel safe as $$
  select a.engagement_id from engagements_assignment a
  where a.consultant_id = app_uuid('app.user')
    and a.starts_at <= clock_timestamp() and (a.ends_at is null or a.ends_at > clock_timestamp())
    and exists (
      select 1 from accounts_membership m
      where m.practice_id = a.practice_id and m.user_id = a.consultant_id and m.ended_at is null) $$;
"""
NO_FUNCTIONS = "drop function sees_all_engagements; drop function engagements_worked_on;"


def seen(column: str) -> str:
    """The condition on a table whose `column` names the engagement."""
    return f"(select sees_all_engagements()) or {column} in (select engagements_worked_on())"


class Migration(migrations.Migration):
    dependencies = [("engagements", "0003_moves"), ("accounts", "0003_invitation_letter_kind")]
    operations = [
        migrations.RemoveConstraint(model_name="assignment", name="assignment_one_per_person"),
        migrations.AddConstraint(
            model_name="assignment",
            constraint=models.UniqueConstraint(
                condition=models.Q(("ends_at", None)),
                fields=("engagement", "consultant"),
                name="assignment_one_open_per_person",
            ),
        ),
        migrations.AddConstraint(
            model_name="assignment",
            constraint=models.UniqueConstraint(
                condition=models.Q(("ends_at", None), ("role", "lead")),
                fields=("engagement",),
                name="assignment_one_lead",
            ),
        ),
        migrations.RunSQL(FUNCTIONS, NO_FUNCTIONS),
        rls.reading_only("engagements_engagement", when=seen("id")),
        rls.reading_only("engagements_offer", when=seen("engagement_id")),
        rls.reading_only("engagements_consent", when=seen("engagement_id")),
    ]
