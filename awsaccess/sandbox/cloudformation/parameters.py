"""Parameters and capabilities: what CreateStack and UpdateStack refuse before anything is made."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from moto.cloudformation.exceptions import ValidationError
from moto.core.exceptions import ServiceException

from awsaccess.sandbox.cloudformation.template import Template

Slot = Mapping[str, Any]  # Any: one entry of a template's Parameters

_NAMED: Mapping[str, tuple[str, ...]] = {
    "AWS::IAM::Role": ("RoleName",),
    "AWS::IAM::ManagedPolicy": ("ManagedPolicyName",),
    "AWS::IAM::Policy": (),
    "AWS::IAM::User": ("UserName",),
    "AWS::IAM::Group": ("GroupName",),
    "AWS::IAM::InstanceProfile": ("InstanceProfileName",),
    "AWS::IAM::AccessKey": (),
}


class InsufficientCapabilitiesException(ServiceException):
    """The template makes IAM resources and nobody acknowledged it."""

    # moto finds the service in the module's name
    __module__ = "moto.cloudformation.exceptions"
    code = "InsufficientCapabilitiesException"


def needed_capability(template: Template) -> str | None:
    """CAPABILITY_IAM for IAM resources, CAPABILITY_NAMED_IAM when one has a name of its own, else None."""
    kinds = [resource for resource in template["Resources"].values() if resource["Type"] in _NAMED]
    if not kinds:
        return None
    named = any(
        name in (resource.get("Properties") or {}) for resource in kinds for name in _NAMED[resource["Type"]]
    )
    return "CAPABILITY_NAMED_IAM" if named else "CAPABILITY_IAM"


def check_capabilities(template: Template, given: Iterable[str]) -> None:
    """Raises InsufficientCapabilitiesException with the capability that is missing."""
    needed = needed_capability(template)
    enough = {"CAPABILITY_NAMED_IAM"} | ({"CAPABILITY_IAM"} if needed == "CAPABILITY_IAM" else set())
    if needed and not enough & set(given):
        raise InsufficientCapabilitiesException(f"Requires capabilities : [{needed}]")


def slots(template: Template) -> dict[str, Slot]:
    """The template's parameters by name."""
    return template.get("Parameters") or {}


def is_no_echo(slot: Slot) -> bool:
    """Is the value never to be shown again?"""
    return str(slot.get("NoEcho", "false")).lower() == "true"


def resolve(
    template: Template, given: Iterable[Mapping[str, Any]], previous: Mapping[str, str]
) -> dict[str, str]:  # Any: parameters of a request
    """The value of each parameter that was given or kept, as text; defaults are left to the template.

    Raises ValidationError for unknown names, missing values and broken constraints.
    """
    values = {}
    for entry in given:
        name = entry["ParameterKey"]
        if entry.get("UsePreviousValue"):
            _check_previous(name, entry, previous)
            values[name] = previous[name]
        elif "ParameterValue" in entry:
            values[name] = str(entry["ParameterValue"])
    check(template, values)
    return values


def _check_previous(
    name: str, entry: Mapping[str, Any], previous: Mapping[str, str]
) -> None:  # Any: as above
    if entry.get("ParameterValue"):
        raise ValidationError(
            message=f"Invalid input for parameter key {name}. Cannot specify usePreviousValue as true and non empty value for a parameter"
        )
    if name not in previous:
        raise ValidationError(message=f"Parameters: [{name}] must have values")


def check(template: Template, values: Mapping[str, str]) -> None:
    """Names and constraints, defaults included. Raises ValidationError in AWS's words."""
    known = slots(template)
    if unknown := sorted(set(values) - set(known)):
        raise ValidationError(message=f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    missing = [name for name, slot in known.items() if name not in values and "Default" not in slot]
    if missing:
        raise ValidationError(message=f"Parameters: [{', '.join(missing)}] must have values")
    for name, slot in known.items():
        _check_value(name, slot, values.get(name, str(slot.get("Default", ""))))


def _check_value(name: str, slot: Slot, value: str) -> None:
    broken = _broken_rule(slot, value)
    if broken is None:
        return
    if description := slot.get("ConstraintDescription"):
        raise ValidationError(message=f"Parameter {name} failed to satisfy constraint: {description}")
    raise ValidationError(message=f"Parameter '{name}' {broken}")


def _broken_rule(slot: Slot, value: str) -> str | None:
    if "AllowedValues" in slot and value not in [str(v) for v in slot["AllowedValues"]]:
        return "must be one of AllowedValues"
    if "MinLength" in slot and len(value) < int(slot["MinLength"]):
        return f"must contain at least {slot['MinLength']} characters"
    if "MaxLength" in slot and len(value) > int(slot["MaxLength"]):
        return f"must contain at most {slot['MaxLength']} characters"
    if "AllowedPattern" in slot and re.fullmatch(str(slot["AllowedPattern"]), value) is None:
        return f"must match pattern {slot['AllowedPattern']}"
    return _broken_number(slot, value) if slot.get("Type") == "Number" else None


def _broken_number(slot: Slot, value: str) -> str | None:
    try:
        number = float(value)
    except ValueError:
        return "must be a number"
    if "MinValue" in slot and number < float(slot["MinValue"]):
        return f"must be a number not less than {slot['MinValue']}"
    if "MaxValue" in slot and number > float(slot["MaxValue"]):
        return f"must be a number not greater than {slot['MaxValue']}"
    return None


def shown(template: Template, values: Mapping[str, str]) -> list[dict[str, str]]:
    """As DescribeStacks shows them: every parameter, NoEcho ones as `****`."""
    result = []
    for name, slot in slots(template).items():
        value = "****" if is_no_echo(slot) else values.get(name, str(slot.get("Default", "")))
        result.append({"ParameterKey": name, "ParameterValue": value})
    return result
