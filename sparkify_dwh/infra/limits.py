"""The usage limit of a serverless warehouse, for which CloudFormation has no resource type."""

from __future__ import annotations

from typing import Any

from .aws import Clients, translated
from .results import Change
from .settings import InfraSettings

_TYPE = "serverless usage limit"
_USAGE = "serverless-compute"


def change(clients: Clients, infra: InfraSettings, workgroup_arn: str | None) -> Change | None:
    """What must happen to the limit; None when it stands as the settings say.

    :param workgroup_arn: None where the workgroup is still to be made.
    """
    found = _found(clients, workgroup_arn) if workgroup_arn else None
    if infra.kind != "serverless" or infra.usage_limit is None:
        return Change("delete", "UsageLimit", _TYPE) if found else None
    if found is None:
        return Change("create", "UsageLimit", _TYPE)
    wanted = {
        "amount": infra.usage_limit,
        "period": infra.usage_limit_period,
        "breachAction": infra.usage_limit_action,
    }
    differing = tuple(key for key, value in wanted.items() if found[key] != value)
    return Change("modify", "UsageLimit", _TYPE, differing) if differing else None


def apply(clients: Clients, infra: InfraSettings, workgroup_arn: str) -> None:
    """Makes the limit what the settings say. The period of a limit cannot be modified."""
    api = clients["redshift-serverless"]
    found = _found(clients, workgroup_arn)
    with translated("setting the usage limit"):
        gone = infra.usage_limit is None or (found and found["period"] != infra.usage_limit_period)
        if found and gone:
            api.delete_usage_limit(usageLimitId=found["usageLimitId"])
            found = None
        if infra.usage_limit is None:
            return
        if found is None:
            api.create_usage_limit(
                resourceArn=workgroup_arn,
                usageType=_USAGE,
                amount=infra.usage_limit,
                period=infra.usage_limit_period,
                breachAction=infra.usage_limit_action,
            )
        else:
            api.update_usage_limit(
                usageLimitId=found["usageLimitId"],
                amount=infra.usage_limit,
                breachAction=infra.usage_limit_action,
            )


def _found(clients: Clients, workgroup_arn: str) -> dict[str, Any] | None:
    with translated("looking at the usage limit"):
        answer = clients["redshift-serverless"].list_usage_limits(
            resourceArn=workgroup_arn, usageType=_USAGE
        )
    limits = answer.get("usageLimits", [])
    return dict(limits[0]) if limits else None
