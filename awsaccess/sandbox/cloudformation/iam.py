"""Roles and policies as CloudFormation makes, changes and deletes them. moto's own do a part of it, or nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from moto.iam.models import IAMBackend, InlinePolicy, ManagedPolicy, Role, iam_backends

from awsaccess.sandbox.guard.caller import Moto

Properties = Mapping[str, Any]  # Any: a resource's resolved properties

REPLACED_BY: Final[Mapping[str, tuple[str, ...]]] = {
    "AWS::IAM::Role": ("RoleName", "Path"),
    "AWS::IAM::ManagedPolicy": ("ManagedPolicyName", "Path", "Description"),
}
"""Properties whose change makes a new resource and deletes the old one."""


class DeletionRefused(Exception):
    """IAM keeps an entity that still has something on it; the text is IAM's."""


def _backend(account_id: str) -> IAMBackend:
    return iam_backends[account_id]["aws"]


def _text(document: Any) -> str:  # Any: JSON, or JSON as text already
    return document if isinstance(document, str) else json.dumps(document)


def _inline(properties: Properties) -> dict[str, str]:
    return {
        policy["PolicyName"]: _text(policy["PolicyDocument"]) for policy in properties.get("Policies") or []
    }


def _sync_inline(backend: IAMBackend, role: Moto, old: Properties, new: Properties) -> None:
    """What the template put there follows the template; what somebody put by hand stays, as on AWS."""
    wanted = _inline(new)
    for name in set(_inline(old)) - set(wanted):
        if name in role.policies:
            role.delete_policy(name)
    for name, document in wanted.items():
        backend.put_role_policy(role.name, name, document)


def _sync_attached(backend: IAMBackend, role: Moto, old: Properties, new: Properties) -> None:
    wanted = list(new.get("ManagedPolicyArns") or [])
    for arn in old.get("ManagedPolicyArns") or []:
        if arn not in wanted and arn in role.managed_policies:
            backend.detach_role_policy(arn, role.name)
    for arn in wanted:
        if arn not in role.managed_policies:
            backend.attach_role_policy(arn, role.name)


def create_role(name: str, properties: Properties, account_id: str) -> Moto:
    """Make a role with its policies; a half-made one is taken away again before the error goes on."""
    backend = _backend(account_id)
    role = backend.create_role(
        role_name=name,
        assume_role_policy_document=_text(properties["AssumeRolePolicyDocument"]),
        path=properties.get("Path", "/"),
        permissions_boundary=properties.get("PermissionsBoundary"),
        description=properties.get("Description", ""),
        tags=properties.get("Tags") or [],
        max_session_duration=properties.get("MaxSessionDuration", 3600),
    )
    try:
        _sync_inline(backend, role, {}, properties)
        _sync_attached(backend, role, {}, properties)
    except Exception:
        _strip(backend, role, properties)
        backend.delete_role(name)
        raise
    return role


def update_role(role: Moto, old: Properties, new: Properties, account_id: str) -> Moto:
    """Change a role in place. Raises moto's errors when the new trust policy or a policy is refused."""
    backend = _backend(account_id)
    backend.update_assume_role_policy(role.name, _text(new["AssumeRolePolicyDocument"]))
    role.max_session_duration = new.get("MaxSessionDuration", 3600)
    role.description = new.get("Description", "")
    role.permissions_boundary_arn = new.get("PermissionsBoundary")
    role.tags = list(new.get("Tags") or [])
    _sync_inline(backend, role, old, new)
    _sync_attached(backend, role, old, new)
    return role


def _strip(backend: IAMBackend, role: Moto, properties: Properties) -> None:
    for name in _inline(properties):
        if name in role.policies:
            role.delete_policy(name)
    for arn in properties.get("ManagedPolicyArns") or []:
        if arn in role.managed_policies:
            backend.detach_role_policy(arn, role.name)


def delete_role(role: Moto, properties: Properties, account_id: str) -> None:
    """Delete a role made by a template. Raises DeletionRefused while a policy put by hand is on it.

    That is the trap of AWS_FACTS §8: AWSRevokeOlderSessions must be taken off before the stack can be deleted.
    """
    backend = _backend(account_id)
    if role.id not in backend.roles:
        return  # deleted by hand before: CloudFormation takes that as done
    _strip(backend, role, properties)
    if role.managed_policies:
        raise DeletionRefused("Cannot delete entity, must detach all policies first.")
    if role.policies:
        raise DeletionRefused("Cannot delete entity, must delete policies first.")
    backend.delete_role(role.name)


