"""The stack that makes one access role in a client's account: rendered per engagement, nothing to fill in.

A structure is built and serialised; no text is ever pasted into the template (SECURITY §8). Free text reaches tags
and descriptions only, and no intrinsic function ever holds any.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import unicodedata
from dataclasses import dataclass, field
from typing import Any, Final

from awsaccess.policy import documents
from awsaccess.policy.compare import REVOKED
from awsaccess.policy.documents import Document, Statement
from awsaccess.provision.naming import requiring_names
from awsaccess.provision.statements import BadStatement, check_statements

ROLE_LOGICAL_ID: Final = "AccessRole"
POLICY_NAME: Final = "latchkey-access"
# AWS's limits. IAM leaves white space out when it counts (AWS_FACTS §1, §2); the others count what is sent.
LONGEST_TRUST: Final = 2048
LONGEST_INLINE: Final = 10_240
LONGEST_TEMPLATE_BODY: Final = (
    51_200  # of create-stack --template-body; the 1 MB of a template in S3 lies far beyond
)
MOST_MANAGED: Final = 10
LONGEST_TAG: Final = 256
LONGEST_NAME_IN_TEXT: Final = 120  # a template's description ends at 1,024 bytes, and é takes two

CODE: Final = re.compile(r"[a-z0-9]{4,12}", re.ASCII)
ACCOUNT: Final = re.compile(r"[0-9]{12}", re.ASCII)
EXTERNAL_ID: Final = re.compile(r"[\w+=,.@:/-]{32,1224}", re.ASCII)
MANAGED: Final = re.compile(r"arn:aws:iam::aws:(policy/(?:[\w+=,.@-]+/)*[\w+=,.@-]+)", re.ASCII)
PARTITIONS: Final = ("aws", "aws-us-gov", "aws-cn")
CALLBACK_TYPE: Final = "Custom::LatchkeyCallback"
CALLBACK_SECONDS: Final = "300"  # CloudFormation waits so long for an answer (AWS_FACTS §4)
CALLBACK_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{32}", re.ASCII)
REGION: Final = re.compile(r"[a-z]{2}(?:-[a-z]{2,12}){1,3}-[0-9]", re.ASCII)
TOPIC_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,256}", re.ASCII)
NOT_IN_A_NAME: Final = re.compile(r"[^\w .:/=+@-]+")  # the characters of a tag (SECURITY §8)
NOT_IN_A_DESCRIPTION: Final = re.compile(r"[^\x20-\x7e\xa1-\xff]+")  # IAM takes Latin-1 there
READ_SELF: Final = (
    "iam:GetRole",
    "iam:GetRolePolicy",
    "iam:ListAttachedRolePolicies",
    "iam:ListRolePolicies",
)
Node = Any  # Any: CloudFormation's JSON nests as it likes, with intrinsics in any place of a value


class BadGrant(ValueError):
    """Raised instead of rendering a template that AWS would refuse or that could open wider than agreed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessGrantSpec:
    """All that the access stack depends on.

    `managed_policy_arns` are AWS's own, written with `arn:aws:`; `statements` are plain IAM JSON without intrinsics.
    `also_external_id` opens the role as well, while one external ID is exchanged for another; `also_hub_role_arn`, of the
    hub's account, may enter as well, while the access moves to another hub role (ADR 13). `names_required`: the role opens only
    for sessions that name a person, the practice, the engagement and the visit (ADR 17). `callback_topics` are (region, ARN) of the hub; without them the stack reports nothing.
    """

    practice_name: str
    client_name: str
    engagement_code: str
    hub_account_id: str
    hub_role_arn: str
    external_id: str = field(repr=False)
    expires_at: dt.datetime
    managed_policy_arns: tuple[str, ...] = ()
    statements: tuple[Statement, ...] = ()
    look_only: bool
    max_session_seconds: int = 3600
    partition: str = "aws"
    also_external_id: str = field(default="", repr=False)
    also_hub_role_arn: str = ""
    callback_topics: tuple[tuple[str, str], ...] = ()
    callback_token: str = field(default="", repr=False)
    names_required: bool = False

    @property
    def role_name(self) -> str:
        """Raises BadGrant for a code that is none of ours."""
        return role_name_for(self.engagement_code)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedRole:
    """What `inspect_role` must find after deployment, all intrinsics resolved. Duration in seconds."""

    trust_document: Document = field(repr=False)  # holds the external ID
    inline_documents: dict[str, Document]
    attached_policy_arns: frozenset[str]
    max_session_duration: int
    tags: dict[str, str] = field(default_factory=dict)


