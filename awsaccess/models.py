"""The AWS side's rows. No credential, sign-in token or sign-in address is ever in one."""

from __future__ import annotations

import datetime as dt
from typing import ClassVar

from django.db import models

from accounts.models import Client, Practice, Row, User
from awsaccess.aws.arns import RoleArn
from awsaccess.callback import WORDS, Kind, Reason
from awsaccess.lifecycle import (
    ROTATING,
    CallbackStatus,
    GrantStatus,
    ReportStatus,
    RotationStatus,
    Verdict,
    VisitKind,
    VisitStatus,
)
from engagements.models import Doorbell, Engagement, Offer


class Hub(Row):
    """A practice's own AWS side: the role that every visit comes from, and the bucket its templates lie in."""

    practice = models.OneToOneField(Practice, on_delete=models.PROTECT, related_name="hub")
    partition = models.CharField(max_length=12, default="aws")
    account_id = models.CharField(max_length=12)
    role_arn = models.CharField(max_length=2048)
    region = models.CharField(max_length=25)
    template_bucket = models.CharField(max_length=63)
    # Empty without call-back: then stacks report nothing, and the portal finds the roles by trying.
    queue_url = models.CharField(max_length=256, blank=True, default="")
    topic_arns = models.JSONField(default=dict, blank=True)  # by region
    # AWS's own id of the hub role, as it was seen last; and since when another one answers under its name, until an
    # owner has said that it was them.
    role_id = models.CharField(max_length=128, blank=True, default="", db_default="")
    remade_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(account_id__regex=r"^[0-9]{12}$"), name="hub_account_is_12_digits"
            ),
        ]

    def __str__(self) -> str:
        return f"hub in {self.account_id}"


