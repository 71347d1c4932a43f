"""The connection of a load on Redshift breaks at each message: never half a load is left."""

from __future__ import annotations

from collections import Counter

import hazards
from figures import figure
from hazards import SOAK, points
from loads import aws_keys, migrated
from redshift.fixtures import s3_server, standin
from redshift_scene import RedshiftScene, quick, scene

__all__ = ["aws_keys", "migrated", "quick", "s3_server", "scene", "standin"]
FLUSH = b"H"


def test_the_connection_is_dropped_at_each_message(scene: RedshiftScene) -> None:
    """Of the wire protocol; a sample leaves out Flush, which does nothing and has no answer."""
    each = [n for n, kind in enumerate(scene.messages, 1) if SOAK or kind != FLUSH]
    total = len(each)
    assert total > 4 * len(scene.statements)
    chosen = [each[n - 1] for n in points(total, "messages on Redshift")]
    states: Counter[str] = Counter()
    for number in chosen:
        scene.restore()
        scene.at_message(number)
        report = scene.observed()
        states[scene.survived(report, f"seed {hazards.SEED}, message {number}")] += 1
    assert states["after"]
    figure(
        "messages dropped",
        engine="redshift stand-in",
        of=total,
        tried=len({*chosen}),
        seed=hazards.SEED,
        **states,
    )
