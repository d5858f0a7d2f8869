"""CloudFormation's pages: quick-create, the list, one stack with its events, update and delete."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from moto.cloudformation.exceptions import ValidationError

from awsaccess.sandbox.cloudformation import parameters
from awsaccess.sandbox.cloudformation.install import parse_template_url
from awsaccess.sandbox.cloudformation.template import Template, parse
from awsaccess.sandbox.console.visit import AwsRefusal, Gone, Page, Redirect, Visit

_PARAMETER: Final = "param_"
_RETAIN: Final = "retain_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a quick-create link asks for."""

    template_url: str
    stack_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotView:
    """A parameter as the form shows it. What is hidden is never filled in from a link."""

    name: str
    value: str
    description: str
    hidden: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A template as a person reads it before saying yes."""

    text: str
    description: str
    resources: list[tuple[str, str]]
    slots: list[SlotView]
    capability: str | None


def _slot_view(name: str, slot: parameters.Slot, given: Mapping[str, str]) -> SlotView:
    hidden = parameters.is_no_echo(slot)
    default = str(slot.get("Default", ""))
    value = default if hidden else given.get(f"{_PARAMETER}{name}", default)
    return SlotView(name=name, value=value, description=str(slot.get("Description", "")), hidden=hidden)


def _summary_of(text: str, template: Template, given: Mapping[str, str]) -> Summary:
    return Summary(
        text=text,
        description=str(template.get("Description", "")),
        resources=[(name, str(body["Type"])) for name, body in template["Resources"].items()],
        slots=[_slot_view(name, slot, given) for name, slot in parameters.slots(template).items()],
        capability=parameters.needed_capability(template),
    )


def _read(visit: Visit, url: str) -> Summary:
    """The template behind a link, read from S3 in the visitor's name. Raises AwsRefusal."""
    if len(url) > 1024:
        raise AwsRefusal("ValidationError", "The console takes template addresses of up to 1024 characters.")
    try:
        address = parse_template_url(url)
        text = visit.front.read_object(visit.visitor.keys, visit.region, address.path).decode()
        return _summary_of(text, parse(text), visit.given)
    except ValidationError as error:
        raise AwsRefusal("ValidationError", str(error.message)) from error


def review(visit: Visit) -> Page:
    """Quick create: what would be made, the parameters, the box that no link can tick."""
    return _review(visit, None)


def _review(visit: Visit, refusal: AwsRefusal | None) -> Page:
    given = visit.given
    asked = Asked(template_url=given.get("templateURL", ""), stack_name=given.get("stackName", ""))
    try:
        summary = _read(visit, asked.template_url)
    except AwsRefusal as unreadable:
        bare: dict[str, object] = {"asked": asked, "summary": None}
        return Page(template="review.html", status=400, content=bare, refusal=unreadable)
    status = 400 if refusal else 200
    content: dict[str, object] = {"asked": asked, "summary": summary}
    return Page(template="review.html", status=status, content=content, refusal=refusal)


def update_review(visit: Visit) -> Page:
    """Where an update link arrives: which stack, what it will be made of, and the box that no link can tick."""
    given = visit.given
    asked = Asked(template_url=given.get("templateURL", ""), stack_name=given.get("stackId", ""))
    try:
        summary = _read(visit, asked.template_url)
        visit.call("cloudformation", "DescribeStacks", {"StackName": asked.stack_name})
    except AwsRefusal as refusal:
        bare: dict[str, object] = {"asked": asked, "summary": None}
        return Page(template="update.html", status=400, content=bare, refusal=refusal)
    return Page(template="update.html", content={"asked": asked, "summary": summary})


def _stack_path(visit: Visit, stack_id: str) -> str:
    return f"/cloudformation/stack?region={visit.region}&id={quote(stack_id, safe='')}"


def _capabilities(visit: Visit) -> dict[str, str]:
    ticked = visit.given.get("capability")
    return {"Capabilities.member.1": ticked} if ticked else {}


