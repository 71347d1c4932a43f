"""The CloudFormation template, and its parameters and tags from the settings; no call to AWS."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import resources
from ipaddress import IPv4Network

from ..core.errors import SettingsError
from .settings import InfraSettings

#: Key of the tag on every resource; its value is the warehouse's ``name``.
TAG = "sparkify"
#: How many source prefixes the template has parameters for.
MOST_SOURCES = 4


def template() -> str:
    """The CloudFormation template, as text."""
    return resources.files(__package__).joinpath("template.yaml").read_text(encoding="utf-8")


def parameters(
    infra: InfraSettings,
    locations: Iterable[str] = (),
    *,
    vpc_cidr: str | None = None,
    partition: str = "aws",
) -> dict[str, str]:
    """The values of all parameters of the template.

    :param locations: where the sources are; those on S3 become what COPY may read.
    :param vpc_cidr: addresses of an existing VPC; by default those of the settings.
    :raises SettingsError: for a location that no policy can name exactly, or too many of them.
    """
    prefixes, objects = split_locations([*locations, *infra.source_prefixes])
    values = {
        "Name": infra.name,
        "Kind": infra.kind,
        "NodeType": infra.node_type,
        "Nodes": infra.nodes,
        "BaseCapacity": infra.base_capacity,
        "MaxCapacity": infra.max_capacity or 0,
        "Database": infra.database,
        "AdminUser": infra.admin_user,
        "Port": infra.port,
        "ClusterIdentifier": infra.cluster_identifier or "",
        "RoleName": infra.role_name or "",
        "PubliclyAccessible": infra.public,
        "AdmitVpc": not infra.allowed_cidrs,
        "CallerCidr": infra.from_here or "",
        "VpcId": infra.vpc_id or "",
        "VpcCidr": vpc_cidr or infra.vpc_cidr,
        "SubnetIds": ",".join(infra.subnet_ids) or "subnet-00000000",
        "SubnetCount": infra.subnets or 3,
        "EnhancedVpcRouting": infra.enhanced_vpc_routing,
        "SourceObjectArns": ",".join(f"arn:{partition}:s3:::{path}" for path in objects),
        "SourceKeyArns": ",".join(infra.source_kms_keys),
        "AuditLogging": infra.audit_logging,
        "LogDays": infra.log_days,
        "ManifestDays": infra.manifest_days,
        "SnapshotDays": infra.snapshot_days,
        "PauseSchedule": infra.pause_at or "",
        "ResumeSchedule": infra.resume_at or "",
    }
    for number, subnet in enumerate(list(IPv4Network(infra.vpc_cidr).subnets(2))[:3], 1):
        values[f"Subnet{number}Cidr"] = str(subnet)
    for number in range(1, 5):
        admitted = infra.allowed_cidrs[number - 1 : number]
        values[f"AllowedCidr{number}"] = admitted[0] if admitted else ""
        bucket, prefix = prefixes[number - 1] if number <= len(prefixes) else ("", "")
        values[f"Source{number}Bucket"] = bucket
        values[f"Source{number}Prefix"] = prefix
    return {name: _text(value) for name, value in values.items()}


def split_locations(locations: Iterable[str]) -> tuple[list[tuple[str, str]], list[str]]:
    """S3 locations as (bucket, prefix) pairs and as single objects; leaves out local ones.

    A prefix always ends with a slash, so that ``logs`` never opens ``logs-private``.

    :raises SettingsError: for characters that would be wildcards in a policy, or too many prefixes.
    """
    prefixes: list[tuple[str, str]] = []
    objects: list[str] = []
    for location in locations:
        if not location.startswith("s3://"):
            continue
        bucket, _, key = location.removeprefix("s3://").partition("/")
        if not bucket or set(location) & set("*?$,"):
            raise SettingsError(
                f"{location} cannot be named exactly in the policy of the COPY role",
                "it must look like s3://bucket/prefix/, without * ? $ and commas",
            )
        if key.endswith((".json", ".json.gz")):
            objects.append(f"{bucket}/{key}")
        else:
            prefixes.append((bucket, key if not key or key.endswith("/") else key + "/"))
    prefixes = list(dict.fromkeys(prefixes))
    if len(prefixes) > MOST_SOURCES:
        raise SettingsError(
            f"the COPY role has room for {MOST_SOURCES} source prefixes, not {len(prefixes)}",
            "put the sources under fewer common prefixes",
        )
    return prefixes, list(dict.fromkeys(objects))


def tags(infra: InfraSettings) -> dict[str, str]:
    """Tags of the stack, which CloudFormation adds to every resource that can have tags."""
    return {TAG: infra.name, **infra.tags}


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
