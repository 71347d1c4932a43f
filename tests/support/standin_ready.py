"""Imports what a child process that loads into Redshift needs, before it is forked."""

from contextlib import suppress

import alembic.command  # noqa: F401
import redshift_connector  # noqa: F401
import sqlalchemy_redshift.dialect  # noqa: F401

import sparkify_dwh.dialects.redshift.dialect
import sparkify_dwh.jobs.load.run  # noqa: F401
from sparkify_dwh import Settings
from sparkify_dwh.storage.aws import client

with suppress(Exception):  # the machine's AWS profile may not exist
    client(Settings(aws_region="us-east-1"), "s3")
