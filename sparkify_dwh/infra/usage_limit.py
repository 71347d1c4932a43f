"""The usage limit of a serverless warehouse, for which CloudFormation has no resource type."""

from __future__ import annotations

from typing import Any

from .aws import Clients, aws_errors
from .plan import Change
from .settings import InfraSettings

_TYPE = "serverless usage limit"
_USAGE = "serverless-compute"


def planned_change(
    clients: Clients, infra: InfraSettings, workgroup_arn: str | None
) -> Change | None:
    """The change that makes the limit match the settings; None when it already does.

    :param workgroup_arn: None where the workgroup does not exist yet.
    """
    limit = _current(clients, workgroup_arn) if workgroup_arn else None
    if infra.kind != "serverless" or infra.usage_limit is None:
        return Change("delete", "UsageLimit", _TYPE) if limit else None
    if limit is None:
        return Change("create", "UsageLimit", _TYPE)
    settings = {
        "amount": infra.usage_limit,
        "period": infra.usage_limit_period,
        "breachAction": infra.usage_limit_action,
    }
    differing = tuple(key for key, value in settings.items() if limit[key] != value)
    return Change("modify", "UsageLimit", _TYPE, differing) if differing else None


def apply(clients: Clients, infra: InfraSettings, workgroup_arn: str) -> None:
    """Makes the limit match the settings; AWS cannot modify a period, so that limit is replaced."""
    api = clients["redshift-serverless"]
    limit = _current(clients, workgroup_arn)
    with aws_errors("setting the usage limit"):
        unwanted = infra.usage_limit is None
        if limit and (unwanted or limit["period"] != infra.usage_limit_period):
            api.delete_usage_limit(usageLimitId=limit["usageLimitId"])
            limit = None
        if unwanted:
            return
        if limit is None:
            api.create_usage_limit(
                resourceArn=workgroup_arn,
                usageType=_USAGE,
                amount=infra.usage_limit,
                period=infra.usage_limit_period,
                breachAction=infra.usage_limit_action,
            )
        else:
            api.update_usage_limit(
                usageLimitId=limit["usageLimitId"],
                amount=infra.usage_limit,
                breachAction=infra.usage_limit_action,
            )


def _current(clients: Clients, workgroup_arn: str) -> dict[str, Any] | None:
    with aws_errors("reading the usage limit"):
        answer = clients["redshift-serverless"].list_usage_limits(
            resourceArn=workgroup_arn, usageType=_USAGE
        )
    limits = answer.get("usageLimits", [])
    return dict(limits[0]) if limits else None
