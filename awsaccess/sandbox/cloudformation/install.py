"""The calls of CloudFormation that are answered here, and the patches of moto that let the rest of it show the truth."""

# ruff: noqa: SLF001  # moto's own seams; each has a canary
from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs, quote, unquote, urlsplit

from moto.cloudformation import models as cfm
from moto.cloudformation import parsing as cfp
from moto.cloudformation import responses as cfr
from moto.cloudformation.exceptions import AlreadyExistsException, ValidationError
from moto.cloudformation.utils import generate_stack_id
from moto.core.responses import ActionResult, EmptyResult
from moto.s3.models import s3_backends

from awsaccess.sandbox.cloudformation import custom, parameters, permissions, stacks
from awsaccess.sandbox.cloudformation.stacks import STATES, StackState, Version
from awsaccess.sandbox.cloudformation.template import Template, in_order, parse
from awsaccess.sandbox.guard import checks
from awsaccess.sandbox.guard.caller import Moto
from awsaccess.sandbox.guard.context import CURRENT

_REFUSED: Final = (
    "create_change_set",
    "execute_change_set",
    "create_stack_set",
    "update_stack_set",
    "create_stack_instances",
    "delete_stack_instances",
    "update_stack_instances",
)
_BODY_LIMIT: Final = 51_200
_OBJECT_LIMIT: Final = 1_000_000


# ---------------------------------------------------------------- the template's address


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateAddress:
    """An S3 address of a template, taken apart."""

    bucket: str
    key: str
    version: str | None

    @property
    def path(self) -> str:
        """`/bucket/key?versionId=...`, encoded: the same object in path style."""
        query = f"?versionId={quote(self.version, safe='')}" if self.version else ""
        return f"/{self.bucket}/{quote(self.key)}{query}"


def parse_template_url(url: str) -> TemplateAddress:
    """Take a TemplateURL apart, in virtual-hosted or path style. Raises ValidationError as AWS does."""
    parts = urlsplit(url)
    host, path = parts.hostname or "", unquote(parts.path.lstrip("/"))
    match = re.fullmatch(r"(?:(?P<bucket>[a-z0-9][a-z0-9.-]+)\.)?s3(?:[.-][a-z0-9-]+)?\.amazonaws\.com", host)
    if parts.scheme != "https" or match is None:
        raise ValidationError(message="TemplateURL must be a supported URL.")
    bucket, key = (match["bucket"], path) if match["bucket"] else path.partition("/")[::2]
    version = parse_qs(parts.query).get("versionId", [None])[0]
    if not bucket or not key:
        raise ValidationError(
            message="TemplateURL must reference a valid S3 object to which you have access."
        )
    return TemplateAddress(bucket=bucket, key=key, version=version)


def read_template(url: str) -> str:
    """The template at an S3 address, read with the caller's rights, in exactly the version that is named."""
    address = parse_template_url(url)
    action = "s3:GetObjectVersion" if address.version else "s3:GetObject"
    arn = f"arn:aws:s3:::{address.bucket}/{address.key}"
    if not CURRENT.replaying and not checks.allowed(CURRENT.caller, action, arn, CURRENT.context):
        raise ValidationError(message="S3 error: Access Denied")
    _, account = s3_backends.bucket_accounts.get(address.bucket, ("aws", None))
    if account is None:
        raise ValidationError(message="S3 error: The specified bucket does not exist")
    found = s3_backends[account]["aws"].get_object(address.bucket, address.key, version_id=address.version)
    if found is None:
        raise ValidationError(message="S3 error: The specified key does not exist.")
    text: str = found.value.decode()
    if len(text) > _OBJECT_LIMIT:
        raise ValidationError(message="Template may not exceed 1000000 bytes in size.")
    return text


def _given_template(response: Moto) -> str | None:
    body, url = response._get_param("TemplateBody"), response._get_param("TemplateURL")
    if body and url:
        raise ValidationError(message="Either Template URL or Template Body must be specified, not both.")
    if body and len(body.encode()) > _BODY_LIMIT:
        raise ValidationError(
            message="1 validation error detected: Value at 'templateBody' failed to satisfy constraint:"
            f" Member must have length less than or equal to {_BODY_LIMIT}"
        )
    return read_template(url) if url else body


# ---------------------------------------------------------------- CreateStack


def _tags(response: Moto) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in response._get_param("Tags", [])}


def _check_name(name: str) -> None:
    if not re.fullmatch(r"[a-zA-Z][-a-zA-Z0-9]{0,127}", name):
        raise ValidationError(
            message=f"1 validation error detected: Value '{name}' at 'stackName' failed to satisfy constraint:"
            " Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*"
        )


def _existing(response: Moto, name: str) -> StackState | None:
    stacks_here = response.cloudformation_backend.stacks.values()
    return next((STATES[stack.stack_id] for stack in stacks_here if stack.name == name), None)


