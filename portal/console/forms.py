"""The console's forms: every field named, and nothing else is read."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.utils.timezone import localtime

from accounts.lifecycle import ContactRole, MemberRole
from accounts.models import Client, Contact, User
from awsaccess.aws.arns import (
    PARTITIONS,
    BadAccountId,
    BadAddress,
    BadArn,
    ConsoleService,
    RoleArn,
    parse_account_id,
)
from awsaccess.lifecycle import VisitKind
from awsaccess.services.hubs import BadHub, queue_of, topics_of
from engagements.lifecycle import AssignmentRole
from engagements.models import MOST_APPROVALS, Assignment
from engagements.selectors import profiles_offered
from engagements.services.drafts import MOST_OPTIONAL
from portal.console.words import ROLES
from portal.kernel import clock, tenancy
from portal.kernel.fields import Line, Lines

USUAL_LENGTH: Final = dt.timedelta(weeks=4)
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
BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", re.ASCII)


def profile_choices() -> list[tuple[str, str]]:
    """What can be asked for: the shipped profiles, then the practice's own."""
    return [(profile.code, f"{profile.title}: {profile.summary}") for profile in profiles_offered()]


def line_choices() -> list[tuple[str, list[tuple[str, str]]]]:
    """Every optional line under the title of its profile. A value is `profile:line`."""
    return [
        (
            profile.title,
            [(line_value(profile.code, line.key), line.title) for line in profile.optional_lines],
        )
        for profile in profiles_offered()
        if profile.optional_lines
    ]


def line_value(profile: str, key: str) -> str:
    """How a form names a line."""
    return f"{profile}:{key}"


def _in_four_weeks() -> dt.datetime:
    return localtime(clock.now() + USUAL_LENGTH).replace(hour=18, minute=0, second=0, microsecond=0)


class MomentInput(forms.DateTimeInput):
    """One labelled field for date and time; stock admin's split inputs have no labels."""

    input_type = "datetime-local"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%dT%H:%M")


class AccessForm(forms.Form):
    """What kind of access, with which lines to add, and until when."""

    profile = forms.ChoiceField(
        label="Kind of access", choices=profile_choices, widget=forms.RadioSelect, initial="cost_review"
    )
    optional = forms.MultipleChoiceField(
        label="Lines that the client may add",
        choices=line_choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=(
            "The client sees these as boxes to tick, off at first. "
            f"{MOST_OPTIONAL} at most, of the kind of access above. What you leave out is not offered."
        ),
    )
    ends_at = forms.DateTimeField(
        label="Ends",
        widget=MomentInput,
        initial=_in_four_weeks,
        help_text="Access ends by itself at this time.",
    )

    def clean_ends_at(self) -> dt.datetime:
        """A moment that is still to come."""
        ends_at: dt.datetime = self.cleaned_data["ends_at"]
        if ends_at <= clock.now():
            raise ValidationError("The end of the access must lie in the future.")
        return ends_at

    def clean(self) -> dict[str, Any]:  # Any: Django's own
        """The lines by their keys, all of the profile that was chosen."""
        asked = self.cleaned_data
        if "profile" in asked and "optional" in asked:
            asked["optional"] = lines_of(self, asked["profile"], asked["optional"])
        return asked


class TermsForm(AccessForm):
    """What will be asked of a client, whoever leads it."""

    title = Line(max_length=120, help_text="A short name, such as “Cost review”.")
    purpose = Line(
        max_length=300,
        help_text="Ends the sentence “Northgate asks for access …”, such as “to find out why the bill went up”.",
    )
    account_id = Line(
        label="AWS account number",
        required=False,
        max_length=20,
        help_text="12 digits. Leave it empty if you don’t know it: the client fills it in.",
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )
    account_name = Line(
        required=False, max_length=120, help_text="What the client calls it, such as “Production”."
    )
    contract_reference = Line(required=False, max_length=60)
    approvals_needed = forms.ChoiceField(
        label="How many people at the client have to agree",
        choices=[
            ("", "By risk: one to look, two to change things"),
            *((number, str(number)) for number in range(1, MOST_APPROVALS + 1)),
        ],
        required=False,
        help_text="Each of them agrees by themselves, and one no ends it. “By risk” asks no more people than may agree.",
    )
    code_at_agreement = forms.BooleanField(
        label="Ask for a code by email when they agree",
        required=False,
        help_text="Stronger evidence of who agreed, and one more thing to type.",
    )
    field_order: tuple[str, ...] = ("title", "purpose", "profile", "optional", "ends_at")

    doorbell = forms.BooleanField(
        label="Let the client open the door for each visit",
        required=False,
        help_text="Before each visit you ring, and wait until somebody who may agree lets you in.",
    )
    break_glass = forms.BooleanField(
        label="Except in an emergency",
        required=False,
        help_text="Then you may go in without waiting, and the client is told at once. They agree to that, too.",
    )

    def clean(self) -> dict[str, Any]:  # Any: Django's own
        """An exception needs its rule."""
        found = {**(super().clean() or {}), **self.cleaned_data}
        if found.get("break_glass") and not found.get("doorbell"):
            self.add_error(
                "break_glass", "Without a doorbell nobody waits, so there is nothing to leave out."
            )
        return found

    def clean_account_id(self) -> str:
        """Twelve digits, or nothing."""
        return _account(self.cleaned_data["account_id"])

    def clean_approvals_needed(self) -> int | None:
        """None: by risk."""
        chosen = self.cleaned_data["approvals_needed"]
        return int(chosen) if chosen else None


