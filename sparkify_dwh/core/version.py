"""The version, from the installed metadata."""

from importlib.metadata import PackageNotFoundError, version


def _installed_version() -> str:
    try:
        return version("sparkify-dwh")
    except PackageNotFoundError:  # a checkout on the path without an install
        return "0+unknown"


#: The version of the library.
__version__ = _installed_version()