def _checked(response: Moto, text: str, previous: dict[str, str]) -> tuple[Template, Version]:
    """Everything that CloudFormation looks at before it makes anything. Raises in AWS's words."""
    template = parse(text)
    permissions.check_types(template)
    in_order(template["Resources"])
    parameters.check_capabilities(template, response._get_param("Capabilities", []))
    values = parameters.resolve(template, response._get_param("Parameters", []), previous)
    parameters.check(template, values)
    return template, Version(text=text, parameters=values)


def _new_stack(response: Moto, name: str, version: Version) -> Moto:
    backend = response.cloudformation_backend
    make: Moto = cfm.Stack  # mypy takes it for abstract
    stack = make(
        stack_id=generate_stack_id(name, backend.region_name, backend.account_id),
        name=name,
        template=version.text,
        parameters=dict(version.parameters),
        account_id=backend.account_id,
        region_name=backend.region_name,
        notification_arns=response._get_param("NotificationARNs", []),
        tags=_tags(response),
        role_arn=response._get_param("RoleARN"),
        cross_stack_resources=backend.exports,
        enable_termination_protection=response._get_bool_param("EnableTerminationProtection") or False,
        timeout_in_mins=response._get_param("TimeoutInMinutes"),
    )
    backend.stacks[stack.stack_id] = stack
    return stack


def _on_failure(response: Moto) -> Any:  # Any: one of three words, checked by botocore's model
    if response._get_bool_param("DisableRollback"):
        return "DO_NOTHING"
    return response._get_param("OnFailure") or "ROLLBACK"


def create_stack(self: Moto) -> ActionResult:
    """CreateStack. The resources are made before it answers; only custom resources are waited for."""
    name, token = self._get_param("StackName"), self._get_param("ClientRequestToken")
    _check_name(name)
    if (state := _existing(self, name)) is not None:
        if token and state.token == token:
            return ActionResult({"StackId": state.stack.stack_id})
        raise AlreadyExistsException(f"Stack [{name}] already exists")
    text = _given_template(self)
    if not text:
        raise ValidationError(message="Either Template URL or Template Body must be specified.")
    template, version = _checked(self, text, {})
    if role_arn := self._get_param("RoleARN"):
        permissions.check_pass_role(role_arn)
    stack = _new_stack(self, name, version)
    state = StackState(
        stack=stack,
        template=template,
        good=version,
        wanted=version,
        on_failure=_on_failure(self),
        token=token,
    )
    STATES[stack.stack_id] = state
    stacks.start_create(state)
    return ActionResult({"StackId": stack.stack_id})


# ---------------------------------------------------------------- UpdateStack and DeleteStack


def _check_settled(state: StackState) -> None:
    status = state.stack.status
    settled = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")
    if state.flow is not None or status not in settled:
        raise ValidationError(
            message=f"Stack:{state.stack.stack_id} is in {status} state and can not be updated."
        )


def update_stack(self: Moto) -> ActionResult:
    """UpdateStack: in place, by replacement, or back to what it was when a step fails."""
    stack = self.cloudformation_backend.get_stack(self._get_param("StackName"))
    state = STATES[stack.stack_id]
    _check_settled(state)
    keeps = self._get_bool_param("UsePreviousTemplate")
    text = stack.template if keeps else _given_template(self)
    if not text:
        raise ValidationError(message="Either Template URL or Template Body must be specified.")
    _, version = _checked(self, text, stack.parameters)
    tags = _tags(self)
    if version == state.good and (not tags or tags == stack.tags):
        raise ValidationError(message="No updates are to be performed.")
    if role_arn := self._get_param("RoleARN"):
        permissions.check_pass_role(role_arn)
        stack.role_arn = role_arn
    stack.tags = tags or stack.tags
    stacks.start_update(state, version)
    return ActionResult({"StackId": stack.stack_id})


def delete_stack(self: Moto) -> EmptyResult:
    """DeleteStack; a stack that is not there is deleted already."""
    name = self._get_param("StackName")
    backend = self.cloudformation_backend
    stack = next((s for s in backend.stacks.values() if name in {s.name, s.stack_id}), None)
    if stack is None:
        return EmptyResult()
    if stack.enable_termination_protection:
        raise ValidationError(
            message=f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled"
        )
    retain = frozenset(self._get_param("RetainResources", []))
    force = self._get_param("DeletionMode") == "FORCE_DELETE_STACK"
    if (retain or force) and stack.status != "DELETE_FAILED":
        raise ValidationError(
            message="Invalid operation on stack. RetainResources and FORCE_DELETE_STACK are for stacks"
            " in DELETE_FAILED state only."
        )
    stacks.start_delete(STATES[stack.stack_id], retain=retain, force=force)
    return EmptyResult()


def update_termination_protection(self: Moto) -> ActionResult:
    """UpdateTerminationProtection, which moto does not have."""
    stack = self.cloudformation_backend.get_stack(self._get_param("StackName"))
    stack.enable_termination_protection = self._get_bool_param("EnableTerminationProtection") or False
    return ActionResult({"StackId": stack.stack_id})