class Grant(Row):
    """One cross-account role in one AWS account. `account_id` is empty until the client has named it.

    `checks` holds what the newest check that proved something found, by name: "ok" or "fail". `denials` and `unknowns`
    count in a row; `role_seen_at` is when the role of this `role_id` opened first; `is_narrower` says of a drifted one
    that every difference only takes away, so that it may still be entered. `deny_before` is from when on the client
    wanted older sessions denied, `denied_before` from when on AWS was seen to deny them.
    """

    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="+")
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+")
    engagement = models.ForeignKey(Engagement, on_delete=models.PROTECT, related_name="grants")
    offer = models.OneToOneField(Offer, on_delete=models.PROTECT, related_name="grant")
    partition = models.CharField(max_length=12)
    account_id = models.CharField(max_length=12, blank=True, default="")
    role_name = models.CharField(max_length=64)
    external_id = models.CharField(max_length=64, unique=True)
    status = models.CharField(max_length=12, choices=GrantStatus.choices, default=GrantStatus.EXPECTED)
    role_id = models.CharField(max_length=128, blank=True, default="")
    checks = models.JSONField(default=dict)
    problem = models.CharField(max_length=300, blank=True, default="")
    verified_at = models.DateTimeField(null=True)
    last_ok_at = models.DateTimeField(null=True)
    checked_at = models.DateTimeField(null=True)
    last_verdict = models.CharField(max_length=10, choices=Verdict.choices, blank=True, default="")
    denials = models.PositiveIntegerField(default=0)
    unknowns = models.PositiveIntegerField(default=0, db_default=0)
    role_seen_at = models.DateTimeField(null=True)
    deny_before = models.DateTimeField(null=True)
    deny_version_id = models.CharField(max_length=1024, blank=True, default="", db_default="")
    denied_before = models.DateTimeField(null=True)
    is_narrower = models.BooleanField(default=False, db_default=False)
    gone_at = models.DateTimeField(null=True)
    # While an external ID is exchanged, and afterwards: the one in force in place of the agreed one, and the template
    # with it. The moment changes with each step, so that a look that began before it does not count.
    rotated_external_id = models.CharField(max_length=64, blank=True, default="", db_default="")
    is_rotating = models.BooleanField(default=False, db_default=False)
    # The hub role in force in place of the agreed offer's, once the access has moved to another one of the same account.
    moved_hub_role_arn = models.CharField(max_length=2048, blank=True, default="", db_default="")
    lock_changed_at = models.DateTimeField(null=True)
    lock_template_key = models.CharField(max_length=200, blank=True, default="", db_default="")
    lock_version_id = models.CharField(max_length=1024, blank=True, default="", db_default="")
    # Of the one-time token in the template; empty without call-back. The stack is the one that has used it up.
    callback_sha256 = models.CharField(max_length=64, blank=True, default="")
    callback_stack = models.CharField(max_length=300, blank=True, default="")

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(status__in=GrantStatus.values), name="grant_known_status"
            ),
            models.CheckConstraint(
                condition=models.Q(account_id__regex=r"^([0-9]{12})?$"), name="grant_account_is_12_digits"
            ),
            # A role that was proved to be ours belongs to one grant, across all practices (SECURITY T6, I7).
            models.UniqueConstraint(
                fields=["partition", "account_id", "role_name"],
                condition=models.Q(status=GrantStatus.VERIFIED),
                name="grant_one_per_verified_role",
            ),
            models.UniqueConstraint(
                fields=["practice", "callback_sha256"],
                condition=~models.Q(callback_sha256=""),
                name="grant_one_per_callback_token",
            ),
            models.UniqueConstraint(
                fields=["rotated_external_id"],
                condition=~models.Q(rotated_external_id=""),
                name="grant_one_per_rotated_id",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.role_name} in {self.account_id or 'an account not named yet'}"

    @property
    def is_enterable(self) -> bool:
        """Proved to be what was agreed, or less of it."""
        narrower = self.status == GrantStatus.DRIFTED and self.is_narrower
        return self.status == GrantStatus.VERIFIED or narrower

    @property
    def external_id_in_force(self) -> str:
        """What the role is entered with: the agreed one until it was exchanged."""
        return self.rotated_external_id or self.external_id

    @property
    def role_arn(self) -> str:
        """Rebuilt from its parts, never a text that somebody sent (SECURITY A4)."""
        return str(RoleArn(partition=self.partition, account_id=self.account_id, name=self.role_name))


class Rotation(Row):
    """One exchange of what opens a grant's role: begun by a consultant, done in two steps by the client, proved by checks.

    Either of its external ID, or of the hub role that may come: then the ARNs are filled, and the IDs empty. The
    versions are those of the two templates in the bucket: with both, and with the new one alone. `seen_at` is when a
    check first found what this step waits for, `turned_at` when the new one came into force.
    """

    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="+")
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+")
    grant = models.ForeignKey(Grant, on_delete=models.PROTECT, related_name="rotations")
    status = models.CharField(max_length=10, choices=RotationStatus.choices, default=RotationStatus.ADDING)
    old_external_id = models.CharField(max_length=64, blank=True, default="", db_default="")
    new_external_id = models.CharField(max_length=64, blank=True, default="", db_default="")
    old_hub_role_arn = models.CharField(max_length=2048, blank=True, default="", db_default="")
    new_hub_role_arn = models.CharField(max_length=2048, blank=True, default="", db_default="")
    both_version_id = models.CharField(max_length=1024, blank=True, default="")
    alone_version_id = models.CharField(max_length=1024, blank=True, default="")
    begun_at = models.DateTimeField()
    begun_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    seen_at = models.DateTimeField(null=True)
    turned_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(status__in=RotationStatus.values), name="rotation_known_status"
            ),
            models.UniqueConstraint(
                fields=["grant"],
                condition=models.Q(status__in=sorted(ROTATING)),
                name="rotation_one_open_per_grant",
            ),
            models.UniqueConstraint(
                fields=["new_external_id"],
                condition=~models.Q(new_external_id=""),
                name="rotation_one_per_new_id",
            ),
            # One thing at a time: either the key, or who comes with it.
            models.CheckConstraint(
                condition=(
                    models.Q(old_hub_role_arn="", new_hub_role_arn="")
                    & ~models.Q(old_external_id="")
                    & ~models.Q(new_external_id="")
                )
                | (
                    models.Q(old_external_id="", new_external_id="")
                    & ~models.Q(old_hub_role_arn="")
                    & ~models.Q(new_hub_role_arn="")
                ),
                name="rotation_of_id_or_hub",
            ),
        ]

    def __str__(self) -> str:
        return f"rotation, {self.status}"

    @property
    def is_hub_move(self) -> bool:
        """Whether the hub role is exchanged, and not the external ID."""
        return bool(self.new_hub_role_arn)

    @property
    def is_turned(self) -> bool:
        """Whether the portal enters with the new one."""
        return self.status in (RotationStatus.DROPPING, RotationStatus.DONE)

    @property
    def other_external_id(self) -> str:
        """The one of the two that the portal does not enter with; empty where the hub role is exchanged."""
        return self.old_external_id if self.is_turned else self.new_external_id

    @property
    def other_hub_role_arn(self) -> str:
        """The one of the two hub roles that the portal does not come from; empty where the external ID is exchanged."""
        return self.old_hub_role_arn if self.is_turned else self.new_hub_role_arn


