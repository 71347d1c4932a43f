"""The proof by the tags that nothing billable is left of a warehouse."""

from __future__ import annotations

import re

from .aws import aws_errors, is_missing
from .site import Site
from .stack_template import TAG

#: How often the tags are read, and the seconds between: AWS's index of tags lags behind.
READS, SECONDS_BETWEEN = 20, 15
#: Parts of ARNs of resources that cost nothing.
_FREE = (
    ":cloudformation:",
    ":iam:",
    ":internet-gateway/",
    ":namespace:",
    ":parametergroup:",
    ":route-table/",
    ":security-group/",
    ":security-group-rule/",
    ":subnet/",
    ":subnetgroup:",
    ":vpc-endpoint/",
    ":vpc/",
)


def still_billed(site: Site, secret: str | None) -> tuple[str, ...]:
    """ARNs that exist and cost money, snapshots apart; waits for the tags to show none.

    :param secret: ARN of the secret that the warehouse had.
    :raises InfraError: when the caller lacks the permission to look; then nothing is proved.
    """
    left: list[str] = []
    for read in range(READS):
        billable = [arn for arn in tagged(site) if not _harmless(arn)]
        candidates = [*billable, *([secret] if secret else [])]
        left = [arn for arn in candidates if exists(site, arn)]
        if not left:
            break
        if read == 0:
            site.tell("waiting until the tags show that nothing is left")
        site.sleep(SECONDS_BETWEEN)
    return tuple(sorted(set(left)))


def tagged(site: Site) -> list[str]:
    """ARNs of everything that carries the warehouse's tag."""
    with aws_errors("proving by the tags that nothing is left"):
        pages = site.clients["resourcegroupstaggingapi"].get_paginator("get_resources")
        found = pages.paginate(TagFilters=[{"Key": TAG, "Values": [site.infra.name]}])
        return [entry["ResourceARN"] for page in found for entry in page["ResourceTagMappingList"]]


def exists(site: Site, arn: str) -> bool:
    """Whether the service itself still knows it; True where it cannot be asked."""
    from botocore.exceptions import ClientError

    clients, last = site.clients, re.split(r"[:/]", arn)[-1]
    try:
        if ":redshift:" in arn and ":cluster:" in arn:
            clients["redshift"].describe_clusters(ClusterIdentifier=last)
        elif ":s3:::" in arn:
            clients["s3"].head_bucket(Bucket=last)
        elif ":redshift-serverless:" in arn:
            serverless, name = clients["redshift-serverless"], site.stack.name
            if ":workgroup/" in arn:
                serverless.get_workgroup(workgroupName=name)
            else:
                serverless.get_namespace(namespaceName=name)
        elif ":secretsmanager:" in arn:
            secret = clients["secretsmanager"].describe_secret(SecretId=arn)
            return "DeletedDate" not in secret
        elif ":log-group:" in arn:
            name = arn.partition(":log-group:")[2].removesuffix(":*")
            groups = clients["logs"].describe_log_groups(logGroupNamePrefix=name)["logGroups"]
            return any(group["logGroupName"] == name for group in groups)
    except ClientError as error:
        return not is_missing(error)
    return True


def _harmless(arn: str) -> bool:
    """Whether it costs nothing, or is a snapshot, which the result lists separately."""
    return any(kind in arn for kind in _FREE) or ":snapshot" in arn