def role_name_for(engagement_code: str) -> str:
    """The role's fixed name, so that its ARN is known before it exists (AWS_FACTS §5). Raises BadGrant."""
    _require(CODE.fullmatch(engagement_code) is not None, "the engagement's code is none of ours")
    return f"latchkey-{engagement_code}"


def role_arn_for(spec: AccessGrantSpec, account_id: str) -> str:
    """The ARN that the role will have in that account. Raises BadGrant."""
    _require(ACCOUNT.fullmatch(account_id) is not None, "an account number has 12 digits")
    return f"arn:{spec.partition}:iam::{account_id}:role/{spec.role_name}"


def render_template(spec: AccessGrantSpec, *, sessions_end_before: dt.datetime | None = None) -> str:
    """CloudFormation template as JSON text: the same bytes for the same spec, at most 51,200 of them, all ASCII.

    With `sessions_end_before` the role also denies everything to sessions opened before that moment. It stands in a
    policy of the stack, so that the next update takes it away again and the stack can always be deleted.
    Needs CAPABILITY_NAMED_IAM. Its one output is `RoleArn`. Raises BadGrant.
    """
    _check(spec)
    template: dict[str, Node] = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": _description(spec),
        "Resources": {
            ROLE_LOGICAL_ID: {"Type": "AWS::IAM::Role", "Properties": _role(spec, sessions_end_before)},
            **_callbacks(spec),
        },
        "Outputs": {
            "RoleArn": {
                "Description": "The role that was made for this engagement",
                "Value": {"Fn::GetAtt": [ROLE_LOGICAL_ID, "Arn"]},
            }
        },
    }
    if spec.callback_topics:
        template["Conditions"] = {
            _in_region(region): {"Fn::Equals": [{"Ref": "AWS::Region"}, region]}
            for region, _topic in spec.callback_topics
        }
    text = json.dumps(template, indent=2, sort_keys=True) + "\n"
    _require(len(text) <= LONGEST_TEMPLATE_BODY, "the template is longer than 51,200 bytes")
    return text


def with_lock(template: str, spec: AccessGrantSpec) -> str:
    """The template that was agreed to, with the lock of `spec` in it and everything else as it was (ADR 13).

    Raises BadGrant for a template that is none of ours.
    """
    _check(spec)
    made = json.loads(template)
    role = made.get("Resources", {}).get(ROLE_LOGICAL_ID, {}).get("Properties", {})
    _require(role.get("RoleName") == spec.role_name, "the template is of another role")
    role["AssumeRolePolicyDocument"] = _trust(spec)
    return json.dumps(made, indent=2, sort_keys=True) + "\n"


def expected_role(spec: AccessGrantSpec, account_id: str) -> ExpectedRole:
    """The role as that account has it once the template is deployed there. Raises BadGrant."""
    _check(spec)
    arn = role_arn_for(spec, account_id)
    return ExpectedRole(
        trust_document=_trust(spec),
        inline_documents={POLICY_NAME: _inline(spec, own_arn=arn)},
        attached_policy_arns=frozenset(
            f"arn:{spec.partition}:iam::aws:{name}" for name in _managed_names(spec)
        ),
        max_session_duration=spec.max_session_seconds,
        tags=_tags(spec),
    )


def shown_name(name: str, *, otherwise: str) -> str:
    """A name as a tag takes it: other characters become one space. `otherwise` if nothing is left."""
    kept = NOT_IN_A_NAME.sub(" ", unicodedata.normalize("NFC", name))
    return " ".join(kept.split())[:LONGEST_TAG].strip() or otherwise


