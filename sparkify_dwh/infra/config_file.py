"""Changes of ``sparkify.toml`` that keep everything the user wrote there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..core.errors import MissingExtraError, SettingsError

#: What `sparkify infra init` writes; every key has its default.
INFRA_TABLE = """
[infra]
# What `sparkify infra create` creates; docs/infra.md explains every key.
name = "dwh"                 # the stack is sparkify-<name>, every tag sparkify=<name>
kind = "provisioned"         # or "serverless": billed only while queries run

# Provisioned (`sparkify infra pause` and `resume` work at any time)
node_type = "ra3.large"      # RA3 or RG types; DC2 is retired
nodes = 1                    # 1: single-node
# pause_at = "20:00"         # UTC, or cron(0 20 * * ? *)
# resume_at = "06:00"
snapshot_days = 1            # how long automated snapshots are kept
# cluster_identifier = "dwh-cluster"   # by default derived from the stack's name

# Serverless
# base_capacity = 8          # RPU: 4 or a multiple of 8
# max_capacity = 64
# usage_limit = 60           # RPU-hours per period
# usage_limit_period = "monthly"        # daily, weekly
# usage_limit_action = "deactivate"     # emit-metric, log

database = "dwh"
admin_user = "sparkify_admin"   # its password is in Secrets Manager, never here
port = 5439

# Who may connect. By default only the VPC; `create --from-here` adds your own address.
publicly_accessible = false
allowed_cidrs = []           # such as ["203.0.113.0/24"]; never the whole internet

# Network: created for you, unless you name your own.
# vpc_id = "vpc-0123456789abcdef0"
# subnet_ids = ["subnet-...", "subnet-..."]
vpc_cidr = "10.61.0.0/24"
enhanced_vpc_routing = false

# COPY may read log_data, song_data, log_jsonpaths, [sources] and what you name here.
source_prefixes = []
source_kms_keys = []
# role_name = "dwhRole"      # by default derived from the stack's name

audit_logging = true
log_days = 90
manifest_days = 30

[infra.tags]
# team = "data"
"""

_HEAD = """# Settings of sparkify; `sparkify config` shows the effective values.
# log_data  = "s3://udacity-dend/log_data/"
# song_data = "s3://udacity-dend/song_data/"
# aws_region = "us-west-2"
"""


def add_infra_table(path: Path) -> bool:
    """Adds the commented ``[infra]`` table; returns False, changing nothing, where there is one.

    :raises SettingsError: when the file is not TOML or cannot be written.
    """
    text = _read(path) if path.exists() else _HEAD
    if "infra" in _parse(path, text):
        return False
    _write(path, text.rstrip("\n") + "\n" + INFRA_TABLE)
    return True


def update_config(
    path: Path, values: Mapping[str, str | None], infra: Mapping[str, Any] | None = None
) -> dict[str, str]:
    """Sets top-level keys and keys of ``[infra]``; keeps comments, order and other keys.

    :param values: None removes a key.
    :returns: the keys that are new or changed, with their values.
    :raises SettingsError: when the file is not TOML or cannot be written.
    """
    document = _parse(path, _read(path) if path.exists() else "")
    changed: dict[str, str] = {}
    tables = [(document, values, "")]
    if infra:
        tables.append((document.setdefault("infra", {}), infra, "infra."))
    dirty = False
    for table, entries, prefix in tables:
        for key, value in entries.items():
            if value is None:
                dirty |= table.pop(key, None) is not None
            elif table.get(key) != value:
                table[key] = value
                changed[prefix + key] = value
                dirty = True
    if dirty:
        _write(path, document.as_string())
    return changed


def _parse(path: Path, text: str) -> Any:
    try:
        import tomlkit
        from tomlkit.exceptions import ParseError
    except ImportError:
        raise MissingExtraError("aws", "sparkify infra") from None
    try:
        return tomlkit.parse(text)
    except ParseError as error:
        raise SettingsError(f"config file {path} is not valid TOML: {error}") from None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"config file {path} cannot be read: {error}") from None


def _write(path: Path, text: str) -> None:
    path = path.resolve()
    temporary = path.with_name(path.name + ".new")
    try:
        temporary.write_text(text, encoding="utf-8")
        if path.exists():
            temporary.chmod(path.stat().st_mode & 0o777)
        os.replace(temporary, path)  # noqa: PTH105
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise SettingsError(
            f"config file {path} cannot be written: {error}", "make it writable and run this again"
        ) from None