class Verification(Row):
    """One check of a grant, with its verdict and what each probe found. Never edited."""

    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="+")
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+")
    grant = models.ForeignKey(Grant, on_delete=models.PROTECT, related_name="verifications")
    at = models.DateTimeField()
    verdict = models.CharField(max_length=10, choices=Verdict.choices)
    reason = models.CharField(max_length=300, blank=True, default="")
    findings = models.JSONField()
    latency_ms = models.PositiveIntegerField(default=0, db_default=0)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["grant", "-at"], name="verification_newest")]

    def __str__(self) -> str:
        return f"{self.verdict} at {self.at}"


class Visit(Row):
    """One issue of temporary credentials to one consultant, with a reason. The credentials are not here.

    `narrowing`: what this visit did without, of what was agreed (awsaccess.policy.narrowing).
    """

    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="+")
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+")
    engagement = models.ForeignKey(Engagement, on_delete=models.PROTECT, related_name="visits")
    grant = models.ForeignKey(Grant, on_delete=models.PROTECT, related_name="visits")
    consultant = models.ForeignKey(User, on_delete=models.PROTECT, related_name="visits")
    consultant_name = models.CharField(max_length=120)
    reason = models.CharField(max_length=300)
    kind = models.CharField(max_length=8, choices=VisitKind.choices)
    status = models.CharField(max_length=10, choices=VisitStatus.choices, default=VisitStatus.INTENDED)
    doorbell = models.OneToOneField(Doorbell, on_delete=models.PROTECT, null=True, related_name="visit")
    narrowing = models.JSONField(default=dict, db_default={})
    session_name = models.CharField(max_length=64)
    intended_at = models.DateTimeField()
    worst_case_until = models.DateTimeField()
    issued_at = models.DateTimeField(null=True)
    ends_at = models.DateTimeField(null=True)
    access_key_id = models.CharField(max_length=128, blank=True, default="")
    refusal = models.CharField(max_length=300, blank=True, default="")

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(status__in=VisitStatus.values), name="visit_known_status"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["engagement", "-intended_at"], name="visit_newest")]

    def __str__(self) -> str:
        return f"{self.consultant_name}, {self.status}"

    @property
    def latest_end(self) -> dt.datetime:
        """When AWS ends it at the latest: known once issued, else the worst case."""
        return self.ends_at or self.worst_case_until


