"""Without the extras: the library imports, DuckDB works, and what is missing is named."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

# An import of None fails as that of a package that is not installed.
BLOCK = """
    import sys
    for name in ("boto3", "botocore", "redshift_connector", "pandas", "moto"):
        sys.modules[name] = None
"""


def run(code: str, folder: Path) -> str:
    """What a fresh Python without the extras prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", dedent(BLOCK) + dedent(code)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_library_loads_into_duckdb(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "a.json").write_text("")
    said = run(
        """
        import sparkify_dwh
        from sparkify_dwh import Settings, Warehouse
        from sparkify_dwh.cli import main
        warehouse = Warehouse(Settings(log_data="logs"))
        warehouse.migrate()
        print(warehouse.load().event, warehouse.check().passed)
        """,
        tmp_path,
    )
    assert said == "loaded True"


def test_plans_and_sql_for_redshift_need_no_driver(tmp_path: Path) -> None:
    said = run(
        """
        from sparkify_dwh import Settings, Warehouse
        url = "redshift+redshift_connector://u@h/dev"
        warehouse = Warehouse(Settings(database_url=url))
        print("CREATE TABLE sparkify.songs" in warehouse.migration_sql())
        print("COPY" in str(warehouse.plan("redshift")))
        """,
        tmp_path,
    )
    assert said == "True\nTrue"


@pytest.mark.parametrize(
    ("call", "extra"),
    [
        ("schema_status()", "redshift"),
        ("migrate()", "redshift"),
        ("query('SELECT 1')", "redshift"),
        ("load()", "aws"),
    ],
)
def test_connecting_names_the_extra(tmp_path: Path, call: str, extra: str) -> None:
    said = run(
        f"""
        from sparkify_dwh import MissingExtraError, Settings, Warehouse
        url = "redshift+redshift_connector://u:p@h/dev"
        warehouse = Warehouse(Settings(database_url=url, log_data="s3://bucket/logs/"))
        try:
            warehouse.{call}
        except MissingExtraError as error:
            print(error.exit_code, error.extra, error.hint)
        """,
        tmp_path,
    )
    assert said == f"2 {extra} install it: pip install 'sparkify-dwh[{extra}]'"


@pytest.mark.parametrize("auth", ["secret", "iam", "serverless"])
def test_credentials_of_aws_name_the_extra(tmp_path: Path, auth: str) -> None:
    said = run(
        f"""
        from sqlalchemy.engine import make_url
        from sparkify_dwh import MissingExtraError, Settings
        from sparkify_dwh.dialects.redshift.login import Login
        url = "redshift+redshift_connector://h/dev"
        settings = Settings(database_url=url, auth={auth!r}, secret_arn="a",
                            cluster_identifier="c", workgroup="w")
        try:
            Login(settings, make_url(url)).credentials()
        except MissingExtraError as error:
            print(error.extra)
        """,
        tmp_path,
    )
    assert said == "aws"


def test_data_frames_name_the_extra(tmp_path: Path) -> None:
    said = run(
        """
        from sparkify_dwh import MissingExtraError, Settings, Warehouse
        warehouse = Warehouse(Settings())
        warehouse.migrate()
        try:
            warehouse.query("SELECT 1").df()
        except MissingExtraError as error:
            print(error.extra)
        """,
        tmp_path,
    )
    assert said == "notebooks"
