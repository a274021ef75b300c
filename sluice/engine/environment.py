"""The environment of a run of Pulumi: the one place where its variables are set.

`sluice env` prints it for a shell, so that `pulumi` and any AWS client work by hand as they do under `sluice`.
"""

import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from sluice import paths

LOCAL = "local"
"""The environment of one machine: the emulator as AWS, Pulumi's state in a folder."""
ENDPOINT_URL = "http://127.0.0.1:4566"
REGION = "us-east-1"
PASSPHRASE = "sluice-local"
"""Of the stack files of the environment `local`, which are committed with their salt. It guards nothing: the
emulator holds no secret."""


def selected(environment: Mapping[str, str] = os.environ) -> str:
    """The environment that this shell works on: `SLUICE_ENVIRONMENT`, else `local`."""
    return environment.get("SLUICE_ENVIRONMENT") or LOCAL


def region(environment: Mapping[str, str] = os.environ) -> str:
    """The region that this shell works in."""
    return environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or REGION


def state_folder() -> Path:
    """Where Pulumi's file backend keeps the stacks of the environment `local`."""
    return paths.local() / "state"


def bin_folder() -> Path:
    """Executables of this machine that stand for others, first of all `pulumi-resource-aws` of the emulator."""
    return paths.local() / "bin"


def variables(
    name: str,
    base: Mapping[str, str],
    *,
    cli: Path | None,
    endpoint_url: str = ENDPOINT_URL,
    python: Path | None = None,
) -> dict[str, str]:
    """What `sluice` sets on top of `base` to work on the environment `name`; `base` is left alone.

    For any other environment than `local` it sets neither an AWS endpoint and credentials nor Pulumi's backend:
    those are the account's, and come from the shell or from CI.

    Args:
        name: of the environment.
        base: the variables there are, of which PATH is kept behind our own folders.
        cli: the `pulumi` to use, or None to leave the choice to PATH.
        endpoint_url: where the emulator listens.
        python: the interpreter that runs programs and providers; default the one that runs this.
    """
    python = python or Path(sys.executable)
    local = name == LOCAL
    folders = [str(python.parent)]
    if local:
        folders.append(str(bin_folder()))
    if cli is not None:
        folders.append(str(cli.parent))
    values = {
        "SLUICE_ENVIRONMENT": name,
        "SLUICE_PYTHON": str(python),
        "PATH": _path(folders, base.get("PATH", os.defpath)),
        "PULUMI_HOME": str(paths.local() / "pulumi-home"),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        # The lock file names every plugin's version; nothing is fetched while a program runs.
        "PULUMI_DISABLE_REGISTRY_RESOLVE": "true",
        "PYTHONUNBUFFERED": "1",
    }
    if not local:
        return values
    return {
        **values,
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_BACKEND_URL": state_folder().resolve().as_uri(),
        "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        # A profile of the user's would win over the keys in some clients, and lead to a real account.
        "AWS_PROFILE": "",
        "AWS_SESSION_TOKEN": "",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def complete(name: str, base: Mapping[str, str] = os.environ, *, cli: Path | None = None) -> dict[str, str]:
    """The whole environment of a process that works on `name`. Empty variables are taken away: an empty
    AWS_PROFILE is an unknown profile to botocore."""
    merged = {**base, **variables(name, base, cli=cli, endpoint_url=endpoint(base))}
    return {
        key: value
        for key, value in merged.items()
        if value != "" or key not in ("AWS_PROFILE", "AWS_SESSION_TOKEN")
    }


def apply(name: str | None = None) -> None:
    """Work on the environment in this very process, so that AWS clients made in it go where they must."""
    merged = complete(name or selected(), os.environ)
    for key in set(os.environ) - set(merged):
        del os.environ[key]
    os.environ.update(merged)


def exports(values: Mapping[str, str]) -> str:
    """Lines for `eval` in a POSIX shell."""
    return "\n".join(
        f"export {key}={shlex.quote(value)}" if value else f"unset {key}" for key, value in values.items()
    )


def endpoint(base: Mapping[str, str] = os.environ) -> str:
    """The emulator's address: where `AWS_ENDPOINT_URL` points on this machine, else the usual port. A test or a
    second emulator moves it so; an address elsewhere is not the emulator and is not kept."""
    given = base.get("AWS_ENDPOINT_URL", "")
    return given.rstrip("/") if given.startswith(("http://127.0.0.1:", "http://localhost:")) else ENDPOINT_URL


def _path(first: list[str], rest: str) -> str:
    """`first`, then what of `rest` is not in it: applying it twice changes nothing."""
    return os.pathsep.join(dict.fromkeys([*first, *(part for part in rest.split(os.pathsep) if part)]))