def lines_of(form: forms.Form, profile: str, values: list[str]) -> tuple[str, ...]:
    """The keys of the chosen lines. A line of another profile is a fault at the field: it may be a slip in either."""
    titles = {value: f"{group}: {title}" for group, lines in line_choices() for value, title in lines}
    strange = [titles[value] for value in values if not value.startswith(f"{profile}:")]
    if strange:
        form.add_error(
            "optional", f"“{strange[0]}” belongs to another kind of access than the one you chose."
        )
    if len(values) > MOST_OPTIONAL:
        form.add_error("optional", f"Choose {MOST_OPTIONAL} at most.")
    return tuple(value.partition(":")[2] for value in values)


class ChangeForm(AccessForm):
    """Another access, or another end, for what is on."""


class EditForm(TermsForm):
    """A draft that is written anew; `seen` tells what the person began from."""

    seen = forms.CharField(widget=forms.HiddenInput, max_length=64)


class DraftForm(TermsForm):
    """What will be asked, of whom, and who leads it."""

    client = forms.ModelChoiceField(queryset=Client.objects.none(), empty_label="Choose a client")
    lead = forms.ModelChoiceField(
        label="Lead consultant",
        queryset=User.objects.none(),
        empty_label=None,
        help_text="The client reads this name and can reach this person.",
    )
    field_order = ("client", "lead", "title", "purpose", "profile", "optional", "ends_at")

    def __init__(
        self, *args: Any, leads: QuerySet[User], me: User, **kwargs: Any
    ) -> None:  # Any: Django's own
        super().__init__(*args, **kwargs)
        clients = Client.objects.filter(practice_id=tenancy.practice_id()).order_by("name")
        _offer(self, "client", clients)
        _offer(self, "lead", leads)
        self.initial.setdefault("lead", me.pk)


class ReasonForm(forms.Form):
    """Why, if one wants to say so."""

    reason = Line(required=False, max_length=300, help_text="The client reads it.")


class WishForm(forms.Form):
    """The wish that was read: what came since then is not answered by it."""

    wish = Line(widget=forms.HiddenInput, max_length=36)

    def clean_wish(self) -> UUID:
        """Its key; a text that is none was not written by our page."""
        try:
            return UUID(self.cleaned_data["wish"])
        except ValueError:
            raise ValidationError("Open the page again: this is no wish of theirs.") from None


class WishRefuseForm(WishForm):
    """Why the practice cannot use the account."""

    reason = Line(max_length=300, help_text="The client reads it.")


