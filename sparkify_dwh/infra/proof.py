"""The proof by the tags that nothing billable is left of a warehouse."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .aws import is_missing, translated
from .parameters import TAG
from .removal import Removed
from .results import Snapshot
from .serverless import namespace_snapshots
from .warehouses import cluster_snapshots

if TYPE_CHECKING:
    from .deploy import Deployment

#: How often the tags are looked at, and the seconds between: AWS's index of them lags behind.
LOOKS, BETWEEN = 20, 15
#: Kinds, as they stand in ARNs, that cost nothing by themselves.
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


def proved(deployment: Deployment, secret: str | None, taken: Snapshot | None) -> Removed:
    """Looks at the tags until only snapshots are left, and names those.

    :param secret: ARN of the secret the warehouse had.
    :param taken: the final snapshot, when one was just taken.
    :raises InfraError: when the caller may not look; then nothing is proved.
    """
    left: list[str] = []
    for look in range(LOOKS):
        found = [arn for arn in tagged(deployment) if not _harmless(arn)]
        left = [arn for arn in [*found, *([secret] if secret else [])] if exists(deployment, arn)]
        if not left:
            break
        if look == 0:
            deployment.tell("waiting until the tags show nothing any more")
        deployment.sleep(BETWEEN)
    final, staying = kept(deployment)
    final = tuple(taken if taken and taken.name == each.name else each for each in final)
    return Removed(
        deployment.infra.name, snapshots=final, staying=staying, left=tuple(sorted(set(left)))
    )


def kept(deployment: Deployment) -> tuple[tuple[Snapshot, ...], tuple[Snapshot, ...]]:
    """Snapshots that `remove` took of warehouses with this name, and those that others took."""
    name, infra = re.escape(deployment.stack.name), deployment.infra
    if infra.kind == "serverless":
        found = namespace_snapshots(deployment.clients)
    else:
        found = cluster_snapshots(deployment.clients)
    final = re.compile(rf"{name}-final-[0-9a-z]+-\d{{14}}")
    own = re.compile(rf"{name}(-cluster-[0-9a-z]+)?", re.IGNORECASE)
    mine = [e for e in found if own.fullmatch(e.of) or e.of == infra.cluster_identifier]
    return (
        tuple(each for each in mine if final.fullmatch(each.name)),
        tuple(each for each in mine if not final.fullmatch(each.name)),
    )


def tagged(deployment: Deployment) -> list[str]:
    """ARNs of everything that carries the warehouse's tag."""
    with translated("proving by the tags that nothing is left"):
        pages = deployment.clients["resourcegroupstaggingapi"].get_paginator("get_resources")
        found = pages.paginate(TagFilters=[{"Key": TAG, "Values": [deployment.infra.name]}])
        return [each["ResourceARN"] for page in found for each in page["ResourceTagMappingList"]]


def exists(deployment: Deployment, arn: str) -> bool:
    """Whether the service itself still knows it; what cannot be asked for counts as there."""
    from botocore.exceptions import ClientError

    clients, last = deployment.clients, re.split(r"[:/]", arn)[-1]
    try:
        if ":redshift:" in arn and ":cluster:" in arn:
            clients["redshift"].describe_clusters(ClusterIdentifier=last)
        elif ":s3:::" in arn:
            clients["s3"].head_bucket(Bucket=last)
        elif ":redshift-serverless:" in arn:
            serverless, name = clients["redshift-serverless"], deployment.stack.name
            if ":workgroup/" in arn:
                serverless.get_workgroup(workgroupName=name)
            else:
                serverless.get_namespace(namespaceName=name)
        elif ":secretsmanager:" in arn:
            found = clients["secretsmanager"].describe_secret(SecretId=arn)
            return "DeletedDate" not in found
        elif ":log-group:" in arn:
            name = arn.partition(":log-group:")[2].removesuffix(":*")
            found = clients["logs"].describe_log_groups(logGroupNamePrefix=name)
            return any(group["logGroupName"] == name for group in found["logGroups"])
    except ClientError as error:
        return not is_missing(error)
    return True


def _harmless(arn: str) -> bool:
    """Whether it costs nothing, or is a snapshot, which is named apart."""
    return any(kind in arn for kind in _FREE) or ":snapshot" in arn
