"""The fixtures of account.py, for all tests of this folder."""

from account import aws, credentials, make

__all__ = ["aws", "credentials", "make"]
