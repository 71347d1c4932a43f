"""The version, from the installed metadata."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("sparkify-dwh")
except PackageNotFoundError:  # a checkout on the path without an install
    __version__ = "0+unknown"
