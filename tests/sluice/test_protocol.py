"""A plugin's process has Pulumi's messages, and not its SDK."""

import subprocess
import sys

import pytest

SCRIPT = """
import sys
from sluice import protocol

protocol.alone()
from {plugin} import {name}
from sluice.provider import serve
from pulumi.runtime.proto import provider_pb2

assert provider_pb2.DiffRequest(id="x").id == "x"
loaded = [name for name in sys.modules if name.startswith("pulumi") and not name.startswith("pulumi.runtime.proto")]
assert sorted(loaded) == ["pulumi", "pulumi.runtime"], loaded
assert not hasattr(sys.modules["pulumi"], "Resource")
"""


@pytest.mark.parametrize(
    ("plugin", "name"),
    [("emulator.provider.provider", "AwsProvider"), ("endpoints.rollout.plugin", "provider")],
)
def test_a_plugin_imports_the_messages_alone(plugin: str, name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(plugin=plugin, name=name)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_where_the_sdk_is_loaded_already_it_stays() -> None:
    script = "import pulumi; from sluice import protocol; protocol.alone(); import pulumi; pulumi.Resource"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