class AnswerForm(forms.Form):
    """An answer to the client."""

    answer = Lines(
        max_length=1000,
        label="Your answer",
        help_text="The client gets it by mail, and reads it on their page.",
        widget=forms.Textarea(attrs={"rows": 5}),
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


class InviteForm(forms.Form):
    """Whom to send a link."""

    contact = forms.ModelChoiceField(
        label="Send it to",
        queryset=Contact.objects.none(),
        empty_label=None,
        widget=forms.RadioSelect,
        help_text="Links that this person got before stop working.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # Any: Django's own
        super().__init__(*args, **kwargs)
        self.fields["contact"].label_from_instance = _reach  # type: ignore[attr-defined]  # a ModelChoiceField

    def offer(self, contacts: QuerySet[Contact]) -> None:
        """The people to choose from; the first stands ready."""
        _offer(self, "contact", contacts)
        self.initial.setdefault("contact", contacts.values_list("pk", flat=True).first())


class AssignForm(forms.Form):
    """Who else works on it."""

    consultant = forms.ModelChoiceField(queryset=User.objects.none(), empty_label="Choose a person")
    role = forms.ChoiceField(
        label="Part",
        choices=[(role.value, ROLES[role]) for role in (AssignmentRole.MEMBER, AssignmentRole.OBSERVER)],
        widget=forms.RadioSelect,
        initial=AssignmentRole.MEMBER,
    )

    starts_at = forms.DateTimeField(
        label="From", required=False, widget=MomentInput, help_text="Leave it empty for “from now on”."
    )
    ends_at = forms.DateTimeField(
        label="Until",
        required=False,
        widget=MomentInput,
        help_text="Ends by itself then. Leave it empty for “to the end of the project”.",
    )

    def offer(self, people: QuerySet[User]) -> None:
        """The people to choose from."""
        _offer(self, "consultant", people)


class LeadForm(forms.Form):
    """Who leads it from now on."""

    lead = forms.ModelChoiceField(
        label="Leads it from now on",
        queryset=User.objects.none(),
        empty_label="Choose a person",
        help_text="The client reads this name and can reach this person.",
    )

    def offer(self, people: QuerySet[User]) -> None:
        """The people to choose from."""
        _offer(self, "lead", people)


class ReleaseForm(forms.Form):
    """Who is taken off it."""

    assignment = forms.ModelChoiceField(
        label="Person", queryset=Assignment.objects.none(), empty_label=None, widget=forms.RadioSelect
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # Any: Django's own
        super().__init__(*args, **kwargs)
        self.fields["assignment"].label_from_instance = _part  # type: ignore[attr-defined]  # a ModelChoiceField

    def offer(self, rows: QuerySet[Assignment]) -> None:
        """The parts that can end."""
        _offer(self, "assignment", rows)


class SuccessorForm(forms.Form):
    """Who leads what somebody led."""

    successor = forms.ModelChoiceField(
        label="Leads their projects from now on",
        queryset=User.objects.none(),
        required=False,
        empty_label="Nobody: they lead nothing",
        help_text="Needed only for somebody who leads a project. Its client is told.",
    )

    def offer(self, people: QuerySet[User]) -> None:
        """The people to choose from."""
        _offer(self, "successor", people)


class MemberRoleForm(SuccessorForm):
    """What somebody is in the practice."""

    role = forms.ChoiceField(
        choices=[(role.value, ROLES[role]) for role in MemberRole], widget=forms.RadioSelect
    )
    field_order = ("role", "successor")


class ContactRoleForm(forms.Form):
    """What somebody does at a client."""

    role = forms.ChoiceField(
        label="What they do",
        choices=[(role.value, ROLES[role]) for role in ContactRole],
        widget=forms.RadioSelect,
    )


class ClientForm(forms.Form):
    """An organisation."""

    name = Line(max_length=120)


class PersonForm(forms.Form):
    """Somebody, found again by address."""

    email = forms.EmailField(label="Email address", max_length=254)
    name = Line(max_length=120)
    title = Line(label="Job title", required=False, max_length=120)


class ContactForm(PersonForm):
    """Somebody at a client."""

    phone = Line(required=False, max_length=40)
    language = forms.ChoiceField(
        required=False,
        choices=[("", "Not known: English, until they read in another"), *settings.LANGUAGES],
        help_text="Of their pages and emails. Somebody who is known here already keeps their own.",
    )
    role = forms.ChoiceField(
        label="What they do",
        choices=[(role.value, ROLES[role]) for role in ContactRole],
        widget=forms.RadioSelect,
        initial=ContactRole.APPROVER,
    )


class MemberForm(PersonForm):
    """Somebody in the practice."""

    role = forms.ChoiceField(
        choices=[(role.value, ROLES[role]) for role in MemberRole],
        widget=forms.RadioSelect,
        initial=MemberRole.CONSULTANT,
    )


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
        _offer(self, "person", people)


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
        return _account(self.cleaned_data["account_id"])

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


def _account(text: str) -> str:
    try:
        return parse_account_id(text) if text.strip() else ""
    except BadAccountId as error:
        raise ValidationError(str(error)) from None


def _offer(form: forms.Form, name: str, rows: QuerySet[Any]) -> None:  # Any: whatever is chosen from
    field = form.fields[name]
    if isinstance(field, forms.ModelChoiceField):
        field.queryset = rows


def _part(row: Model) -> str:
    return f"{row.consultant.name}: {ROLES[row.role]}" if isinstance(row, Assignment) else str(row)


def _reach(contact: Model) -> str:
    return f"{contact.user.name}, {contact.user.email}" if isinstance(contact, Contact) else str(contact)
