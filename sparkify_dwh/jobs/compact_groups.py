"""Divides objects into groups of about equal size, one for each compacted object."""

from __future__ import annotations

from collections.abc import Sequence

from ..storage.objects import Object

#: Aim for the compressed bytes of a group; AWS advises 1 MB to 1 GB and equal sizes.
#: Source: https://docs.aws.amazon.com/redshift/latest/dg/c_best-practices-use-multiple-files.html
AIM = 128 * 1024 * 1024
#: Objects with at least this many plain bytes need no compacting.
LARGE = 64 * 1024 * 1024
#: Estimated plain bytes in a byte of gzip.
GZIP_RATIO = 8
_SAMPLE_OBJECTS, _SAMPLE_BYTES = 64, 8 * 1024 * 1024


def weight(each: Object) -> int:
    """An estimate of an object's plain bytes."""
    return each.size * (GZIP_RATIO if each.key.endswith(".gz") else 1)


def sample(objects: Sequence[Object]) -> list[Object]:
    """Some objects from all over the source."""
    step = max(1, len(objects) // _SAMPLE_OBJECTS)
    chosen: list[Object] = []
    size = 0
    for each in objects[::step]:
        if chosen and size + weight(each) > _SAMPLE_BYTES:
            break
        chosen.append(each)
        size += weight(each)
    return chosen


def count_groups(objects: Sequence[Object], slices: int, compression: float) -> int:
    """The number of groups: a multiple of the slices, with about ``AIM`` bytes in each.

    :param compression: compressed bytes for a unit of weight.
    """
    total = sum(map(weight, objects))
    count = slices * max(1, round(total * compression / (slices * AIM)))
    return count if count < len(objects) else slices


def divide(objects: Sequence[Object], count: int) -> list[Sequence[Object]]:
    """The objects in their order, in at most ``count`` groups of about equal weight."""
    total = sum(map(weight, objects))
    groups: list[list[Object]] = [[] for _ in range(count)]
    before = 0
    for position, each in enumerate(objects):
        # An object's middle decides on its group; its position does where all are empty.
        middle = before + weight(each) / 2
        share = middle / total if total else position / len(objects)
        groups[min(int(share * count), count - 1)].append(each)
        before += weight(each)
    return [group for group in groups if group]
