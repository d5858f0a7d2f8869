"""What happens to a stack: made, updated, rolled back and deleted step by step, with an event for each step.

moto makes resources whenever something looks at them. Here a stack has a flow of steps; each runs when what it needs
is done, a custom resource makes the flow wait, and a failure turns the flow round.
"""

# ruff: noqa: SLF001  # moto's own seams; each has a canary
from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from moto.cloudformation import models as cfm
from moto.cloudformation import parsing as cfp
from moto.core.exceptions import ServiceException
from moto.ec2.models import ec2_backends
from moto.ec2.models.core import TaggedEC2Resource
from werkzeug.exceptions import HTTPException

from awsaccess.sandbox.cloudformation import custom, iam, permissions
from awsaccess.sandbox.cloudformation.template import Template, dependencies, in_order, parse
from awsaccess.sandbox.guard.caller import Caller, Moto
from awsaccess.sandbox.guard.context import CURRENT, acting
from awsaccess.sandbox.guard.language import Context

Verb = Literal["create", "update", "delete"]
Direction = Literal["CREATE", "ROLLBACK", "UPDATE", "UPDATE_ROLLBACK", "DELETE"]
Properties = dict[str, Any]  # Any: a resource's resolved properties

_STACK_TYPE: Final = "AWS::CloudFormation::Stack"
_TAGS_AS_LIST: Final = frozenset(
    {"AWS::IAM::Role", "AWS::S3::Bucket", "AWS::SNS::Topic", "AWS::SQS::Queue", "AWS::RDS::DBInstance"}
    | {"AWS::RDS::DBSubnetGroup", "AWS::DynamoDB::Table", "AWS::KMS::Key"}
)


class StepFailed(Exception):
    """A step was refused; the text is what its event shows."""


