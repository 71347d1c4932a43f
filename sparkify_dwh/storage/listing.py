"""Lists the sources, in folders and on S3, and finds objects that changed since."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial

from ..core.observer import SILENT, Observer, unknown_fraction
from ..core.settings import Settings
from .objects import Listing, Object, changed_files, list_folder
from .s3 import PAGE, S3, SCHEME


def list_sources(
    settings: Settings, places: Mapping[str, str], observer: Observer = SILENT
) -> dict[str, Listing]:
    """Lists every source; reports the objects to the observer as step ``list``.

    :raises SourceError: when one is missing or unreadable.
    """
    listings = {}
    for name, place in places.items():
        found = partial(observer.advance, "list", name)
        observer.enter("list", name, unknown_fraction)
        listings[name] = (
            S3(settings).list_prefix(place, found)
            if place.startswith(SCHEME)
            else list_folder(place, found)
        )
    return listings


def changed_objects(settings: Settings, place: str, objects: list[Object], listed: int) -> set[str]:
    """Keys of objects that changed or vanished since they were listed.

    :param place: the folder or prefix that they were listed in.
    :param listed: number of names in the source. On S3 the objects are requested one by one where
        that takes fewer requests than listing all names.
    """
    if not place.startswith(SCHEME):
        return changed_files(objects, os.stat)
    if not objects:
        return set()
    s3, pages = S3(settings), -(-listed // PAGE)
    found = s3.list_each(objects) if len(objects) <= pages else s3.list_prefix(place).objects
    now = {each.identity for each in found}
    return {each.key for each in objects if each.identity not in now}
