"""What the commands need of compute, be it a provisioned cluster or a serverless workgroup."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from .results import Endpoint, Snapshot, Transition

Sleep = Callable[[float], None]


class Compute(Protocol):
    """A cluster or a workgroup."""

    def describe(self) -> Endpoint | None:
        """The warehouse as AWS describes it; None where it does not exist."""

    def pause(self) -> Transition:
        """Stops the billing of compute, and waits."""

    def resume(self) -> Transition:
        """Makes it answer again, and waits."""

    def snapshot(self, name: str, keep_days: int, tag: str) -> Snapshot:
        """Takes a snapshot, and waits until it can be restored."""

    def snapshots(self) -> list[Snapshot]:
        """Its manual snapshots."""

    def delete_snapshot(self, name: str) -> None:
        """Deletes a manual snapshot."""
