"""Forms for what a practice sets up once: its sign-in service, and its own AWS side."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet

from accounts.models import User
from awsaccess.aws.arns import PARTITIONS, BadAddress, BadArn, RoleArn
from awsaccess.services.hubs import BadHub, queue_of, topics_of
from portal.console.forms import account_typed, offer_rows
from portal.kernel.fields import Line, Lines

BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", re.ASCII)


class SignInServiceForm(forms.Form):
    """The practice's own OpenID Connect provider."""

    issuer = Line(
        label="Issuer",
        max_length=300,
        help_text="The provider’s own address, to the letter, such as https://accounts.google.com. docs/sign-in.md says where it stands.",
        widget=forms.TextInput(attrs={"inputmode": "url", "autocomplete": "off", "spellcheck": "false"}),
    )
    client_id = Line(label="Client ID", max_length=300, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    client_secret = Line(
        label="Client secret",
        required=False,
        max_length=500,
        help_text="Kept sealed and never shown again. Leave it empty to keep the one that is there.",
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )
    domains = Lines(
        label="Domains of your people’s email addresses",
        max_length=2000,
        help_text="One on each line. Only addresses of these domains are let in, and only people you have added.",
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
    )


class SwitchForm(forms.Form):
    """Who may use the sign-in service, and who has to."""

    is_enabled = forms.BooleanField(label="People may sign in with their company account", required=False)
    is_required = forms.BooleanField(
        label="Everybody but owners has to",
        required=False,
        help_text="Owners can always come in with a code by email and their factor, so that a broken service locks nobody out for good.",
    )


class ForgetForm(forms.Form):
    """Whose company account is to be forgotten."""

    person = forms.ModelChoiceField(queryset=User.objects.none(), empty_label="Choose a person")

    def offer(self, people: QuerySet[User]) -> None:
        """Those whose account is known."""
        offer_rows(self, "person", people)


class HubForm(forms.Form):
    """The practice's own AWS side."""

    account_id = Line(
        label="AWS account number", max_length=20, help_text="Your practice’s own account: 12 digits."
    )
    role_arn = Line(
        label="ARN of the hub role",
        max_length=2048,
        help_text="The role that every visit comes from, such as arn:aws:iam::111111111111:role/latchkey-hub.",
    )
    region = Line(max_length=25, help_text="Where your template bucket is, such as eu-west-1.")
    template_bucket = Line(
        max_length=63, help_text="A versioned bucket that clients’ CloudFormation can read templates from."
    )

    queue_url = Line(
        label="Address of the call-back queue",
        required=False,
        max_length=256,
        help_text="Where clients’ stacks report, such as https://sqs.eu-west-1.amazonaws.com/111111111111/latchkey-callback."
        " Leave it empty to do without: the portal then finds the roles by trying.",
    )
    topic_arns = Lines(
        label="ARNs of the call-back topics",
        required=False,
        max_length=5000,
        help_text="One line for each region in which clients may make the stack. `manage.py hub_stack` makes the template"
        " for topics and queue.",
    )

    def clean_account_id(self) -> str:
        """Twelve digits."""
        return account_typed(self.cleaned_data["account_id"])

    def clean_role_arn(self) -> str:
        """One role's ARN, rebuilt from its parts."""
        try:
            return str(RoleArn.parse(self.cleaned_data["role_arn"].strip()))
        except BadArn:
            raise ValidationError("That is not the ARN of one role. It begins with arn:aws:iam::") from None

    def clean_template_bucket(self) -> str:
        """A bucket's name; dots would break the certificate of its address."""
        name: str = self.cleaned_data["template_bucket"].strip()
        if not BUCKET.fullmatch(name):
            raise ValidationError("A bucket’s name has 3 to 63 small letters, digits and dashes.")
        return name

    def clean(self) -> dict[str, Any]:  # Any: Django's own
        """The parts fit together."""
        asked = self.cleaned_data
        if "role_arn" in asked:
            arn = RoleArn.parse(asked["role_arn"])
            if "account_id" in asked and arn.account_id != asked["account_id"]:
                self.add_error("role_arn", "This role lies in another account than the number above.")
            if "region" in asked:
                self._check_region(arn.partition, asked["region"])
            self._check_callback(arn)
        return asked

    def _check_callback(self, arn: RoleArn) -> None:
        """Queue and topics are the hub's own, and neither stands alone."""
        asked = self.cleaned_data
        checks: dict[str, Callable[[], object]] = {
            "queue_url": lambda: queue_of(asked.get("queue_url", ""), arn),
            "topic_arns": lambda: topics_of(asked.get("topic_arns", "").split(), arn),
        }
        found = {}
        for name, check in checks.items():
            try:
                found[name] = bool(check())
            except BadHub as error:
                self.add_error(name, error.user_message)
        if len(found) == len(checks) and len(set(found.values())) > 1:
            self.add_error("topic_arns", "A call-back needs both a queue and at least one topic, or neither.")

    def _check_region(self, partition: str, region: str) -> None:
        try:
            PARTITIONS[partition].check_region(region)
        except BadAddress:
            self.add_error("region", "That is not a region of the role’s part of AWS.")
