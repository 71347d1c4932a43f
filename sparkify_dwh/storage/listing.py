"""Where the sources are, what they hold, and whether it is still what was listed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial

from ..core.progress import SILENT, Observer, unknown
from ..core.settings import Settings
from .objects import Listing, Object, list_folder, look_again
from .s3 import PAGE, SCHEME, Bucketeer


def list_sources(
    settings: Settings, places: Mapping[str, str], observer: Observer = SILENT
) -> dict[str, Listing]:
    """Lists every source; the observer is told of objects of the step ``list``.

    :raises SourceError: when one is missing or unreadable.
    """
    listings = {}
    for name, place in places.items():
        found = partial(observer.advance, "list", name)
        observer.enter("list", name, unknown)
        listings[name] = (
            Bucketeer(settings).list_prefix(place, found)
            if place.startswith(SCHEME)
            else list_folder(place, found)
        )
    return listings


def look(settings: Settings, place: str, objects: list[Object], listed: int) -> set[str]:
    """Keys of objects that are no longer what was listed.

    :param place: the folder or prefix that they were listed in.
    :param listed: how many names the source held: where listing them all takes S3 more answers
        than there are objects, it is asked for each of these instead.
    """
    if not place.startswith(SCHEME):
        return look_again(objects, os.stat)
    if not objects:
        return set()
    bucketeer, pages = Bucketeer(settings), -(-listed // PAGE)
    found = (
        bucketeer.list_each(objects)
        if len(objects) <= pages
        else bucketeer.list_prefix(place).objects
    )
    now = {(o.key, o.version, o.size) for o in found}
    return {o.key for o in objects if (o.key, o.version, o.size) not in now}
