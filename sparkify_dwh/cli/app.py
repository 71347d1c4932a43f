"""The `sparkify` application: declares commands and runs them."""

from __future__ import annotations

import functools
import gc
import inspect
import logging
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption
from typer.main import get_command

from ..core.lazy_pandas import hide_pandas, show_pandas
from ..core.observer import SILENT, Observer
from . import logs
from .exits import ROLLED_BACK, SIGNALS, USAGE, report_error, report_usage
from .options import LogFormat, common_parameters, given_settings, setting_parameters
from .output import OutputError, say, silence, unwritable

if TYPE_CHECKING:
    from ..core.settings import Settings
    from ..warehouse import Warehouse

log = logging.getLogger("sparkify_dwh.cli")


@dataclass
class Session:
    """The options that every command has.

    :param given: settings given as options.
    :param interrupted_message: hint shown when a signal interrupts the command.
    """

    verbose: bool = False
    quiet: bool = False
    log_format: str = "text"
    config: str | None = None
    given: dict[str, Any] = field(default_factory=dict)
    interrupted_message: str = ROLLED_BACK

    def settings(self) -> Settings:
        """The effective settings.

        :raises SettingsError: when a setting cannot be used.
        """
        from ..core.settings import Settings

        return Settings(config=self.config, **self.given)

    def warehouse(self, observer: Observer = SILENT) -> Warehouse:
        """The warehouse of the effective settings.

        :param observer: receives the progress of loads and profiles.
        """
        from ..warehouse import Warehouse

        return Warehouse(self.settings(), observer=observer)

    @property
    def logs_text(self) -> bool:
        """Whether messages are text for people and not JSON."""
        return self.log_format == "text"


# Help -------------------------------------------------------------------------------------


class Option(TyperOption):
    """An option whose value is converted only when given: typer imports pydantic for that."""

    def process_value(self, ctx: Any, value: Any) -> Any:
        if value not in (None, ()) or self.required:
            return super().process_value(ctx, value)
        return value if self.callback is None else self.callback(ctx, self, value)


def _light(parameters: list[Any]) -> list[Any]:
    # Typer has no parameter for the class of its options.
    for parameter in parameters:
        if type(parameter) is TyperOption:
            parameter.__class__ = Option
    return parameters


class Command(TyperCommand):
    """A command whose help groups its options, its own first."""

    def get_params(self, ctx: Any) -> list[Any]:
        return _light(super().get_params(ctx))

    def format_options(self, ctx: Any, formatter: Any) -> None:
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                panel = getattr(parameter, "rich_help_panel", None)
                kind = "Arguments" if parameter.param_type_name == "argument" else "Options"
                groups.setdefault(panel or kind, []).append(record)
        for name, records in groups.items():
            with formatter.section(name):
                formatter.write_dl(records, col_max=26)


#: The order of `sparkify --help`: that of a user's first hour.
ORDER = (
    "demo",
    "init",
    "config",
    "generate",
    "profile",
    "migrate",
    "plan",
    "load",
    "compact",
    "query",
    "runs",
    "rejects",
    "check",
    "report",
    "erase",
    "audit",
)


class Group(TyperGroup):
    """The commands; wrong usage ends with an error and where to find help."""

    def get_params(self, ctx: Any) -> list[Any]:
        return _light(super().get_params(ctx))

    def list_commands(self, ctx: Any) -> list[str]:
        return sorted(self.commands, key=lambda name: (*ORDER, name).index(name))

    def main(self, *args: Any, **kwargs: Any) -> Any:
        standalone = kwargs.get("standalone_mode", True)
        kwargs["standalone_mode"] = False
        logs.configure("text", verbose=False, quiet=False)
        try:
            code = super().main(*args, **kwargs)
        except (OutputError, OSError) as error:
            # Typer writes help itself, with errors of its own.
            code = report_error(
                error if isinstance(error, OutputError) else unwritable(error), verbose=False
            )
        except Exception as error:
            # Typer bundles its own click, whose usage errors have a message and a context.
            if not hasattr(error, "format_message"):
                raise
            _usage(error)
            code = USAGE
        if not standalone:
            return code
        sys.exit(code if isinstance(code, int) else 0)


def _usage(error: Any) -> None:
    path = error.ctx.command_path if getattr(error, "ctx", None) else "sparkify"
    message = error.format_message()
    if not message:  # a group called without a command
        say(error.ctx.get_help())
        return
    report_usage(message.rstrip("."), f"see: {path} --help")


app = typer.Typer(
    name="sparkify",
    cls=Group,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start here: sparkify demo",
)


def _show_version(is_given: bool) -> None:
    if is_given:
        from ..core.version import __version__
        from .output import emit

        emit(f"sparkify {__version__}")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show debug messages and tracebacks.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Show warnings and errors only.")
    ] = False,
    log_format: Annotated[
        LogFormat | None,
        typer.Option(help="Format of messages on stderr.", show_default=False),
    ] = None,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """A warehouse as code: JSON logs and songs become a star schema, on DuckDB or Redshift."""
    context.obj = Session(verbose, quiet, log_format or "text")
    logs.configure(context.obj.log_format, verbose=verbose, quiet=quiet)


# Commands ---------------------------------------------------------------------------------

Body = Callable[..., int | None]


def command(
    name: str, *, settings: bool = True, into: typer.Typer = app, hidden: bool = False
) -> Callable[[Body], Body]:
    """Declares a command: a function of the session and its own options; returns an exit code.

    :param settings: whether it reads settings and so has an option for each of them.
    :param into: the group it belongs to.
    :param hidden: whether help omits it, as for an alias.
    """

    def declare(body: Body) -> Body:
        @functools.wraps(body)
        def run(context: typer.Context, **values: Any) -> None:
            raise typer.Exit(_run(context, body, values))

        own = list(inspect.signature(body, eval_str=True).parameters.values())[1:]
        own = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own]
        first = inspect.Parameter(
            "context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context
        )
        parameters = [first, *own, *(setting_parameters() if settings else [])]
        parameters += common_parameters()
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in parameters}
        into.command(name, cls=Command, hidden=hidden)(run)
        return body

    return declare


def _run(context: typer.Context, body: Body, values: dict[str, Any]) -> int:
    before = context.find_object(Session) or Session()
    session = Session(
        verbose=values.pop("verbose") or before.verbose,
        quiet=values.pop("quiet") or before.quiet,
        log_format=values.pop("log_format") or before.log_format,
        config=values.pop("config_file", None),
    )
    logs.configure(session.log_format, verbose=session.verbose, quiet=session.quiet)
    try:
        session.given = given_settings(values)
        code = body(session, **values) or 0
        if sys.stdout is not None:
            sys.stdout.flush()
        return code
    except BaseException as error:
        name = context.command_path.partition(" ")[2]
        return report_error(error, session.verbose, session.interrupted_message, name)


# The process ------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> None:
    """The console entry point; exits the process."""
    # Imports create many lasting objects; scanning them for cycles over and over costs a short
    # command a tenth of its time.
    gc.set_threshold(100_000)
    SIGNALS.install()
    hide_pandas()
    logging.getLogger().addHandler(logging.NullHandler())
    logging.captureWarnings(True)
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    code: Any = 0
    try:
        get_command(app).main(
            args=None if arguments is None else list(arguments), prog_name="sparkify"
        )
    except SystemExit as end:
        code = end.code
    except KeyboardInterrupt:
        code = 128 + (SIGNALS.caught or signal.SIGINT)
    finally:
        show_pandas()
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except (OSError, ValueError):
        silence(sys.stdout)
    sys.exit(code)


__all__ = ["Session", "app", "command", "main"]
