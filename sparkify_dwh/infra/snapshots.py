"""Snapshots of a warehouse: the final one before it is deleted, and those that remain."""

from __future__ import annotations

import re

from .cluster import cluster_snapshots
from .compute import Compute
from .results import Snapshot
from .site import Site
from .workgroup import namespace_snapshots


def final_name(site: Site) -> str:
    """Name of the next final snapshot: the stack's name, a part of its id, the time."""
    stack_id = str((site.stack.describe() or {}).get("StackId", ""))
    part = stack_id.rpartition("/")[2][:8] or "unknown"
    return f"{site.stack.name}-final-{part}-{site.now():%Y%m%d%H%M%S}"


def take_final(site: Site, compute: Compute, name: str, keep_days: int) -> Snapshot:
    """Takes the final snapshot and deletes those that interrupted removals took before it."""
    taken = compute.snapshot(name, keep_days, site.infra.name)
    same_stack = name.rpartition("-")[0] + "-"
    for snapshot in compute.snapshots():
        if snapshot.name.startswith(same_stack) and snapshot.name != name:
            compute.delete_snapshot(snapshot.name)
    return taken


def remaining(site: Site) -> tuple[tuple[Snapshot, ...], tuple[Snapshot, ...]]:
    """Manual snapshots of warehouses with this name: final ones, and those that others took."""
    stack, infra = re.escape(site.stack.name), site.infra
    if infra.kind == "serverless":
        snapshots = namespace_snapshots(site.clients)
    else:
        snapshots = cluster_snapshots(site.clients)
    final = re.compile(rf"{stack}-final-[0-9a-z]+-\d{{14}}")
    own = re.compile(rf"{stack}(-cluster-[0-9a-z]+)?", re.IGNORECASE)
    ours = [s for s in snapshots if own.fullmatch(s.of) or s.of == infra.cluster_identifier]
    return (
        tuple(s for s in ours if final.fullmatch(s.name)),
        tuple(s for s in ours if not final.fullmatch(s.name)),
    )
