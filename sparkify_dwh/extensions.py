"""The declarations of a warehouse: the shipped ones and what modules of its users add."""

from __future__ import annotations

from importlib import import_module

from .config import Settings
from .declare import Declarations
from .errors import SettingsError
from .models import SPARKIFY
from .startup import show_pandas


def declared(settings: Settings) -> Declarations:
    """The shipped declarations and those of the modules named in ``settings.extensions``.

    A module adds to them by an ``extend(declarations)`` function that returns the extended ones.

    :raises SettingsError: when a module cannot be imported or has no such function.
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
