"""The settings as options, in a light table: `--help` must not import pydantic.

A test compares the table with ``core.settings.Settings``: names, defaults, descriptions.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import typer

SETTINGS_PANEL = "Settings (also in sparkify.toml, and as SPARKIFY_… in the environment)"
COMMON_PANEL = "Common options"

Auth = Literal["password", "secret", "iam", "serverless"]
LogFormat = Literal["text", "json"]

Json = Annotated[bool, typer.Option("--json", help="Write JSON to stdout.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@dataclass(frozen=True)
class Setting:
    """One setting as users see it.

    :param default: as in ``Settings``.
    :param example: what `sparkify init` writes if there is no default.
    :param option: name of the option; "" derives it from the name, None means no option.
    """

    name: str
    type: Any
    default: Any
    help: str
    metavar: str | None = None
    example: Any = None
    option: str | None = ""

    @property
    def flag(self) -> str | None:
        """The option, such as ``--log-data``."""
        return "--" + self.name.replace("_", "-") if self.option == "" else self.option


#: Every setting, in the order of ``Settings``.
SETTINGS = (
    Setting(
        "database_url",
        str,
        "duckdb:///sparkify.duckdb",
        "SQLAlchemy URL of the warehouse; a DuckDB file by default, "
        "`redshift+redshift_connector://user@host:5439/db` for a cluster or workgroup.",
        "URL",
    ),
    Setting("auth", Auth, "password", "How to log in to Redshift."),
    Setting(
        "database_password",
        str,
        None,
        "Only from the environment; never in the file.",
        option=None,
    ),
    Setting(
        "secret_arn",
        str,
        None,
        "Secrets Manager secret with user and password, for `auth = secret`.",
        "ARN",
        "arn:aws:secretsmanager:us-west-2:123456789012:secret:sparkify",
    ),
    Setting(
        "cluster_identifier",
        str,
        None,
        "Provisioned cluster, for `auth = iam`.",
        "NAME",
        "sparkify",
    ),
    Setting(
        "workgroup", str, None, "Serverless workgroup, for `auth = serverless`.", "NAME", "sparkify"
    ),
    Setting(
        "db_user",
        str,
        None,
        "Database user to request credentials for, for `auth = iam`.",
        "NAME",
        "loader",
    ),
    Setting(
        "log_data",
        str,
        None,
        "Event logs: a folder, one file or `s3://bucket/prefix/`.",
        "PLACE",
        "data/log_data",
    ),
    Setting(
        "song_data",
        str,
        None,
        "Song files: a folder, one file or `s3://bucket/prefix/`.",
        "PLACE",
        "data/song_data",
    ),
    Setting(
        "sources",
        list[str],
        {},
        "Places of the sources that extensions declare, by source name.",
        "NAME=PLACE",
        {"name": "data/folder"},
    ),
    Setting(
        "extensions",
        list[str],
        [],
        "Python modules that declare more sources and targets (docs/extend.md).",
        "MODULE",
        option="--extension",
    ),
    Setting(
        "log_jsonpaths",
        str,
        None,
        "A jsonpaths file for the logs, local or on S3.",
        "FILE",
        "s3://udacity-dend/log_json_path.json",
    ),
    Setting(
        "work_prefix",
        str,
        None,
        "`s3://bucket/prefix/` for the loader's own objects: manifests, mappings.",
        "PREFIX",
        "s3://bucket/prefix/",
    ),
    Setting("iam_role", str, "default", "Role that Redshift reads S3 with.", "ARN"),
    Setting(
        "aws_region", str, None, "Region of the buckets and the cluster.", "REGION", "us-west-2"
    ),
    Setting(
        "aws_endpoint_url",
        str,
        None,
        "Endpoint to use instead of AWS's own.",
        "URL",
        "http://localhost:5000",
    ),
    Setting(
        "max_reject_ratio",
        float,
        0.01,
        "A load fails above this share of refused rows of a source.",
        "RATIO",
    ),
    Setting(
        "reject_floor",
        int,
        10,
        "Up to this many refused rows of a source never fail a load.",
        "ROWS",
    ),
    Setting(
        "max_rejects",
        int,
        None,
        "A load fails above this many refused rows of a source.",
        "ROWS",
        1000,
    ),
    Setting(
        "lock_timeout",
        float,
        60.0,
        "Seconds to wait for another loader before giving up.",
        "SECONDS",
    ),
    Setting(
        "statement_timeout",
        float,
        None,
        "Seconds one statement may take (Redshift).",
        "SECONDS",
        600.0,
    ),
    Setting(
        "memory_limit",
        str,
        None,
        "Memory limit of DuckDB, such as `2GiB`; also bounds spooling.",
        "SIZE",
        "2GiB",
    ),
    Setting(
        "webhook_url",
        str,
        None,
        "URL that receives a JSON message for each failed or refused load.",
        "URL",
        "https://example.com/hook",
    ),
    Setting(
        "openlineage",
        str,
        None,
        "File to append OpenLineage events of loads to, one JSON object a line.",
        "FILE",
        "openlineage.ndjson",
    ),
    Setting("infra", dict, {}, "The `[infra]` table: the cluster and what it needs.", option=None),
)

_PREFIX = "setting_"


def setting_parameters() -> list[inspect.Parameter]:
    """The options of all settings, and ``--config``, as parameters of a command."""
    config = typer.Option(
        "--config",
        metavar="FILE",
        help="The settings file; default: sparkify.toml, if it exists.",
        rich_help_panel=SETTINGS_PANEL,
    )
    parameters = [_parameter("config_file", str | None, config)]
    for setting in SETTINGS:
        if setting.flag is None:
            continue
        is_list = setting.type == list[str]
        option = typer.Option(
            setting.flag,
            metavar=setting.metavar,
            help=setting.help + (" May be repeated." if is_list else ""),
            show_default=False,
            rich_help_panel=SETTINGS_PANEL,
        )
        parameters.append(_parameter(_PREFIX + setting.name, setting.type | None, option))
    return parameters


def common_parameters() -> list[inspect.Parameter]:
    """The options that may come before or after the name of a command."""
    verbose = typer.Option(
        "--verbose", "-v", help="Show debug messages and tracebacks.", rich_help_panel=COMMON_PANEL
    )
    quiet = typer.Option(
        "--quiet", "-q", help="Show warnings and errors only.", rich_help_panel=COMMON_PANEL
    )
    log_format = typer.Option(
        "--log-format",
        help="Format of messages on stderr.",
        rich_help_panel=COMMON_PANEL,
        show_default=False,
    )
    return [
        _parameter("verbose", bool, verbose, False),
        _parameter("quiet", bool, quiet, False),
        _parameter("log_format", LogFormat | None, log_format),
    ]


def _parameter(name: str, kind: Any, option: Any, default: Any = None) -> inspect.Parameter:
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=default,
        annotation=Annotated[kind, option],
    )


def given_settings(values: dict[str, Any]) -> dict[str, Any]:
    """Removes the settings given as options from a command's values and returns them.

    :raises UsageError: when a ``--sources`` is not NAME=PLACE.
    """
    given = {}
    for name in [key for key in values if key.startswith(_PREFIX)]:
        value = values.pop(name)
        if value not in (None, [], ()):
            given[name.removeprefix(_PREFIX)] = value
    if "sources" in given:
        given["sources"] = dict(_pair(text) for text in given["sources"])
    return given


def _pair(text: str) -> tuple[str, str]:
    from ..core.errors import UsageError

    name, equals, place = text.partition("=")
    if not (name and equals and place):
        raise UsageError(f"--sources {text} is not NAME=PLACE", "such as plays=data/plays")
    return name, place
