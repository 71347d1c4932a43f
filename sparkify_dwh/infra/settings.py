"""The ``[infra]`` table: what to create, checked before the first call to AWS."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import IPv4Network
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from ..core.errors import SettingsError

NODE_TYPES = (
    "ra3.large",
    "ra3.xlplus",
    "ra3.4xlarge",
    "ra3.16xlarge",
    "rg.large",
    "rg.xlarge",
    "rg.4xlarge",
    "rg.12xlarge",
)
#: Prefix length of the widest network that may connect.
WIDEST = 8
LOG_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731)


def _network(value: Any) -> str:
    text = str(value).strip()
    if ":" in text:
        raise ValueError(f"{text}: the endpoint has IPv4 only, give IPv4 networks")
    try:
        network = IPv4Network(text, strict=False)
    except ValueError:
        raise ValueError(f"{text} is not a network such as 203.0.113.0/24") from None
    if network.prefixlen < WIDEST:
        raise ValueError(
            f"{text} would admit much of the internet; give networks of /{WIDEST} or narrower, "
            "or your own address with --from-here"
        )
    return str(network)


def _schedule(value: Any) -> str:
    text = str(value).strip()
    clock = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", text)
    if clock:
        return f"cron({int(clock[2])} {int(clock[1])} * * ? *)"
    if re.fullmatch(r"cron\(\S+( \S+){5}\)", text):
        return text
    raise ValueError(f"{text!r} is neither a UTC time such as 20:00 nor cron(0 20 * * ? *)")


Network = Annotated[str, BeforeValidator(_network)]
Schedule = Annotated[str, BeforeValidator(_schedule)]
_IDENTIFIER = r"^[a-z](-?[a-z0-9])*$"
_SQL_NAME = r"^[a-z][a-z0-9_]{0,63}$"


class InfraSettings(BaseModel):
    """All settings of `sparkify infra`; names of AWS resources derive from ``name``.

    :raises pydantic.ValidationError: for a value that AWS would reject or that is unsafe;
        :func:`infra_settings` turns it into a :class:`~sparkify_dwh.core.errors.SettingsError`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    name: str = Field("dwh", pattern=_IDENTIFIER, min_length=2, max_length=40)
    kind: Literal["provisioned", "serverless"] = "provisioned"
    node_type: str = "ra3.large"
    nodes: int = Field(1, ge=1, le=100)
    base_capacity: int = Field(8, ge=4, le=1024)
    max_capacity: int | None = Field(None, ge=4, le=5632)
    usage_limit: int | None = Field(None, ge=1)
    usage_limit_period: Literal["daily", "weekly", "monthly"] = "monthly"
    usage_limit_action: Literal["log", "emit-metric", "deactivate"] = "deactivate"
    database: str = Field("dwh", pattern=_SQL_NAME)
    admin_user: str = Field("sparkify_admin", pattern=_SQL_NAME)
    port: int = 5439
    cluster_identifier: str | None = Field(None, pattern=_IDENTIFIER, max_length=63)
    role_name: str | None = Field(None, pattern=r"^[A-Za-z0-9+=,.@_-]{1,64}$")
    publicly_accessible: bool = False
    allowed_cidrs: list[Network] = Field(default_factory=list, max_length=4)
    from_here: Network | None = None
    vpc_id: str | None = Field(None, pattern=r"^vpc-[0-9a-f]{8,17}$")
    vpc_cidr: str = "10.61.0.0/24"
    subnet_ids: list[Annotated[str, Field(pattern=r"^subnet-[0-9a-f]{8,17}$")]] = Field(
        default_factory=list, max_length=20
    )
    subnets: int | None = Field(None, ge=2, le=3)
    enhanced_vpc_routing: bool = False
    source_prefixes: list[str] = Field(default_factory=list)
    source_kms_keys: list[Annotated[str, Field(pattern=r"^arn:[^,\s]+:key/[^,\s]+$")]] = Field(
        default_factory=list
    )
    audit_logging: bool = True
    log_days: int = 90
    manifest_days: int = Field(30, ge=1, le=3650)
    snapshot_days: int = Field(1, ge=1, le=35)
    pause_at: Schedule | None = None
    resume_at: Schedule | None = None
    tags: dict[str, str] = Field(default_factory=dict)

    @field_validator("node_type")
    @classmethod
    def _node_type(cls, value: str) -> str:
        if value.startswith(("dc", "ds")):
            raise ValueError(f"{value} is retired by AWS; ra3.large is the smallest current type")
        if value not in NODE_TYPES:
            raise ValueError(f"{value} is not one of {', '.join(NODE_TYPES)}")
        return value

    @field_validator("base_capacity", "max_capacity")
    @classmethod
    def _rpu(cls, value: int | None) -> int | None:
        if value is not None and value != 4 and value % 8:
            raise ValueError(f"{value} RPU: it must be 4 or a multiple of 8")
        return value

    @field_validator("admin_user")
    @classmethod
    def _admin(cls, value: str) -> str:
        if value == "public":
            raise ValueError("Redshift does not allow the user name public")
        return value

    @field_validator("port")
    @classmethod
    def _port(cls, value: int) -> int:
        if not (5431 <= value <= 5455 or 8191 <= value <= 8215):
            raise ValueError(f"{value} must be in 5431..5455 or 8191..8215")
        return value

    @field_validator("log_days")
    @classmethod
    def _log_days(cls, value: int) -> int:
        if value not in LOG_DAYS:
            raise ValueError(f"{value} is not one of {', '.join(map(str, LOG_DAYS))}")
        return value

    @field_validator("vpc_cidr")
    @classmethod
    def _vpc_cidr(cls, value: str) -> str:
        try:
            network = IPv4Network(value)
        except ValueError:
            raise ValueError(f"{value} is not a network such as 10.61.0.0/24") from None
        if not 16 <= network.prefixlen <= 26:
            raise ValueError(f"{value}: the prefix length of the VPC must be 16 to 26")
        return value

    @field_validator("tags")
    @classmethod
    def _tags(cls, value: dict[str, str]) -> dict[str, str]:
        for key in value:
            if key.startswith("aws:") or key in ("sparkify", "Name"):
                raise ValueError(f"the tag {key} is reserved")
        return value

    @model_validator(mode="after")
    def _together(self) -> InfraSettings:
        if self.vpc_id and len(self.subnet_ids) < 2:
            raise ValueError("vpc_id needs subnet_ids: its subnets in two or more zones")
        if self.subnet_ids and not self.vpc_id:
            raise ValueError("subnet_ids needs vpc_id: the VPC they are in")
        if self.kind == "serverless":
            if self.subnets == 2 or (self.vpc_id and len(self.subnet_ids) < 3):
                raise ValueError("serverless needs three subnets in three zones")
            if self.pause_at or self.resume_at:
                raise ValueError("pause_at is for clusters; serverless costs nothing while idle")
            if self.max_capacity and self.max_capacity < self.base_capacity:
                raise ValueError("max_capacity is below base_capacity")
        elif self.usage_limit:
            raise ValueError('usage_limit is for kind = "serverless"')
        if self.resume_at and not self.pause_at:
            raise ValueError("resume_at needs pause_at")
        return self

    @property
    def stack(self) -> str:
        """Name of the CloudFormation stack."""
        return f"sparkify-{self.name}"

    @property
    def public(self) -> bool:
        """Whether the warehouse has a public address; ``from_here`` needs one."""
        return self.publicly_accessible or self.from_here is not None


def infra_settings(table: Mapping[str, Any]) -> InfraSettings:
    """The settings of an ``[infra]`` table.

    :raises SettingsError: naming the first key that cannot be used.
    """
    try:
        return InfraSettings(**table)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = ".".join(str(part) for part in first["loc"][:1])
        where = f"[infra] {name}" if name else "[infra]"
        if first["type"] == "extra_forbidden":
            raise SettingsError(
                f"there is no setting {where}", "docs/infra.md lists all of them"
            ) from None
        message = first["msg"].removeprefix("Value error, ")
        raise SettingsError(f"{where}: {message}", "docs/infra.md lists what is allowed") from None