def _parameters(given: Mapping[str, str]) -> dict[str, str]:
    named = [(k.removeprefix(_PARAMETER), v) for k, v in given.items() if k.startswith(_PARAMETER)]
    fields = {}
    for number, (name, value) in enumerate(named, start=1):
        fields[f"Parameters.member.{number}.ParameterKey"] = name
        fields[f"Parameters.member.{number}.ParameterValue"] = value
    return fields


def create(visit: Visit) -> Page | Redirect:
    """Create the stack in the visitor's name; a refusal is shown where it was asked for."""
    given = visit.given
    fields = {"StackName": given.get("stackName", ""), "TemplateURL": given.get("templateURL", "")}
    try:
        made = visit.call("cloudformation", "CreateStack", fields | _capabilities(visit) | _parameters(given))
    except AwsRefusal as refusal:
        return _review(visit, refusal)
    return Redirect(to=_stack_path(visit, made["StackId"]))


def listing(visit: Visit) -> Page:
    """The stacks of a region whose names hold what the link filters by."""
    wanted = visit.given.get("filteringText", "")
    found = visit.call("cloudformation", "DescribeStacks").get("Stacks", [])
    stacks = [stack for stack in found if wanted in stack["StackName"]]
    return Page(template="stacks.html", content={"stacks": stacks, "wanted": wanted})


def _found(visit: Visit) -> dict[str, Any]:  # Any: JSON of an AWS answer
    stack_id = visit.given.get("id", "")
    stacks = visit.call("cloudformation", "DescribeStacks", {"StackName": stack_id}).get("Stacks", [])
    if not stacks:
        raise Gone("There is no such stack in this account and region.")
    stack: dict[str, Any] = stacks[0]
    return stack


def one(visit: Visit) -> Page:
    """One stack; while something is in progress the page renews itself."""
    return _one(visit, None)


def _one(visit: Visit, refusal: AwsRefusal | None) -> Page:
    stack = _found(visit)
    named = {"StackName": stack["StackId"]}
    events = visit.call("cloudformation", "DescribeStackEvents", named).get("StackEvents", [])
    resources = visit.call("cloudformation", "DescribeStackResources", named).get("StackResources", [])
    return Page(
        template="stack.html",
        content={"stack": stack, "events": events, "resources": resources},
        status=400 if refusal else 200,
        refusal=refusal,
        refresh=refusal is None and stack["StackStatus"].endswith("_IN_PROGRESS"),
    )


def _change(visit: Visit, action: str, fields: Mapping[str, str]) -> Page | Redirect:
    stack_id = visit.given.get("id", "")
    try:
        visit.call("cloudformation", action, {"StackName": stack_id, **fields})
    except AwsRefusal as refusal:
        return _one(visit, refusal)
    return Redirect(to=_stack_path(visit, stack_id))


def update(visit: Visit) -> Page | Redirect:
    """Bring the stack to another template; parameters keep their values."""
    fields = {"TemplateURL": visit.given.get("templateURL", "")}
    return _change(visit, "UpdateStack", fields | _capabilities(visit))


def _retained(given: Mapping[str, str]) -> dict[str, str]:
    named = [name.removeprefix(_RETAIN) for name in given if name.startswith(_RETAIN)]
    return {f"RetainResources.member.{number}": name for number, name in enumerate(named, start=1)}


def delete(visit: Visit) -> Page | Redirect:
    """Delete the stack; after a failure also without what could not be deleted, or by force."""
    force = {"DeletionMode": "FORCE_DELETE_STACK"} if visit.given.get("force") else {}
    return _change(visit, "DeleteStack", _retained(visit.given) | force)


def home(_: Visit) -> Page:
    """Where a quick-create link arrives: a script carries the rest of it over to `review`."""
    return Page(template="home.html")


VIEWS: Final[Mapping[tuple[str, str], Callable[[Visit], Page | Redirect]]] = {
    ("GET", "/cloudformation/home"): home,
    ("GET", "/cloudformation/review"): review,
    ("POST", "/cloudformation/create"): create,
    ("GET", "/cloudformation/update-review"): update_review,
    ("GET", "/cloudformation/stacks"): listing,
    ("GET", "/cloudformation/stack"): one,
    ("POST", "/cloudformation/stack/update"): update,
    ("POST", "/cloudformation/stack/delete"): delete,
}