# ---------------------------------------------------------------- what is shown


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceView:
    """A resource as DescribeStackResources and ListStackResources show it; moto's names."""

    stack_id: str
    stack_name: str
    logical_resource_id: str
    physical_resource_id: str
    cf_resource_type: str
    resource_type: str
    resource_status: str
    timestamp: Any  # Any: a moment of moto's
    last_updated_timestamp: Any  # Any: the same


def _views(stack: Moto) -> Iterator[ResourceView]:
    for made in list(STATES[stack.stack_id].made.values()):
        yield ResourceView(
            stack_id=stack.stack_id,
            stack_name=stack.name,
            logical_resource_id=made.logical_id,
            physical_resource_id=made.physical_id,
            cf_resource_type=made.resource_type,
            resource_type=made.resource_type,
            resource_status=made.status,
            timestamp=stack.creation_time,
            last_updated_timestamp=stack.creation_time,
        )


def list_stack_resources(self: Moto) -> ActionResult:
    """ListStackResources, with each resource's own status."""
    stack = self.cloudformation_backend.get_stack(self._get_param("StackName"))
    return ActionResult({"StackResourceSummaries": list(_views(stack))})


def _capabilities_of(template: Template) -> list[str]:
    needed = parameters.needed_capability(template)
    return [needed] if needed else []


def get_template_summary(self: Moto) -> ActionResult:
    """GetTemplateSummary of a template or of a stack."""
    name = self._get_param("StackName")
    text = self.cloudformation_backend.get_stack(name).template if name else _given_template(self)
    if not text:
        raise ValidationError(message="Either StackName or Template URL or Template Body must be specified.")
    template = parse(text)
    summary = {
        "Description": template.get("Description"),
        "Metadata": None,
        "Version": template.get("AWSTemplateFormatVersion"),
        "ResourceTypes": [str(body["Type"]) for body in template["Resources"].values()],
        "Capabilities": _capabilities_of(template),
        "Parameters": [_slot_view(key, slot) for key, slot in parameters.slots(template).items()],
    }
    return ActionResult(summary)


def _slot_view(name: str, slot: parameters.Slot) -> dict[str, Any]:  # Any: JSON
    allowed = {"AllowedValues": slot["AllowedValues"]} if "AllowedValues" in slot else {}
    return {
        "ParameterKey": name,
        "Description": slot.get("Description", ""),
        "DefaultValue": slot.get("Default"),
        "NoEcho": parameters.is_no_echo(slot),
        "ParameterType": slot.get("Type", "String"),
        "ParameterConstraints": allowed,
    }


def validate_template(self: Moto) -> ActionResult:
    """ValidateTemplate: the form of a template, and what it will ask for."""
    text = _given_template(self)
    if not text:
        raise ValidationError(message="Either Template URL or Template Body must be specified.")
    template = parse(text)
    permissions.check_types(template)
    result = {
        "Description": template.get("Description"),
        "Capabilities": _capabilities_of(template),
        "Parameters": [_slot_view(key, slot) for key, slot in parameters.slots(template).items()],
    }
    return ActionResult(result)


# ---------------------------------------------------------------- patches


def _careful_class(class_for_type: Callable[[str], Moto]) -> Callable[[str], Moto]:
    def resource_class_from_type(resource_type: str) -> Moto:
        return (
            custom.CustomResource if permissions.is_custom(resource_type) else class_for_type(resource_type)
        )

    return resource_class_from_type


def _unmade(self: Moto, key: str) -> Moto:
    """moto's map makes a resource when it is looked at; here only a stack's flow makes anything."""
    if key in self._parsed_resources:
        return self._parsed_resources[key]
    if key not in self._resource_json_map:
        raise KeyError(key)
    return None


def _refused(action: str) -> Callable[[Moto], Moto]:
    def refuse(self: Moto) -> Moto:
        checks.fail(self, "NotImplemented", f"The sandbox does not simulate {action}", 501)

    return refuse


def install() -> None:
    """Patch moto, once per process."""
    response: Moto = cfr.CloudFormationResponse
    if response.create_stack is create_stack:
        return
    for answer in (create_stack, update_stack, delete_stack, list_stack_resources):
        setattr(response, answer.__name__, answer)
    response.update_termination_protection = update_termination_protection
    response.get_template_summary, response.validate_template = get_template_summary, validate_template
    for name in _REFUSED:
        setattr(response, name, _refused("".join(part.title() for part in name.split("_"))))
    replacement: Moto = cfp
    replacement.resource_class_from_type = _careful_class(cfp.resource_class_from_type)
    resource_map: Moto = cfp.ResourceMap
    resource_map.__getitem__ = _unmade
    stack: Moto = cfm.Stack
    stack.parse_template = staticmethod(parse)
    stack.outputs = property(lambda self: STATES[self.stack_id].outputs or None)
    stack.exports = property(lambda self: self.output_map.exports if STATES[self.stack_id].outputs else [])
    stack.stack_resources = property(lambda self: list(_views(self)))
    stack.parameter_list = property(
        lambda self: parameters.shown(STATES[self.stack_id].template, self.parameters)
    )
    replacement_responses: Moto = cfr
    replacement_responses.StackResourceDTO = lambda _, view: view
