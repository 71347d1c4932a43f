"""`sparkify infra` on the command line: output, questions, files and exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import boto3
import pytest
from support.infra_answers import before_each_call, client_error
from support.infra_moto import clusters, stacks
from typer.testing import CliRunner, Result

from sparkify_dwh.cli import app
from sparkify_dwh.infra.reachability import Reachability
from sparkify_dwh.infra.results import StackEvent
from sparkify_dwh.infra.site import Site

pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse")
Run = Callable[..., Result]


@pytest.fixture
def found() -> list[Reachability]:
    """Results of connections; the last one is used."""
    return [Reachability(True)]


@pytest.fixture
def run(
    moto_session: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: list[Reachability]
) -> Run:
    """Runs a command in an empty folder, with moto as AWS and without waiting."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(boto3, "Session", lambda **_: moto_session)
    defaults = Site.__init__.__kwdefaults__
    monkeypatch.setitem(defaults, "connect", lambda host, port: found[-1])
    monkeypatch.setitem(defaults, "sleep", lambda seconds: None)
    monkeypatch.setitem(defaults, "address", lambda: "203.0.113.7")

    def invoke(*arguments: str, answer: str | None = None) -> Result:
        return CliRunner().invoke(app, ["infra", *arguments], input=answer)

    return invoke


def test_init_plan_create_status_pause_resume_remove(run: Run, tmp_path: Path) -> None:
    assert run("init").exit_code == 0
    planned = run("plan")
    assert planned.exit_code == 0
    assert "create      Cluster (AWS::Redshift::Cluster)" in planned.stdout
    assert "price unknown" in planned.stdout
    assert stacks() == []
    created = run("create", answer="y\n")
    assert created.exit_code == 0 and created.stdout == ""
    assert "proceed? [y/N]" in created.stderr
    assert "ready: " in created.stderr
    text = (tmp_path / "sparkify.toml").read_text()
    assert "redshift+redshift_connector://" in text and "# Who may connect." in text
    status = run("status")
    assert status.exit_code == 0 and "billing:    YES" in status.stdout
    assert run("pause").exit_code == 0
    assert "NO compute (paused)" in run("status").stdout
    assert run("resume").exit_code == 0
    removed = run("remove", answer="dwh\n")
    assert removed.exit_code == 0
    assert "type dwh to remove it:" in removed.stderr
    assert "nothing billable with the tag sparkify=dwh is left except" in removed.stderr
    assert "final snapshot sparkify-dwh-final-" in removed.stderr
    assert clusters() == []


def test_apply_and_destroy_are_the_same_commands(run: Run) -> None:
    assert run("apply", "--yes").exit_code == 0
    assert len(clusters()) == 1
    assert run("destroy", "--yes", "--no-snapshot").exit_code == 0
    assert clusters() == []


def test_no_changes_are_reported_and_nothing_is_asked(run: Run) -> None:
    run("create", "--yes")
    again = run("create")
    assert again.exit_code == 0
    assert "no changes" in again.stderr and "proceed?" not in again.stderr


@pytest.mark.parametrize("answer", ["n\n", "\n", "maybe\n"])
def test_anything_but_yes_does_nothing(run: Run, answer: str) -> None:
    result = run("create", answer=answer)
    assert result.exit_code == 0 and "nothing was done" in result.stderr
    assert stacks() == []


@pytest.mark.parametrize("command", ["create", "remove"])
def test_without_an_answer_it_needs_yes(run: Run, command: str) -> None:
    if command == "remove":
        run("create", "--yes")
    before = stacks()
    result = run(command, answer="")
    assert result.exit_code == 2 and "--yes" in result.stderr
    assert stacks() == before


def test_a_wrong_name_removes_nothing(run: Run) -> None:
    run("create", "--yes")
    result = run("remove", answer="prod\n")
    assert result.exit_code == 2 and "nothing was removed" in result.stderr
    assert len(clusters()) == 1


def test_from_here_shows_in_plan_and_create(run: Run, tmp_path: Path) -> None:
    assert "203.0.113.7/32" in run("plan", "--from-here").stdout
    result = run("create", "--from-here", "--yes")
    assert "PUBLIC endpoint" in result.stderr and "203.0.113.7/32" in result.stderr
    assert 'from_here = "203.0.113.7/32"' in (tmp_path / "sparkify.toml").read_text()


