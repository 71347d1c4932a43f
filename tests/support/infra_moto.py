"""Deployments on moto whose clock does not tick, and what the account then holds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3

from sparkify_dwh.infra.aws import Clients
from sparkify_dwh.infra.deployment import Deployment
from sparkify_dwh.infra.reachability import Reachability
from sparkify_dwh.infra.settings import infra_settings
from sparkify_dwh.infra.site import Site
from support.infra_answers import before_each_call

REGION = "us-east-1"
SOURCES = ("s3://udacity-dend/log_data/", "s3://udacity-dend/song_data/")
CONFIG = '# mine\nlog_data = "s3://udacity-dend/log_data/"  # the logs\n'


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += timedelta(seconds=seconds)


class MotoDeployment:
    """A deployment with the messages it sent and the connections it tried."""

    def __init__(self, clients: Clients, config: Path, table: dict[str, Any]) -> None:
        self.config = config
        self.messages: list[str] = []
        self.clock = Clock()
        self.tried: list[tuple[str, int]] = []
        self.reachability = Reachability(True)
        site = Site(
            infra_settings(table),
            clients,
            SOURCES,
            config,
            tell=lambda item: self.messages.append(str(item)),
            sleep=self.clock.sleep,
            now=self.clock.now,
            connect=self.connect,
            address=lambda: "203.0.113.7\n",
        )
        self.deployment = Deployment(site)

    def connect(self, host: str, port: int) -> Reachability:
        self.tried.append((host, port))
        return self.reachability


NewDeployment = Callable[..., MotoDeployment]


def clusters() -> list[dict[str, Any]]:
    """The account's clusters."""
    return list(boto3.client("redshift").describe_clusters()["Clusters"])


def stacks() -> list[str]:
    """Name and state of the account's stacks."""
    found = boto3.client("cloudformation").describe_stacks()["Stacks"]
    return [f"{stack['StackName']} {stack['StackStatus']}" for stack in found]


def operations(
    new_deployment: NewDeployment, session: Any, run: Callable[[Deployment], object]
) -> list[str]:
    """The operations of a command, in order of first use."""
    calls: list[str] = []
    before_each_call(session, calls.append)
    run(new_deployment().deployment)
    return list(dict.fromkeys(calls))