@dataclass(slots=True, kw_only=True)
class Made:
    """One resource of a stack."""

    logical_id: str
    resource_type: str
    entity: Moto
    properties: Properties
    retained: bool
    status: str = "CREATE_IN_PROGRESS"

    @property
    def physical_id(self) -> str:
        """What Ref gives."""
        return str(self.entity.physical_resource_id or "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing to do, after everything in `needs` (logical ids) is done. `old` is set for what is replaced."""

    verb: Verb
    logical_id: str
    needs: frozenset[str] = frozenset()
    old: Made | None = None


@dataclass(slots=True, kw_only=True)
class Flow:
    """What a stack is in the middle of."""

    direction: Direction
    steps: list[Step]
    waiting: dict[str, str] = field(default_factory=dict)
    """Logical id -> token of the ResponseURL it waits at."""
    failed: list[str] = field(default_factory=list)
    cleanup: list[Step] = field(default_factory=list)
    retain: frozenset[str] = frozenset()
    force: bool = False


@dataclass(slots=True, kw_only=True)
class Version:
    """What a stack was made from, to come back to it."""

    text: str
    parameters: dict[str, str]


@dataclass(slots=True, kw_only=True)
class StackState:
    """A stack with what moto's lacks. `caller` is who acts for it (None after a restart, for a session)."""

    stack: Moto
    template: Template
    good: Version
    wanted: Version
    on_failure: Literal["ROLLBACK", "DELETE", "DO_NOTHING"] = "ROLLBACK"
    made: dict[str, Made] = field(default_factory=dict)
    outputs: list[dict[str, Any]] = field(default_factory=list)  # Any: JSON
    flow: Flow | None = None
    caller: Caller | None = None
    context: Context = field(default_factory=dict)
    token: str | None = None


STATES: Final[dict[str, StackState]] = {}


# ---------------------------------------------------------------- events


def add_event(state: StackState, made: Made | None, status: str, reason: str | None = None) -> None:
    """Tell what happened, to the resource or (None) to the stack itself."""
    stack = state.stack
    event = cfm.Event(
        stack_id=stack.stack_id,
        stack_name=stack.name,
        logical_resource_id=made.logical_id if made else stack.name,
        physical_resource_id=made.physical_id if made else stack.stack_id,
        resource_type=made.resource_type if made else _STACK_TYPE,
        resource_status=status,
        resource_status_reason=reason,
        resource_properties=None,
    )
    stack.events.append(event)
    if made:
        made.status = status
    else:
        stack.status = status
        event.sendToSns(stack.account_id, stack.region_name, stack.notification_arns)


def reason_of(error: Exception) -> str:
    """What AWS would say of this error, without code and markup."""
    return str(getattr(error, "message", None) or error)


# ---------------------------------------------------------------- resolving


def _without_no_value(value: Any) -> Any:  # Any: JSON
    """moto leaves AWS::NoValue in lists as None."""
    if isinstance(value, list):
        return [_without_no_value(inner) for inner in value if inner is not None]
    if isinstance(value, dict):
        return {key: _without_no_value(inner) for key, inner in value.items()}
    return value


def _is_wanted(state: StackState, logical_id: str) -> bool:
    condition = state.template["Resources"][logical_id].get("Condition")
    return condition is None or bool(state.stack.resource_map.lazy_condition_map[condition])


def _resolved(state: StackState, logical_id: str) -> tuple[Moto, Properties, str]:
    """The class, the resolved properties and the (perhaps generated) name of a resource."""
    raw = copy.deepcopy(state.template["Resources"][logical_id])
    resource_map = state.stack.resource_map
    resource_class, cleaned, name = cfp.parse_resource_and_generate_name(logical_id, raw, resource_map)
    properties = _without_no_value(cleaned.get("Properties") or {})
    return resource_class, _with_stack_tags(state, cleaned["Type"], properties), name


def _with_stack_tags(state: StackState, resource_type: str, properties: Properties) -> Properties:
    if resource_type not in _TAGS_AS_LIST or not state.stack.tags:
        return properties
    tags = {tag["Key"]: tag["Value"] for tag in properties.get("Tags") or []}
    merged = state.stack.tags | tags
    return properties | {"Tags": [{"Key": key, "Value": value} for key, value in merged.items()]}


def _load(state: StackState, version: Version) -> None:
    """Let the stack mean this template and these parameters; nothing is made yet."""
    stack = state.stack
    state.template = parse(version.text)
    stack.template, stack.parameters = version.text, dict(version.parameters)
    stack.template_dict = state.template
    stack.description = state.template.get("Description")
    stack.resource_map = stack._create_resource_map()
    for made in state.made.values():
        stack.resource_map._parsed_resources[made.logical_id] = made.entity


# ---------------------------------------------------------------- single steps


def _check_rights(state: StackState, verb: Verb, made: Made, name: str) -> None:
    try:
        permissions.require(
            made.resource_type,
            verb,
            account=state.stack.account_id,
            region=state.stack.region_name,
            properties=made.properties,
            name=name,
            role_arn=state.stack.role_arn,
        )
    except permissions.RightMissing as error:
        raise StepFailed(str(error)) from error


def _make_entity(state: StackState, made: Made, resource_class: Moto, name: str) -> Moto:
    stack = state.stack
    if make := iam.CREATE.get(made.resource_type):
        name = made.properties.get("ManagedPolicyName", name)
        return make(name, made.properties, stack.account_id)
    body = {"Type": made.resource_type, "Properties": made.properties}
    extra = {"LogicalId": made.logical_id, "StackId": stack.stack_id, "ResourceType": made.resource_type}
    return resource_class.create_from_cloudformation_json(
        name, body, stack.account_id, stack.region_name, **extra
    )


def _tag_ec2(state: StackState, made: Made) -> None:
    if not isinstance(made.entity, TaggedEC2Resource):
        return
    stack = state.stack
    tags = stack.tags | {
        "aws:cloudformation:stack-name": stack.name,
        "aws:cloudformation:stack-id": stack.stack_id,
        "aws:cloudformation:logical-id": made.logical_id,
    }
    ec2_backends[stack.account_id][stack.region_name].create_tags([made.physical_id], tags)


@dataclass(slots=True, kw_only=True)
class _Unmade:
    """Stands for a resource that has no physical id yet."""

    physical_resource_id: str = ""


def _create(state: StackState, step: Step) -> None:
    resource_type = state.template["Resources"][step.logical_id]["Type"]
    retained = state.template["Resources"][step.logical_id].get("DeletionPolicy") == "Retain"
    made = Made(
        logical_id=step.logical_id,
        resource_type=resource_type,
        entity=_Unmade(),
        properties={},
        retained=retained,
    )
    add_event(state, made, "CREATE_IN_PROGRESS")
    try:
        _create_entity(state, made)
    except (StepFailed, ServiceException, HTTPException, custom.NotSent, iam.DeletionRefused) as error:
        add_event(state, made, "CREATE_FAILED", reason_of(error))
        raise StepFailed(step.logical_id) from error
    if step.logical_id not in _flow(state).waiting:
        add_event(state, made, "CREATE_COMPLETE")


def _create_entity(state: StackState, made: Made) -> None:
    resource_class, made.properties, name = _resolved(state, made.logical_id)
    _check_rights(state, "create", made, str(made.properties.get("ManagedPolicyName", name)))
    if permissions.is_custom(made.resource_type):
        made.entity = custom.CustomResource(
            logical_id=made.logical_id,
            resource_type=made.resource_type,
            stack_id=state.stack.stack_id,
            properties=made.properties,
            physical_id=name,
        )
        _ask(state, "Create", made)
    else:
        made.entity = _make_entity(state, made, resource_class, name)
        _tag_ec2(state, made)
    state.made[made.logical_id] = made
    state.stack.resource_map._parsed_resources[made.logical_id] = made.entity


def _ask(state: StackState, kind: custom.Kind, made: Made, old: Properties | None = None) -> None:
    def answered(answer: custom.Answer) -> None:
        _custom_answered(state, kind, made, answer)

    _flow(state).waiting[made.logical_id] = custom.ask(kind, made.entity, answered, old)


def _update(state: StackState, step: Step) -> None:
    made = state.made[step.logical_id]
    try:
        resource_class, properties, name = _resolved(state, step.logical_id)
        retained = state.template["Resources"][step.logical_id].get("DeletionPolicy") == "Retain"
        if properties == made.properties:
            made.retained = retained
            return
        if _is_replaced(made, properties):
            _replace(state, step, made)
            return
        add_event(state, made, "UPDATE_IN_PROGRESS")
        _check_rights(state, "update", made, made.physical_id)
        _change_entity(state, made, properties, resource_class, name)
        made.retained = retained
    except (StepFailed, ServiceException, HTTPException, custom.NotSent, iam.DeletionRefused) as error:
        add_event(state, made, "UPDATE_FAILED", reason_of(error))
        raise StepFailed(step.logical_id) from error
    if step.logical_id not in _flow(state).waiting:
        add_event(state, made, "UPDATE_COMPLETE")


def _is_replaced(made: Made, properties: Properties) -> bool:
    names = iam.REPLACED_BY.get(made.resource_type, ())
    return any(made.properties.get(name) != properties.get(name) for name in names)


def _replace(state: StackState, step: Step, made: Made) -> None:
    reason = "Requested update requires the creation of a new physical resource; hence creating one."
    add_event(state, made, "UPDATE_IN_PROGRESS", reason)
    del state.made[step.logical_id]
    try:
        _create(state, Step(verb="create", logical_id=step.logical_id))
    except StepFailed:
        state.made[step.logical_id] = made  # the old one is still there, and the roll-back finds it
        state.stack.resource_map._parsed_resources[step.logical_id] = made.entity
        raise
    _flow(state).cleanup.append(Step(verb="delete", logical_id=step.logical_id, old=made))


def _change_entity(
    state: StackState, made: Made, properties: Properties, resource_class: Moto, name: str
) -> None:
    old, made.properties = made.properties, properties
    try:
        made.entity = _changed_entity(state, made, old, resource_class, name)
    except (StepFailed, ServiceException, HTTPException, custom.NotSent, iam.DeletionRefused):
        made.properties = old
        raise
    state.stack.resource_map._parsed_resources[made.logical_id] = made.entity


def _changed_entity(state: StackState, made: Made, old: Properties, resource_class: Moto, name: str) -> Moto:
    stack = state.stack
    if change := iam.UPDATE.get(made.resource_type):
        return change(made.entity, old, made.properties, stack.account_id)
    if permissions.is_custom(made.resource_type):
        made.entity.properties = made.properties
        _ask(state, "Update", made, old)
        return made.entity
    change_moto = resource_class.update_from_cloudformation_json
    if hasattr(change_moto, "__isabstractmethod__"):
        raise StepFailed(f"The sandbox does not simulate an update of {made.resource_type}")
    body = {"Type": made.resource_type, "Properties": made.properties}
    return change_moto(
        original_resource=made.entity,
        new_resource_name=name,
        cloudformation_json=body,
        account_id=stack.account_id,
        region_name=stack.region_name,
    )


def _delete(state: StackState, step: Step) -> None:
    made = step.old or state.made[step.logical_id]
    flow = _flow(state)
    if made.retained or made.logical_id in flow.retain:
        add_event(state, made, "DELETE_SKIPPED")
        _forget(state, step)
        return
    add_event(state, made, "DELETE_IN_PROGRESS")
    try:
        _check_rights(state, "delete", made, made.physical_id)
        if permissions.is_custom(made.resource_type):
            _ask(state, "Delete", made)
            return
        _delete_entity(state, made)
    except (StepFailed, ServiceException, HTTPException, custom.NotSent, iam.DeletionRefused) as error:
        add_event(state, made, "DELETE_FAILED", reason_of(error))
        if not flow.force:
            raise StepFailed(step.logical_id) from error
    else:
        add_event(state, made, "DELETE_COMPLETE")
    _forget(state, step)


def _delete_entity(state: StackState, made: Made) -> None:
    if remove := iam.DELETE.get(made.resource_type):
        remove(made.entity, made.properties, state.stack.account_id)
        return
    if made.resource_type == "AWS::S3::Bucket" and made.entity.keys:
        raise StepFailed(
            "The bucket you tried to delete is not empty. You must delete all versions in the bucket."
        )
    body = {"Type": made.resource_type, "Properties": made.properties}
    state.stack.resource_map._delete_resource(made.entity, body)


def _forget(state: StackState, step: Step) -> None:
    if step.old is None:
        state.made.pop(step.logical_id, None)
        state.stack.resource_map._parsed_resources.pop(step.logical_id, None)


_RUN: Final[Mapping[Verb, Callable[[StackState, Step], None]]] = {
    "create": _create,
    "update": _update,
    "delete": _delete,
}


def _custom_answered(state: StackState, kind: custom.Kind, made: Made, answer: custom.Answer) -> None:
    flow = state.flow
    if flow is None or flow.waiting.pop(made.logical_id, None) is None:
        return
    with acting(state.caller or CURRENT.caller, state.context):
        _settle(state, flow, kind, made, answer)
        _advance(state)


def _settle(state: StackState, flow: Flow, kind: custom.Kind, made: Made, answer: custom.Answer) -> None:
    verb = kind.upper()
    if kind == "Create" and answer.physical_id:
        made.entity.physical_id = answer.physical_id  # a failed one too: it is what the Delete will name
    if answer.reason is not None and not (kind == "Delete" and flow.force):
        reason = f"Received response status [FAILED] from custom resource. Message returned: {answer.reason}"
        add_event(state, made, f"{verb}_FAILED", reason)
        flow.failed.append(made.logical_id)
        return
    if kind == "Delete":
        add_event(state, made, "DELETE_COMPLETE")
        if state.made.get(made.logical_id) is made:
            _forget(state, Step(verb="delete", logical_id=made.logical_id))
        return
    if kind == "Update" and answer.physical_id != made.entity.physical_id:
        before = Made(
            logical_id=made.logical_id,
            resource_type=made.resource_type,
            entity=copy.copy(made.entity),
            properties=made.properties,
            retained=made.retained,
        )
        flow.cleanup.append(Step(verb="delete", logical_id=made.logical_id, old=before))
    made.entity.physical_id, made.entity.data = answer.physical_id, answer.data
    add_event(state, made, f"{verb}_COMPLETE")


# ---------------------------------------------------------------- flows


def _flow(state: StackState) -> Flow:
    if state.flow is None:
        raise RuntimeError("a step ran outside a flow")
    return state.flow


def _next(flow: Flow) -> Step | None:
    busy = {step.logical_id for step in flow.steps} | set(flow.waiting)
    return next((s for s in flow.steps if not (s.needs & busy) and s.logical_id not in flow.waiting), None)


def _advance(state: StackState) -> None:
    """Do every step whose time has come; at the end, or at a failure, close the flow or turn it round."""
    flow = _flow(state)
    stops_at_failure = flow.direction in {"CREATE", "UPDATE"}
    while step := _next(flow):
        if flow.failed and stops_at_failure:
            break
        flow.steps.remove(step)
        try:
            _RUN[step.verb](state, step)
        except StepFailed as error:
            flow.failed.append(str(error))
    if flow.failed and stops_at_failure:
        _turn_round(state, flow)
    elif not flow.waiting and flow.cleanup and not flow.failed:
        _clean_up(state, flow)
    elif not flow.waiting:
        _FINISH[flow.direction](state, flow)


def _clean_up(state: StackState, flow: Flow) -> None:
    flow.steps, flow.cleanup = flow.cleanup, []
    if flow.direction == "UPDATE":
        add_event(state, None, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
    flow.force = True  # what cannot be cleaned up is left behind, as on AWS
    _advance(state)


def _turn_round(state: StackState, flow: Flow) -> None:
    for token in flow.waiting.values():
        custom.forget(token)
    names = ", ".join(flow.failed)
    if flow.direction == "CREATE":
        _create_failed(state, f"The following resource(s) failed to create: [{names}].")
    else:
        add_event(
            state,
            None,
            "UPDATE_ROLLBACK_IN_PROGRESS",
            f"The following resource(s) failed to update: [{names}].",
        )
        _start_update(state, "UPDATE_ROLLBACK", state.good, flow.cleanup)


def _create_failed(state: StackState, reason: str) -> None:
    if state.on_failure == "DO_NOTHING":
        add_event(state, None, "CREATE_FAILED", reason)
        state.flow = None
        return
    status = "ROLLBACK_IN_PROGRESS" if state.on_failure == "ROLLBACK" else "DELETE_IN_PROGRESS"
    add_event(state, None, status, reason)
    direction: Direction = "ROLLBACK" if state.on_failure == "ROLLBACK" else "DELETE"
    state.flow = Flow(direction=direction, steps=_deletion_steps(state))
    _advance(state)


def _deletion_steps(state: StackState) -> list[Step]:
    """Each resource after everything that was made from it."""
    resources = {name: body for name, body in state.template["Resources"].items() if name in state.made}
    needs = dependencies(resources)
    users = {name: frozenset(other for other in needs if name in needs[other]) for name in resources}
    steps = [
        Step(verb="delete", logical_id=name, needs=users[name]) for name in reversed(in_order(resources))
    ]
    orphans = [name for name in state.made if name not in resources]
    return steps + [Step(verb="delete", logical_id=name) for name in orphans]


def _keep_outputs(state: StackState) -> None:
    stack = state.stack
    stack.output_map = stack._create_output_map()
    backend = cfm.cloudformation_backends[stack.account_id][stack.region_name]
    _drop_exports(state)
    exports = {export.value: export.name for export in stack.output_map.exports}
    for export in stack.output_map.exports:
        backend.exports[export.name] = export
    state.outputs = [
        {
            "OutputKey": output.key,
            "OutputValue": output.value,
            "Description": output.description,
            "ExportName": exports.get(output.value),
        }
        for output in stack.output_map.values()
        if output
    ]


def _drop_exports(state: StackState) -> None:
    stack = state.stack
    backend = cfm.cloudformation_backends[stack.account_id][stack.region_name]
    own = [name for name, e in backend.exports.items() if e.exporting_stack_id == stack.stack_id]
    for name in own:
        del backend.exports[name]


def _created(state: StackState, _: Flow) -> None:
    _keep_outputs(state)
    state.good, state.flow = state.wanted, None
    add_event(state, None, "CREATE_COMPLETE")


def _updated(state: StackState, _: Flow) -> None:
    _keep_outputs(state)
    state.good, state.flow = state.wanted, None
    add_event(state, None, "UPDATE_COMPLETE")


def _rolled_back(state: StackState, flow: Flow) -> None:
    state.flow = None
    status = "ROLLBACK_FAILED" if flow.failed else "ROLLBACK_COMPLETE"
    add_event(state, None, status, _failed_reason(flow, "delete"))


def _update_rolled_back(state: StackState, flow: Flow) -> None:
    _keep_outputs(state)
    state.flow = None
    status = "UPDATE_ROLLBACK_FAILED" if flow.failed else "UPDATE_ROLLBACK_COMPLETE"
    add_event(state, None, status, _failed_reason(flow, "update"))


def _failed_reason(flow: Flow, verb: str) -> str | None:
    names = ", ".join(flow.failed)
    return f"The following resource(s) failed to {verb}: [{names}]." if names else None


def _deleted(state: StackState, flow: Flow) -> None:
    state.flow, stack = None, state.stack
    if flow.failed:
        add_event(state, None, "DELETE_FAILED", _failed_reason(flow, "delete"))
        return
    _drop_exports(state)
    add_event(state, None, "DELETE_COMPLETE")
    backend = cfm.cloudformation_backends[stack.account_id][stack.region_name]
    backend.stacks.pop(stack.stack_id, None)
    backend.deleted_stacks[stack.stack_id] = stack


_FINISH: Final[Mapping[Direction, Callable[[StackState, Flow], None]]] = {
    "CREATE": _created,
    "UPDATE": _updated,
    "ROLLBACK": _rolled_back,
    "UPDATE_ROLLBACK": _update_rolled_back,
    "DELETE": _deleted,
}


def _remember_caller(state: StackState) -> None:
    state.caller, state.context = CURRENT.caller, CURRENT.context


def start_create(state: StackState) -> None:
    """Make the stack: everything its template wants, in order."""
    _remember_caller(state)
    add_event(state, None, "CREATE_IN_PROGRESS", "User Initiated")
    needs = dependencies(state.template["Resources"])
    wanted = [name for name in in_order(state.template["Resources"]) if _is_wanted(state, name)]
    steps = [Step(verb="create", logical_id=name, needs=frozenset(needs[name])) for name in wanted]
    state.flow = Flow(direction="CREATE", steps=steps)
    _advance(state)


def start_update(state: StackState, version: Version) -> None:
    """Bring the stack to another template or other parameters."""
    _remember_caller(state)
    state.wanted = version
    add_event(state, None, "UPDATE_IN_PROGRESS", "User Initiated")
    _start_update(state, "UPDATE", version, [])


def _start_update(state: StackState, direction: Direction, version: Version, replaced: list[Step]) -> None:
    for step in replaced:  # rolling back: the old resource is still there, the new one goes
        if step.old:
            new, state.made[step.logical_id] = state.made.get(step.logical_id), step.old
            if new is not None and new is not step.old:
                state.made[f"{step.logical_id}\0new"] = new
    _load(state, version)
    needs = dependencies(state.template["Resources"])
    wanted = [name for name in in_order(state.template["Resources"]) if _is_wanted(state, name)]
    steps = [
        Step(verb="update" if name in state.made else "create", logical_id=name, needs=frozenset(needs[name]))
        for name in wanted
    ]
    gone = [
        Step(verb="delete", logical_id=name, old=state.made.pop(name))
        for name in list(state.made)
        if name not in wanted
    ]
    state.flow = Flow(direction=direction, steps=steps, cleanup=gone)
    _advance(state)


def start_delete(state: StackState, *, retain: frozenset[str], force: bool) -> None:
    """Take the stack's resources away, users before what they use."""
    _remember_caller(state)
    if state.flow:
        for token in state.flow.waiting.values():
            custom.forget(token)
    add_event(state, None, "DELETE_IN_PROGRESS", "User Initiated")
    state.flow = Flow(direction="DELETE", steps=_deletion_steps(state), retain=retain, force=force)
    _advance(state)