def test_a_public_endpoint_out_of_reach_ends_with_6(run: Run, found: list[Reachability]) -> None:
    found.append(Reachability(False, "it does not answer"))
    result = run("create", "--from-here", "--yes")
    assert result.exit_code == 6
    assert "ready" not in result.stderr and "it does not answer" in result.stderr


def test_a_private_one_shows_who_may_connect(run: Run, found: list[Reachability]) -> None:
    found.append(Reachability(False, "it does not answer"))
    result = run("create", "--yes")
    assert result.exit_code == 0 and "ready" not in result.stderr
    assert "allowed only from inside" in result.stderr


def test_json_of_each_command(run: Run, found: list[Reachability]) -> None:
    plan = json.loads(run("plan", "--json").stdout)
    assert plan["stack"] == "sparkify-dwh" and plan["changes"][0]["action"] == "create"
    created = json.loads(run("create", "--yes", "--json").stdout)
    assert created["ready"] is True and created["endpoint"]["state"] == "available"
    found.append(Reachability(False, "no"))
    status = json.loads(run("status", "--json").stdout)
    assert status["billing"] is True and status["last_load"] == "unknown: no"
    assert json.loads(run("pause", "--json").stdout)["state"] == "paused"
    assert json.loads(run("resume", "--json").stdout)["changed"] is True
    removed = json.loads(run("remove", "--yes", "--json").stdout)
    assert removed["left"] == [] and removed["snapshots"][0]["keep_days"] == 7


def test_the_config_option_says_which_file(run: Run, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text('[infra]\nname = "other"\n')
    assert run("create", "--yes", "--config", str(other)).exit_code == 0
    assert stacks() == ["sparkify-other CREATE_COMPLETE"]
    assert "iam_role" in other.read_text()
    assert not (tmp_path / "sparkify.toml").exists()


def test_errors_end_with_their_code_and_two_lines(
    run: Run, moto_session: Any, tmp_path: Path
) -> None:
    assert run("pause").exit_code == 6
    (tmp_path / "sparkify.toml").write_text('[infra]\nallowed_cidrs = ["0.0.0.0/0"]\n')
    refused = run("create", "--yes")
    assert refused.exit_code == 2 and "would admit much of the internet" in refused.stderr
    (tmp_path / "sparkify.toml").write_text("")

    def deny(call: str) -> None:
        if call == "cloudformation:CreateChangeSet":
            raise client_error("CreateChangeSet", "AccessDenied", "not you")

    before_each_call(moto_session, deny)
    denied = run("create", "--yes")
    assert denied.exit_code == 6
    assert len(denied.stderr.strip().splitlines()) == 2
    assert "does not allow CreateChangeSet: not you" in denied.stderr


def test_interrupted_it_says_how_to_continue(run: Run, moto_session: Any) -> None:
    def interrupt(call: str) -> None:
        if call == "redshift:DescribeClusters":
            raise KeyboardInterrupt

    before_each_call(moto_session, interrupt)
    result = run("create", "--yes")
    assert result.exit_code == 130
    assert "run the same command again" in result.stderr


def test_quiet_writes_nothing_without_need(run: Run) -> None:
    run("create", "--yes")
    result = run("pause", "-q")
    assert result.exit_code == 0 and result.stdout == "" and result.stderr == ""


def test_without_a_command_it_shows_the_list(run: Run) -> None:
    result = run()
    assert result.exit_code == 2 and "Create, watch, pause and remove" in result.stderr


def test_the_live_list_shows_each_resource_once_with_its_newest_state() -> None:
    from rich.console import Console

    from sparkify_dwh.cli.infra_progress import InfraProgress

    screen = StringIO()
    progress = InfraProgress()
    progress._console = Console(file=screen, force_terminal=True, width=100, highlight=False)
    progress.show("creating")
    progress.show(StackEvent("Vpc", "AWS::EC2::VPC", "CREATE_IN_PROGRESS"))
    progress.show(StackEvent("Cluster", "AWS::Redshift::Cluster", "CREATE_FAILED", "no capacity"))
    progress.show(StackEvent("Vpc", "AWS::EC2::VPC", "CREATE_COMPLETE"))
    progress.stop()
    text = screen.getvalue()
    assert "creating" in text and "no capacity" in text
    last = text[text.rindex("Vpc") :]
    assert "create complete" in last and "Cluster" in last
    progress.show(StackEvent("Bucket", "AWS::S3::Bucket", "CREATE_COMPLETE"))
    progress.stop()
    assert "Vpc" not in screen.getvalue()[len(text) :]
