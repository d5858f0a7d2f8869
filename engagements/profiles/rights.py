"""The permissions behind each line, by its key. The words of the lines are in `words/*.toml`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """What one line opens: actions on everything, or one of AWS's own policies."""

    icon: str
    actions: tuple[str, ...] = ()
    managed_policy: str = ""


RIGHTS: Final[Mapping[str, Rights]] = {
    # ------------------------------------------------ looking
    "costs": Rights(
        icon="receipt-text",
        actions=(
            "budgets:Describe*",
            "budgets:View*",
            "ce:Describe*",
            "ce:Get*",
            "ce:List*",
            "cur:Describe*",
        ),
    ),
    "invoices": Rights(
        icon="file-text",
        actions=("billing:GetBilling*", "freetier:Get*", "invoicing:GetInvoice*", "invoicing:List*"),
    ),
    "inventory": Rights(
        icon="server",
        actions=(
            "dynamodb:DescribeTable",
            "dynamodb:ListTables",
            "ec2:Describe*",
            "elasticloadbalancing:Describe*",
            "lambda:ListFunctions",
            "rds:Describe*",
            "s3:GetBucketLocation",
            "s3:ListAllMyBuckets",
            "tag:Get*",
        ),
    ),
    "metrics": Rights(
        icon="chart-line",
        actions=("cloudwatch:GetMetric*", "cloudwatch:ListMetrics", "compute-optimizer:Get*"),
    ),
    "advice": Rights(
        icon="sparkles",
        actions=("cost-optimization-hub:Get*", "cost-optimization-hub:List*", "trustedadvisor:List*"),
    ),
    "history": Rights(icon="history", actions=("cloudtrail:LookupEvents",)),
    "settings": Rights(
        icon="shield-check",
        actions=(
            "access-analyzer:List*",
            "cloudtrail:DescribeTrails",
            "cloudtrail:GetTrailStatus",
            "config:Describe*",
            "guardduty:Get*",
            "guardduty:List*",
            "iam:GenerateCredentialReport",
            "iam:Get*",
            "iam:List*",
            "kms:DescribeKey",
            "kms:ListKeys",
            "s3:GetAccountPublicAccessBlock",
            "s3:GetBucketAcl",
            "s3:GetBucketPolicy",
            "s3:GetBucketPolicyStatus",
            "s3:GetBucketPublicAccessBlock",
            "s3:GetEncryptionConfiguration",
            "securityhub:Get*",
        ),
    ),
    "backups": Rights(
        icon="copy",
        actions=("backup:Describe*", "backup:GetBackup*", "backup:ListBackup*", "backup:ListProtected*"),
    ),
    "quotas": Rights(icon="bell", actions=("servicequotas:Get*", "servicequotas:List*")),
    "network": Rights(
        icon="layers",
        actions=(
            "directconnect:Describe*",
            "elasticloadbalancing:Describe*",
            "network-firewall:Describe*",
            "network-firewall:List*",
            "route53:Get*",
            "route53:List*",
        ),
    ),
    "moving": Rights(
        icon="send",
        actions=("discovery:Describe*", "discovery:List*", "mgh:Describe*", "mgh:List*", "mgn:Describe*"),
    ),
    "licences": Rights(
        icon="key-round",
        actions=(
            "license-manager:GetLicenseConfiguration",
            "license-manager:ListLicenseConfigurations",
            "license-manager:ListResourceInventory",
        ),
    ),
    # ------------------------------------------------ databases
    "databases": Rights(
        icon="server",
        actions=(
            "dynamodb:Describe*",
            "dynamodb:List*",
            "elasticache:Describe*",
            "pi:Describe*",
            "pi:Get*",
            "rds:Describe*",
            "rds:ListTagsForResource",
        ),
    ),
    "databases_change": Rights(
        icon="settings-2",
        actions=(
            "dynamodb:UpdateContinuousBackups",
            "dynamodb:UpdateTable",
            "elasticache:ModifyCacheCluster",
            "elasticache:ModifyReplicationGroup",
            "rds:ApplyPendingMaintenanceAction",
            "rds:CreateDBParameterGroup",
            "rds:ModifyDBCluster",
            "rds:ModifyDBClusterParameterGroup",
            "rds:ModifyDBInstance",
            "rds:ModifyDBParameterGroup",
            "rds:RebootDBCluster",
            "rds:RebootDBInstance",
        ),
    ),
    "databases_backup": Rights(
        icon="copy",
        actions=("dynamodb:CreateBackup", "rds:CreateDBClusterSnapshot", "rds:CreateDBSnapshot"),
    ),
    "databases_logs": Rights(
        icon="file-text",
        actions=("rds:DownloadCompleteDBLogFile", "rds:DownloadDBLogFilePortion"),
    ),
    # ------------------------------------------------ serverless
    "functions": Rights(
        icon="search",
        actions=(
            "lambda:GetAccountSettings",
            "lambda:GetAlias",
            "lambda:GetFunction",
            "lambda:GetFunctionConfiguration",
            "lambda:GetPolicy",
            "lambda:ListAliases",
            "lambda:ListEventSourceMappings",
            "lambda:ListFunctions",
            "lambda:ListVersionsByFunction",
            "states:Describe*",
            "states:List*",
        ),
    ),
    "functions_change": Rights(
        icon="settings-2",
        actions=(
            "lambda:CreateAlias",
            "lambda:PublishVersion",
            "lambda:PutFunctionConcurrency",
            "lambda:TagResource",
            "lambda:UpdateAlias",
            "lambda:UpdateFunctionCode",
            "lambda:UpdateFunctionConfiguration",
        ),
    ),
    "interfaces_change": Rights(
        icon="cloud",
        actions=("apigateway:GET", "apigateway:PATCH", "apigateway:POST", "apigateway:PUT"),
    ),
    "stores_make": Rights(
        icon="plus",
        actions=(
            "dynamodb:CreateTable",
            "dynamodb:Describe*",
            "dynamodb:ListTables",
            "dynamodb:UpdateTable",
            "events:Describe*",
            "events:List*",
            "events:PutRule",
            "sqs:CreateQueue",
            "sqs:GetQueueAttributes",
            "sqs:ListQueues",
        ),
    ),
    "logs": Rights(
        icon="file-text",
        actions=(
            "logs:Describe*",
            "logs:FilterLogEvents",
            "logs:GetLogEvents",
            "logs:GetQueryResults",
            "logs:StartQuery",
            "logs:StopQuery",
        ),
    ),
    # ------------------------------------------------ names and mail
    "names": Rights(
        icon="search",
        actions=(
            "route53:Get*",
            "route53:List*",
            "route53domains:GetDomainDetail",
            "route53domains:ListDomains",
        ),
    ),
    "names_change": Rights(
        icon="settings-2",
        actions=("route53:ChangeResourceRecordSets", "route53:CreateHostedZone"),
    ),
    "mail_change": Rights(
        icon="mail",
        actions=(
            "ses:CreateConfigurationSet",
            "ses:CreateEmailIdentity",
            "ses:Get*",
            "ses:List*",
            "ses:PutEmailIdentityConfigurationSetAttributes",
            "ses:PutEmailIdentityDkimAttributes",
            "ses:PutEmailIdentityDkimSigningAttributes",
            "ses:PutEmailIdentityMailFromAttributes",
        ),
    ),
    "name_servers": Rights(icon="server", actions=("route53domains:UpdateDomainNameservers",)),
    # ------------------------------------------------ incidents
    "stop": Rights(
        icon="hand",
        actions=(
            "ec2:CreateSecurityGroup",
            "ec2:DisassociateIamInstanceProfile",
            "ec2:ModifyNetworkInterfaceAttribute",
            "ec2:RevokeSecurityGroupEgress",
            "ec2:RevokeSecurityGroupIngress",
            "ec2:StartInstances",
            "ec2:StopInstances",
            "lambda:PutFunctionConcurrency",
            "rds:StopDBInstance",
        ),
    ),
    "proof": Rights(
        icon="copy", actions=("ec2:CreateSnapshot", "ec2:CreateSnapshots", "rds:CreateDBSnapshot")
    ),
    # ------------------------------------------------ everything
    "all_change": Rights(icon="triangle-alert", managed_policy="arn:aws:iam::aws:policy/AdministratorAccess"),
    "all_read": Rights(icon="eye", managed_policy="arn:aws:iam::aws:policy/AdministratorAccess"),
}
