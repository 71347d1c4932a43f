"""The declarations of a warehouse: the shipped ones, and those of the modules in its settings."""

from __future__ import annotations

from importlib import import_module

from ..core.errors import SettingsError
from ..core.lazy_pandas import show_pandas
from ..core.settings import Settings
from . import SPARKIFY
from .declare import Declarations


def declarations_for(settings: Settings) -> Declarations:
    """The shipped declarations, extended by the modules named in ``settings.extensions``.

    Each module has a function ``extend(declarations)`` that returns the extended ones.

    :raises SettingsError: when a module cannot be imported or lacks the function.
    """
    found = SPARKIFY
    if settings.extensions:
        show_pandas()
    for name in settings.extensions:
        try:
            found = import_module(name).extend(found)
        except ImportError as error:
            raise SettingsError(f"extension {name} cannot be imported: {error}") from error
        except AttributeError:
            raise SettingsError(f"extension {name} has no function extend(declarations)") from None
    return found


def locations(settings: Settings, declarations: Declarations) -> dict[str, str]:
    """The place of each source that has one, by its name.

    :raises SettingsError: when no source has a place.
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