def create_policy(name: str, properties: Properties, account_id: str) -> Moto:
    """Make a managed policy and attach it to the template's roles."""
    backend = _backend(account_id)
    policy = backend.create_policy(
        description=properties.get("Description", ""),
        path=properties.get("Path", "/"),
        policy_document=_text(properties["PolicyDocument"]),
        policy_name=name,
        tags=properties.get("Tags") or [],
    )
    for role_name in properties.get("Roles") or []:
        backend.attach_role_policy(policy.arn, role_name)
    return policy


def update_policy(policy: Moto, old: Properties, new: Properties, account_id: str) -> Moto:
    """A new default version; the oldest one makes room, as five is all there can be."""
    backend = _backend(account_id)
    if len(policy.versions) >= 5:
        oldest = next(v for v in policy.versions if not v.is_default)
        backend.delete_policy_version(policy.arn, oldest.version_id)
    backend.create_policy_version(policy.arn, _text(new["PolicyDocument"]), set_as_default=True)
    before, after = set(old.get("Roles") or []), set(new.get("Roles") or [])
    for role_name in before - after:
        backend.detach_role_policy(policy.arn, role_name)
    for role_name in after - before:
        backend.attach_role_policy(policy.arn, role_name)
    return policy


def delete_policy(policy: Moto, properties: Properties, account_id: str) -> None:
    """Delete a managed policy. Raises DeletionRefused while somebody else's role uses it."""
    backend = _backend(account_id)
    if policy.arn not in backend.managed_policies:
        return
    for role_name in properties.get("Roles") or []:
        if policy.arn in backend.get_role(role_name).managed_policies:
            backend.detach_role_policy(policy.arn, role_name)
    if any(policy.arn in role.managed_policies for role in backend.roles.values()):
        raise DeletionRefused("Cannot delete a policy attached to entities.")
    backend.delete_policy(policy.arn)


def _inline_names(properties: Properties) -> tuple[str, list[str]]:
    if properties.get("Users") or properties.get("Groups"):
        raise DeletionRefused("The sandbox simulates AWS::IAM::Policy for roles only")
    return properties["PolicyName"], list(properties.get("Roles") or [])


def create_inline(name: str, properties: Properties, account_id: str) -> Moto:
    """AWS::IAM::Policy: the same inline policy on each of the template's roles."""
    backend = _backend(account_id)
    policy_name, roles = _inline_names(properties)
    for role_name in roles:
        backend.put_role_policy(role_name, policy_name, _text(properties["PolicyDocument"]))
    make: Moto = InlinePolicy  # mypy takes it for abstract
    return make(name, policy_name, _text(properties["PolicyDocument"]), [], roles, [])


def update_inline(policy: Moto, old: Properties, new: Properties, account_id: str) -> Moto:
    """Taken off where it was, put where it is wanted now."""
    delete_inline(policy, old, account_id)
    return create_inline(policy.name, new, account_id)


def delete_inline(_: Moto, properties: Properties, account_id: str) -> None:
    """Taken off every role that still has it."""
    backend = _backend(account_id)
    policy_name, roles = _inline_names(properties)
    for role in list(backend.roles.values()):
        if role.name in roles and policy_name in role.policies:
            role.delete_policy(policy_name)


CREATE: Final[Mapping[str, Callable[[str, Properties, str], Moto]]] = {
    Role.cloudformation_type(): create_role,
    ManagedPolicy.cloudformation_type(): create_policy,
    InlinePolicy.cloudformation_type(): create_inline,
}
UPDATE: Final[Mapping[str, Callable[[Moto, Properties, Properties, str], Moto]]] = {
    Role.cloudformation_type(): update_role,
    ManagedPolicy.cloudformation_type(): update_policy,
    InlinePolicy.cloudformation_type(): update_inline,
}
DELETE: Final[Mapping[str, Callable[[Moto, Properties, str], None]]] = {
    Role.cloudformation_type(): delete_role,
    ManagedPolicy.cloudformation_type(): delete_policy,
    InlinePolicy.cloudformation_type(): delete_inline,
}
