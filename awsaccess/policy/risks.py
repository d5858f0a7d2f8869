"""Which actions are worth a warning, in five classes. `*:Name` stands for that name in every service.

The lists are this project's own reading of what each action gives; the tests hold every name against the data.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Final

from awsaccess.policy import catalogue
from awsaccess.policy.documents import SENSITIVE_ACTIONS
from awsaccess.policy.reach import Actions, Reach


class RiskKind(StrEnum):
    """What could go wrong, the mildest first."""

    READS_DATA = "reads_data"
    CHANGES = "changes"
    EXPOSES = "exposes"
    CREDENTIALS = "credentials"
    ESCALATES = "escalates"


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk:
    """One class, with the actions that make it: service prefix -> names in lower case. Never without any."""

    kind: RiskKind
    found: Actions

    @property
    def services(self) -> tuple[str, ...]:
        """The prefixes of their services, in order."""
        return tuple(sorted(self.found))

    @property
    def actions(self) -> tuple[str, ...]:
        """As AWS spells them, in order. There may be thousands."""
        return tuple(
            sorted(catalogue.spelled(prefix, name) for prefix, names in self.found.items() for name in names)
        )


# Contents of things, where SENSITIVE_ACTIONS keeps to what a look-only role must never have.
READS_DATA: Final = (
    *SENSITIVE_ACTIONS,
    "codecommit:GetFolder",
    "dynamodb:ExportTableToPointInTime",
    "ebs:ListSnapshotBlocks",
    "kms:ReEncryptFrom",
    "neptune-db:ReadDataViaQuery",
    "s3:GetObjectVersionForReplication",
    "s3express:CreateSession",
    "s3tables:GetTableData",
    "workdocs:GetDocument",
    "xray:BatchGetTraces",
)
# Doors for people from outside: who else may use a thing, and what is reachable from the internet.
EXPOSES: Final = (
    "*:AddPermission",
    "*:CreateResourcePolicy*",
    "*:Put*Acl",
    "*:Put*BucketPolicy",
    "*:Put*AccessPointPolicy*",
    "*:PutFileSystemPolicy",
    "*:PutResourcePolicy",
    "*:PutPermissionPolicy",
    "*:Update*Permissions",
    "apigateway:UpdateRestApiPolicy",
    "backup:PutBackupVaultAccessPolicy",
    "cloudsearch:UpdateServiceAccessPolicies",
    "codeartifact:Put*PermissionsPolicy",
    "ec2:AuthorizeSecurityGroupIngress",
    "ec2:CreateNetworkInterfacePermission",
    "ec2:CreateVpcBlockPublicAccessExclusion",
    "ec2:DisableImageBlockPublicAccess",
    "ec2:DisableSnapshotBlockPublicAccess",
    "ec2:ModifyImageAttribute",
    "ec2:ModifySnapshotAttribute",
    "ec2:ModifyVpcBlockPublicAccess*",
    "ec2:ModifyVpcEndpointServicePermissions",
    "ecr-public:SetRepositoryPolicy",
    "ecr:PutRegistryPolicy",
    "ecr:SetRepositoryPolicy",
    "elasticmapreduce:PutBlockPublicAccessConfiguration",
    "es:UpdateDomainConfig",
    "events:PutPermission",
    "glacier:SetVaultAccessPolicy",
    "kafka:PutClusterPolicy",
    "kms:CreateGrant",
    "kms:PutKeyPolicy",
    "lakeformation:*GrantPermissions",
    "lambda:AddLayerVersionPermission",
    "lambda:CreateFunctionUrlConfig",
    "lambda:UpdateFunctionUrlConfig",
    "logs:PutDestinationPolicy",
    "mediastore:PutContainerPolicy",
    "ram:AssociateResourceShare",
    "ram:CreateResourceShare",
    "rds:AuthorizeDBSecurityGroupIngress",
    "rds:ModifyDBClusterSnapshotAttribute",
    "rds:ModifyDBSnapshotAttribute",
    "redshift:AuthorizeDataShare",
    "redshift:AuthorizeSnapshotAccess",
    "s3:PutBucketOwnershipControls",
    "s3:PutBucketWebsite",
    "s3:Put*PublicAccessBlock",
    "ses:CreateEmailIdentityPolicy",
    "ses:PutIdentityPolicy",
    "ses:UpdateEmailIdentityPolicy",
    "servicecatalog:CreatePortfolioShare",
    "sns:SetTopicAttributes",
    "sqs:SetQueueAttributes",
    "ssm:ModifyDocumentPermission",
    "vpc-lattice:PutAuthPolicy",
)
# Answers that hold a key, a password or a ticket with which somebody is let in somewhere.
CREDENTIALS: Final = (
    "amplifybackend:GetToken",
    "bedrock-agentcore:GetWorkloadAccessToken*",
    "codeartifact:GetAuthorizationToken",
    "codestar-connections:GetConnectionToken",
    "codeconnections:GetConnectionToken",
    "cognito-identity:GetCredentialsForIdentity",
    "cognito-identity:GetOpenIdToken*",
    "connect:GetFederationToken",
    "datazone:GetEnvironmentCredentials",
    "ec2-instance-connect:SendSSHPublicKey",
    "ec2:CreateKeyPair",
    "ec2:GetPasswordData",
    "ecr-public:GetAuthorizationToken",
    "ecr:GetAuthorizationToken",
    "ecs:ExecuteCommand",
    "elasticmapreduce:GetClusterSessionCredentials",
    "gamelift:GetComputeAccess",
    "iam:CreateAccessKey",
    "iam:CreateLoginProfile",
    "iam:CreateServiceSpecificCredential",
    "iam:ResetServiceSpecificCredential",
    "iam:UpdateLoginProfile",
    "iam:UploadSSHPublicKey",
    "lakeformation:GetTemporary*Credentials",
    "lightsail:CreateKeyPair",
    "lightsail:DownloadDefaultKeyPair",
    "lightsail:GetInstanceAccessDetails",
    "lightsail:GetRelationalDatabaseMasterUserPassword",
    "rds-db:connect",
    "redshift-serverless:GetCredentials",
    "redshift:GetClusterCredentials*",
    "redshift:CreateClusterUser",
    "secretsmanager:BatchGetSecretValue",
    "secretsmanager:GetSecretValue",
    "ssm:StartSession",
    "sts:AssumeRole*",
    "sts:AssumeRoot",
    "sts:GetDelegatedAccessToken",
    "sts:GetFederationToken",
    "sts:GetSessionToken",
)
# Each of these alone can end in more rights than the policy spells out.
ESCALATES: Final = (
    "cloudformation:UpdateStack",
    "codebuild:StartBuild",
    "codebuild:StartBuildBatch",
    "ec2-instance-connect:SendSSHPublicKey",
    "ec2:ModifyInstanceAttribute",
    "ec2:ReplaceIamInstanceProfileAssociation",
    "ecs:ExecuteCommand",
    "glue:UpdateDevEndpoint",
    "iam:AddRoleToInstanceProfile",
    "iam:AddUserToGroup",
    "iam:AttachGroupPolicy",
    "iam:AttachRolePolicy",
    "iam:AttachUserPolicy",
    "iam:CreateAccessKey",
    "iam:CreateLoginProfile",
    "iam:CreatePolicyVersion",
    "iam:CreateServiceSpecificCredential",
    "iam:DeleteRolePermissionsBoundary",
    "iam:DeleteRolePolicy",
    "iam:DeleteUserPermissionsBoundary",
    "iam:DeleteUserPolicy",
    "iam:DetachRolePolicy",
    "iam:DetachUserPolicy",
    "iam:PutGroupPolicy",
    "iam:PutRolePermissionsBoundary",
    "iam:PutRolePolicy",
    "iam:PutUserPermissionsBoundary",
    "iam:PutUserPolicy",
    "iam:SetDefaultPolicyVersion",
    "iam:UpdateAssumeRolePolicy",
    "iam:UpdateLoginProfile",
    "lambda:UpdateFunctionCode",
    "lambda:UpdateFunctionConfiguration",
    "organizations:AttachPolicy",
    "organizations:DetachPolicy",
    "organizations:UpdatePolicy",
    "sagemaker:CreatePresignedDomainUrl",
    "sagemaker:CreatePresignedNotebookInstanceUrl",
    "ssm:SendCommand",
    "ssm:StartAutomationExecution",
    "ssm:StartSession",
    "sso:AttachCustomerManagedPolicyReferenceToPermissionSet",
    "sso:AttachManagedPolicyToPermissionSet",
    "sso:CreateAccountAssignment",
    "sso:PutInlinePolicyToPermissionSet",
    "sso:PutPermissionsPolicy",
    "sts:AssumeRole",
)
PASSING: Final = "iam:PassRole"
# With iam:PassRole, each starts something that acts with a role of its own choosing.
PASSED_TO: Final = (
    "autoscaling:CreateLaunchConfiguration",
    "bedrock-agentcore:CreateCodeInterpreter",
    "cloudformation:CreateChangeSet",
    "cloudformation:CreateStack",
    "cloudformation:CreateStackSet",
    "codebuild:CreateProject",
    "codebuild:UpdateProject",
    "codepipeline:CreatePipeline",
    "datapipeline:CreatePipeline",
    "ec2:AssociateIamInstanceProfile",
    "ec2:RequestSpotInstances",
    "ec2:RunInstances",
    "ecs:RegisterTaskDefinition",
    "ecs:RunTask",
    "elasticbeanstalk:CreateEnvironment",
    "elasticmapreduce:RunJobFlow",
    "glue:CreateDevEndpoint",
    "glue:CreateJob",
    "glue:UpdateJob",
    "lambda:CreateFunction",
    "sagemaker:CreateNotebookInstance",
    "sagemaker:CreateProcessingJob",
    "sagemaker:CreateTrainingJob",
    "scheduler:CreateSchedule",
    "states:CreateStateMachine",
    "states:UpdateStateMachine",
)
LISTS: Final[Mapping[RiskKind, tuple[str, ...]]] = {
    RiskKind.READS_DATA: READS_DATA,
    RiskKind.EXPOSES: EXPOSES,
    RiskKind.CREDENTIALS: CREDENTIALS,
    RiskKind.ESCALATES: ESCALATES,
}


def risks_in(reach: Reach) -> tuple[Risk, ...]:
    """Every class that something open belongs to, the gravest last."""
    found = ((kind, _found(kind, reach)) for kind in RiskKind)
    return tuple(Risk(kind=kind, found=actions) for kind, actions in found if actions)


@cache
def risky(kind: RiskKind, prefix: str) -> frozenset[str]:
    """The actions of one service, in lower case, that belong to a class by themselves."""
    if kind is RiskKind.CHANGES:
        return catalogue.changing(prefix)
    return _listed(kind, prefix)


def _found(kind: RiskKind, reach: Reach) -> Actions:
    """A role can be passed only where something takes it."""
    own = ((prefix, names & risky(kind, prefix)) for prefix, names in reach.granted.items())
    found = {prefix: names for prefix, names in own if names}
    if kind is RiskKind.ESCALATES and reach.grants(PASSING):
        for action in _takers(reach):
            prefix, _, name = action.lower().partition(":")
            found[prefix] = found.get(prefix, frozenset()) | {name}
    return found


def _takers(reach: Reach) -> list[str]:
    takers = [action for action in PASSED_TO if reach.grants(action)]
    return [PASSING, *takers] if takers else []


@cache
def _listed(kind: RiskKind, prefix: str) -> frozenset[str]:
    found = (catalogue.matching(f"{prefix}:{name}") for name in _names(LISTS[kind], prefix))
    return frozenset().union(*(actions.get(prefix, frozenset()) for actions in found))


def _names(patterns: Iterable[str], prefix: str) -> Iterator[str]:
    for pattern in patterns:
        own, _, name = pattern.partition(":")
        if own in ("*", prefix):
            yield name
