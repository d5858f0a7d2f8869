"""Forms at the door: what somebody is going to do in a client's account, and how they get in."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError

from awsaccess.aws.arns import PARTITIONS, ConsoleService
from awsaccess.lifecycle import VisitKind
from portal.kernel.fields import Line

SERVICES: Final = {
    ConsoleService.HOME: "Console home",
    ConsoleService.COSTS: "Costs and bills",
    ConsoleService.CLOUDFORMATION: "CloudFormation",
    ConsoleService.CLOUDWATCH: "CloudWatch",
    ConsoleService.EC2: "EC2",
    ConsoleService.ECS: "ECS",
    ConsoleService.EKS: "EKS",
    ConsoleService.IAM: "IAM",
    ConsoleService.LAMBDA: "Lambda",
    ConsoleService.RDS: "RDS",
    ConsoleService.S3: "S3",
    ConsoleService.VPC: "VPC",
}
MINUTES: Final = (
    (60, "1 hour, the longest AWS allows"),
    (30, "30 minutes"),
    (15, "15 minutes, the shortest"),
)
DOOR_WORDS: Final = {VisitKind.CONSOLE: "the console", VisitKind.CLI: "the command line"}
LESS: Final = (
    ("read_only", "Look only: nothing can be changed"),
    ("no_contents", "Nothing of what is inside: no files, no data, no secrets, no log-ins"),
    (
        "one_address",
        "Only from the address I am at now. For the command line: AWS’s console asks from other addresses, too",
    ),
)


class EntryForm(forms.Form):
    """What somebody is going to do in the client's account, for how long, and with how much less than was agreed."""

    reason = Line(
        max_length=300,
        label="What are you going to do?",
        help_text="A few words. The client reads them.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    minutes = forms.TypedChoiceField(label="For how long", choices=MINUTES, coerce=int, initial=60)
    less = forms.MultipleChoiceField(
        label="Take less than was agreed",
        choices=LESS,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="AWS holds this visit to it. The client sees it.",
    )
    region = Line(
        label="Only in one region",
        required=False,
        max_length=25,
        help_text="Such as “eu-west-1”. Services without a region, such as IAM and billing, stay open.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    once = Line(widget=forms.HiddenInput, max_length=400)

    def clean_region(self) -> str:
        """A region of one of AWS's partitions, or nothing."""
        region: str = self.cleaned_data["region"]
        if region and not any(one.regions.fullmatch(region) for one in PARTITIONS.values()):
            raise ValidationError("That is no region of AWS. It looks like “eu-west-1”.")
        return region

    def clean_reason(self) -> str:
        """Words, not only spaces."""
        reason: str = self.cleaned_data["reason"].strip()
        if not reason:
            raise ValidationError("Say in a few words what you are going to do.")
        return reason


class VisitForm(EntryForm):
    """The same, and where in the console they want to begin."""

    service = forms.ChoiceField(
        label="Begin at", choices=[(one.value, name) for one, name in SERVICES.items()]
    )
    field_order: tuple[str, ...] = ("reason", "service")


class EmergencyForm(VisitForm):
    """The same, by which door, and why nobody can be waited for."""

    kind = forms.ChoiceField(
        label="How you want to go in",
        choices=[(kind.value, name.capitalize()) for kind, name in DOOR_WORDS.items()],
        widget=forms.RadioSelect,
        initial=VisitKind.CONSOLE.value,
    )
    field_order = ("reason", "kind", "service")

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # Any: Django's own
        super().__init__(*args, **kwargs)
        self.fields["reason"].label = "What is the emergency, and what are you going to do?"
        self.fields["service"].help_text = "Keys for the command line begin nowhere."


class RingForm(forms.Form):
    """What somebody wants to be let in for, and by which door."""

    reason = Line(
        max_length=300,
        label="What are you going to do?",
        help_text="A few words. Whoever lets you in reads them, and the visit is for that.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    kind = forms.ChoiceField(
        label="How you want to go in",
        choices=[(kind.value, name.capitalize()) for kind, name in DOOR_WORDS.items()],
        widget=forms.RadioSelect,
        initial=VisitKind.CONSOLE.value,
    )
