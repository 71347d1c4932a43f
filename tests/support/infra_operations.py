"""The operations of AWS that the commands call, by service."""

from __future__ import annotations

CREATE = [
    "cloudformation:DescribeStacks",
    "cloudformation:CreateChangeSet",
    "cloudformation:DescribeChangeSet",
    "cloudformation:DescribeStackEvents",
    "cloudformation:ExecuteChangeSet",
    "cloudformation:ListStackResources",
    "redshift:DescribeClusters",
    "iam:GetRole",
]
REMOVE = [
    "cloudformation:DescribeStacks",
    "cloudformation:ListStackResources",
    "redshift:DescribeClusters",
    "s3:ListObjectVersions",
    "redshift:DescribeClusterSnapshots",
    "redshift:CreateClusterSnapshot",
    "s3:DeleteObjects",
    "cloudformation:DescribeStackEvents",
    "cloudformation:DeleteStack",
    "tagging:GetResources",
    "secretsmanager:DescribeSecret",
]
#: Operations of other commands and of serverless.
OTHERS = [
    "cloudformation:DeleteChangeSet",
    "cloudformation:ContinueUpdateRollback",
    "cloudwatch:GetMetricStatistics",
    "ec2:DescribeVpcs",
    "logs:DescribeLogGroups",
    "logs:DeleteLogGroup",
    "pricing:GetProducts",
    "redshift:PauseCluster",
    "redshift:ResumeCluster",
    "redshift:DeleteClusterSnapshot",
    "redshift-serverless:GetWorkgroup",
    "redshift-serverless:GetNamespace",
    "redshift-serverless:GetSnapshot",
    "redshift-serverless:CreateSnapshot",
    "redshift-serverless:DeleteSnapshot",
    "redshift-serverless:ListSnapshots",
    "redshift-serverless:ListUsageLimits",
    "redshift-serverless:CreateUsageLimit",
    "redshift-serverless:UpdateUsageLimit",
    "redshift-serverless:DeleteUsageLimit",
    "s3:HeadBucket",
]