class VisitReport(Row):
    """What was done in one visit, out of the client's own event history.

    `events`: each with id, at, action, region, deed (awsaccess.policy.activity), error. `gaps`: what is not known, each
    with gap and regions. `flagged`: grave actions that no earlier visit used.
    """

    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="+")
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+")
    engagement = models.ForeignKey(Engagement, on_delete=models.PROTECT, related_name="+")
    visit = models.OneToOneField(Visit, on_delete=models.PROTECT, related_name="report")
    status = models.CharField(max_length=8, choices=ReportStatus.choices, default=ReportStatus.WAITING)
    events = models.JSONField(default=list)
    gaps = models.JSONField(default=list)
    flagged = models.JSONField(default=list)
    fetched_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(status__in=ReportStatus.values), name="visitreport_known_status"
            ),
        ]

    def __str__(self) -> str:
        return f"report of {self.visit_id}"


class ExitProof(Row):
    """The evidence that an access is gone: refusals over time, our own identity healthy in each, sessions over."""

    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="+")
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+")
    engagement = models.ForeignKey(Engagement, on_delete=models.PROTECT, related_name="exit_proofs")
    grant = models.OneToOneField(Grant, on_delete=models.PROTECT, related_name="exit_proof")
    begun_at = models.DateTimeField()
    refused_since = models.DateTimeField(null=True)
    last_refused_at = models.DateTimeField(null=True)
    refusals = models.PositiveIntegerField(default=0)
    last_opened_at = models.DateTimeField(null=True)
    confirmed_at = models.DateTimeField(null=True)
    confirmed_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    sessions_over_at = models.DateTimeField(null=True)
    proved_at = models.DateTimeField(null=True)
    evidence = models.JSONField(default=dict)
    evidence_sha256 = models.CharField(max_length=64, blank=True, default="")

    @property
    def seconds_to_refusal(self) -> int | None:
        """From the end to AWS's first refusal since which it did not open again."""
        return int((self.refused_since - self.begun_at).total_seconds()) if self.refused_since else None

    def __str__(self) -> str:
        return f"exit proof of {self.grant_id}"


class Callback(Row):
    """What a client's stack reported about a grant, and what it was answered. A hint, never proof.

    `sealed_url` is where the answer goes: a secret for as long as it is open, and empty afterwards.
    """

    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="+")
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+")
    grant = models.ForeignKey(Grant, on_delete=models.PROTECT, related_name="callbacks")
    kind = models.CharField(max_length=6, choices=[(kind.value, kind.value) for kind in Kind])
    status = models.CharField(max_length=8, choices=CallbackStatus.choices, default=CallbackStatus.OPEN)
    stack_id = models.CharField(max_length=300)
    request_id = models.CharField(max_length=128)
    logical_id = models.CharField(max_length=255)
    physical_id = models.CharField(max_length=1024)
    sealed_url = models.BinaryField(default=bytes)
    told_at = models.DateTimeField()
    answer_by = models.DateTimeField()
    answered_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=300, blank=True, default="")

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(status__in=CallbackStatus.values), name="callback_known_status"
            ),
            # CloudFormation's own key of a request (AWS_FACTS §4).
            models.UniqueConstraint(
                fields=["practice", "stack_id", "request_id"], name="callback_one_per_request"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["grant", "-told_at"], name="callback_newest")]

    def __str__(self) -> str:
        return f"{self.kind}, {self.status}"


class DeadLetter(Row):
    """A message of the hub's queue that was dropped, and why. Its text, which anybody may have written, is not kept."""

    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()
    message_id = models.CharField(max_length=100)
    reason = models.CharField(
        max_length=20, choices=[(reason.value, words) for reason, words in WORDS.items()]
    )
    size = models.PositiveIntegerField()
    body_sha256 = models.CharField(max_length=64)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["practice", "-at"], name="deadletter_newest")]

    def __str__(self) -> str:
        return f"{self.reason} at {self.at}"

    @property
    def words(self) -> str:
        """The reason for people."""
        return WORDS[Reason(self.reason)]