def _check(spec: AccessGrantSpec) -> None:
    _require(spec.partition in PARTITIONS, "no such partition is offered")
    hub = f"arn:{spec.partition}:iam::{spec.hub_account_id}:role/"
    _require(ACCOUNT.fullmatch(spec.hub_account_id) is not None, "an account number has 12 digits")
    _require(spec.hub_role_arn.startswith(hub), "the hub role lies in another account than the hub")
    other_hub = spec.also_hub_role_arn
    _require(
        not other_hub or (other_hub.startswith(hub) and other_hub != spec.hub_role_arn),
        "the second hub role is not another one of the hub's account",
    )
    _require(EXTERNAL_ID.fullmatch(spec.external_id) is not None, "the external ID is not one that AWS takes")
    also = spec.also_external_id
    _require(
        not also or (EXTERNAL_ID.fullmatch(also) is not None and also != spec.external_id),
        "the second external ID is not one that AWS takes",
    )
    _require(3600 <= spec.max_session_seconds <= 43_200, "a role's longest session is 1 to 12 hours")
    _require(len(set(spec.managed_policy_arns)) == len(spec.managed_policy_arns), "a policy is named twice")
    _require(len(spec.managed_policy_arns) <= MOST_MANAGED, "a role takes at most 10 managed policies")
    _require(bool(spec.managed_policy_arns or spec.statements), "nothing is asked for")
    _check_callback(spec)
    try:
        check_statements(spec.statements, partition=spec.partition)
    except BadStatement as error:
        raise BadGrant(str(error)) from None
    _check_sizes(spec)


def _check_sizes(spec: AccessGrantSpec) -> None:
    _require(_counted(_trust(spec)) <= LONGEST_TRUST, "the trust policy is longer than 2,048 characters")
    longest_arn = role_arn_for(spec, "0" * 12)
    inline = _inline(spec, own_arn=longest_arn)
    _require(_counted(inline) <= LONGEST_INLINE, "the permissions are longer than 10,240 characters")


def _counted(document: Document) -> int:
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    return len("".join(text.split()))


def _role(spec: AccessGrantSpec, sessions_end_before: dt.datetime | None) -> Node:
    role: dict[str, Node] = {
        "RoleName": spec.role_name,
        "Description": _description(spec),
        "AssumeRolePolicyDocument": _trust(spec),
        "MaxSessionDuration": spec.max_session_seconds,
        "Policies": [
            {"PolicyName": POLICY_NAME, "PolicyDocument": _inline(spec, own_arn=_own_arn_in_template(spec))}
        ],
        "Tags": [{"Key": key, "Value": value} for key, value in _tags(spec).items()],
    }
    if sessions_end_before is not None:
        denial = documents.document(documents.deny_older_sessions_statement(sessions_end_before))
        role["Policies"].append({"PolicyName": REVOKED, "PolicyDocument": denial})
    if names := _managed_names(spec):
        role["ManagedPolicyArns"] = [
            _joined("arn:", {"Ref": "AWS::Partition"}, f":iam::aws:{name}") for name in names
        ]
    return role


def _tags(spec: AccessGrantSpec) -> dict[str, str]:
    return {
        "latchkey:client": shown_name(spec.client_name, otherwise="-"),
        "latchkey:engagement": spec.engagement_code,
        "latchkey:practice": shown_name(spec.practice_name, otherwise="-"),
    }


def _callbacks(spec: AccessGrantSpec) -> dict[str, Node]:
    """What tells the portal that the role is there: one per region that has a topic, of which one is made.

    The service token must be a topic of the stack's own region (AWS_FACTS §4). In a region without one nothing is told,
    and the portal finds the role by trying.
    """
    return {
        f"Callback{_squeezed(region)}": {
            "Type": CALLBACK_TYPE,
            "Condition": _in_region(region),
            "Properties": {
                "ServiceToken": topic,
                "ServiceTimeout": CALLBACK_SECONDS,
                "Token": spec.callback_token,
                # Its change, too, is told; and GetAtt lets the role be finished first.
                "RoleArn": {"Fn::GetAtt": [ROLE_LOGICAL_ID, "Arn"]},
                "Expires": documents.iam_time(spec.expires_at),
            },
        }
        for region, topic in spec.callback_topics
    }


def callback_token_in(template: str) -> str:
    """The token that a template of ours reports itself with; empty where it reports nothing."""
    resources = json.loads(template)["Resources"].values()
    tokens = (one["Properties"]["Token"] for one in resources if one["Type"] == CALLBACK_TYPE)
    return next(tokens, "")


def external_id_in(template: str) -> str:
    """The external ID that the lock of a template of ours takes; empty while it takes two."""
    return _one(_conditions_in(template)["StringEquals"]["sts:ExternalId"])


def hub_role_in(template: str) -> str:
    """The ARN of the hub role that the lock of a template of ours lets in; empty while it lets in two."""
    return _one(_conditions_in(template)["ArnEquals"]["aws:PrincipalArn"])


