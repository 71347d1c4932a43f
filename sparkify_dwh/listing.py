"""Where the sources are, what they hold, and whether it is still what was listed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial

from .config import Settings
from .declare import Declarations, Source
from .discover import Listing, Object, list_folder, look_again
from .errors import SettingsError
from .observe import SILENT, Observer, unknown
from .s3 import PAGE, SCHEME, Bucketeer


def locations(settings: Settings, declarations: Declarations) -> dict[str, str]:
    """Where each source is, for those that have a place.

    :raises SettingsError: when no source has one.
    """
    found = {
        source.name: place
        for source in declarations.sources
        if (place := settings.location(source.name, source.setting))
    }
    if not found:
        names = " or ".join(s.setting for s in declarations.sources)
        raise SettingsError("no source is set", f"set {names}, or: sparkify init")
    return found


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


def look(settings: Settings, source: Source, objects: list[Object], listed: int) -> set[str]:
    """Keys of objects that are no longer what was listed.

    :param listed: how many names the source held: where listing them all takes S3 more answers
        than there are objects, it is asked for each of these instead.
    """
    place = settings.location(source.name, source.setting) or ""
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
