"""CloudFormation templates: read, checked for their form, and put in the order in which resources are made."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any, Final

import yaml
from moto.cloudformation.exceptions import ValidationError

Template = dict[str, Any]  # Any: JSON or YAML written by others

_PSEUDO: Final = "AWS::"
_SUB: Final = re.compile(r"\$\{([^!}][^}]*)\}")


class _Loader(yaml.SafeLoader):
    """YAML as CloudFormation reads it: short forms of functions, and dates stay text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _function(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:  # Any: YAML
    name = suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
        return {name: value.split(".", 1) if name == "Fn::GetAtt" else value}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    if isinstance(node, yaml.MappingNode):
        return {name: loader.construct_mapping(node, deep=True)}
    raise yaml.YAMLError(f"!{suffix} takes a value")


_Loader.add_multi_constructor("!", _function)


def _format_error(what: str) -> ValidationError:
    return ValidationError(message=f"Template format error: {what}")


def parse(text: str) -> Template:
    """Read a template, JSON or YAML. Raises moto's ValidationError with AWS's words."""
    try:
        template = json.loads(text) if text.lstrip().startswith("{") else yaml.load(text, Loader=_Loader)  # noqa: S506  # a SafeLoader
    except (ValueError, yaml.YAMLError) as error:
        kind = "JSON" if text.lstrip().startswith("{") else "YAML"
        raise _format_error(f"{kind} not well-formed. ({str(error).splitlines()[0]})") from error
    if not isinstance(template, dict):
        raise _format_error("unsupported structure.")
    _check_form(template)
    return template


def _check_form(template: Template) -> None:
    resources = template.get("Resources")
    if not isinstance(resources, dict) or not resources:
        raise _format_error("At least one Resources member must be defined.")
    for section in ("Transform", "Rules", "Hooks"):
        if section in template:
            raise ValidationError(
                message=f"The sandbox does not simulate the section {section} of a template"
            )
    for name, resource in resources.items():
        if not isinstance(resource, dict) or not isinstance(resource.get("Type"), str):
            raise _format_error(f"[/Resources/{name}] Every Resources object must contain a Type member.")
    _check_references(template)


def references(value: Any) -> Iterator[str]:  # Any: part of a template
    """Every name that a part of a template refers to: Ref, Fn::GetAtt and the names inside Fn::Sub."""
    if isinstance(value, list):
        for item in value:
            yield from references(item)
        return
    if not isinstance(value, dict):
        return
    for key, inner in value.items():
        if key == "Ref" and isinstance(inner, str):
            yield inner
        elif key == "Fn::GetAtt":
            yield inner[0] if isinstance(inner, list) else str(inner).split(".")[0]
        elif key == "Fn::Sub":
            yield from _sub_references(inner)
        else:
            yield from references(inner)


def _sub_references(inner: Any) -> Iterator[str]:  # Any: part of a template
    text, own = (inner[0], inner[1]) if isinstance(inner, list) else (inner, {})
    yield from references(own)
    for name in _SUB.findall(text):
        if name not in own:
            yield name.split(".")[0]


def _check_references(template: Template) -> None:
    known = set(template["Resources"]) | set(template.get("Parameters") or {})
    for section in ("Resources", "Outputs"):
        content = template.get(section) or {}
        found = {name for name in references(content) if name not in known and not name.startswith(_PSEUDO)}
        if found:
            names = ", ".join(sorted(found))
            raise _format_error(
                f"Unresolved resource dependencies [{names}] in the {section} block of the template"
            )


def dependencies(resources: Mapping[str, Any]) -> dict[str, set[str]]:  # Any: part of a template
    """Logical id -> the logical ids that must be made before it."""
    needs: dict[str, set[str]] = {}
    for name, resource in resources.items():
        depends = resource.get("DependsOn") or []
        named = {depends} if isinstance(depends, str) else set(depends)
        needs[name] = {other for other in named | set(references(resource)) if other in resources}
        needs[name].discard(name)
    return needs


def in_order(resources: Mapping[str, Any]) -> list[str]:  # Any: part of a template
    """Logical ids, each after what it needs. Raises ValidationError for a circle."""
    try:
        return list(TopologicalSorter(dependencies(resources)).static_order())
    except CycleError as error:
        names = ", ".join(sorted(set(error.args[1])))
        raise ValidationError(message=f"Circular dependency between resources: [{names}]") from error