def _conditions_in(template: str) -> Node:
    trust = json.loads(template)["Resources"][ROLE_LOGICAL_ID]["Properties"]["AssumeRolePolicyDocument"]
    return trust["Statement"][0]["Condition"]


def _one(found: Node) -> str:
    return found if isinstance(found, str) else ""


def _in_region(region: str) -> str:
    return f"In{_squeezed(region)}"


def _squeezed(region: str) -> str:
    return "".join(part.capitalize() for part in region.split("-"))


def _check_callback(spec: AccessGrantSpec) -> None:
    _require(bool(spec.callback_topics) is bool(spec.callback_token), "a call-back needs topic and token")
    if not spec.callback_topics:
        return
    _require(
        CALLBACK_TOKEN.fullmatch(spec.callback_token) is not None, "the call-back's token is not one of ours"
    )
    _require(len(dict(spec.callback_topics)) == len(spec.callback_topics), "a region has two topics")
    for region, topic in spec.callback_topics:
        start = f"arn:{spec.partition}:sns:{region}:{spec.hub_account_id}:"
        _require(REGION.fullmatch(region) is not None, "the call-back's region is none")
        _require(
            topic.startswith(start) and TOPIC_NAME.fullmatch(topic.removeprefix(start)) is not None,
            "the call-back's topic is not one of the hub's in that region",
        )


def _description(spec: AccessGrantSpec) -> str:
    """Who, for whom, until when and how to end it, in Latin-1 and at most 1,000 bytes."""
    practice = _in_latin(spec.practice_name, otherwise="Your consultant")
    client = _in_latin(spec.client_name, otherwise="you")
    until = documents.iam_time(spec.expires_at)
    return (
        f"{practice} (AWS account {spec.hub_account_id}) may work for {client} in this account until {until}, "
        f"as agreed in engagement {spec.engagement_code}. Delete this stack to end the access at any time."
    )


def _in_latin(name: str, *, otherwise: str) -> str:
    latin = NOT_IN_A_DESCRIPTION.sub(" ", shown_name(name, otherwise=""))
    return " ".join(latin.split())[:LONGEST_NAME_IN_TEXT].strip() or otherwise


def _trust(spec: AccessGrantSpec) -> Document:
    try:
        trust = documents.trust_document(
            hub_role_arn=spec.hub_role_arn,
            external_id=spec.external_id,
            expires_at=spec.expires_at,
            also_external_id=spec.also_external_id,
            also_hub_role_arn=spec.also_hub_role_arn,
        )
    except documents.UnsafeDocument as error:
        raise BadGrant(str(error)) from None
    return requiring_names(trust, engagement_code=spec.engagement_code) if spec.names_required else trust


def _inline(spec: AccessGrantSpec, *, own_arn: Node) -> Document:
    guards = [documents.self_expiry_statement(spec.expires_at), documents.deny_passing_on_statement()]
    if spec.look_only:
        guards.append(documents.deny_sensitive_data_statement())
    read_self = {"Sid": "ReadSelf", "Effect": "Allow", "Action": list(READ_SELF), "Resource": own_arn}
    return documents.document(*spec.statements, read_self, *guards)


def _own_arn_in_template(spec: AccessGrantSpec) -> Node:
    """From the fixed name, because GetAtt on a role inside its own policy is circular (AWS_FACTS §2)."""
    return _joined(
        "arn:", {"Ref": "AWS::Partition"}, ":iam::", {"Ref": "AWS::AccountId"}, f":role/{spec.role_name}"
    )


def _joined(*parts: Node) -> Node:
    """Fn::Join and not Fn::Sub: nothing in its texts is ever read as a variable."""
    return {"Fn::Join": ["", list(parts)]}


def _managed_names(spec: AccessGrantSpec) -> list[str]:
    """`policy/...` of each, sorted. Raises BadGrant for a policy that is not AWS's own."""
    found = [MANAGED.fullmatch(arn) for arn in spec.managed_policy_arns]
    names = sorted(match[1] for match in found if match is not None)
    _require(len(names) == len(found), "a managed policy must be one of AWS's own, with arn:aws:")
    return names


def _require(holds: bool, otherwise: str) -> None:  # noqa: FBT001  # a guard reads best so
    if not holds:
        raise BadGrant(otherwise)
