"""Pulumi's protocol without Pulumi's SDK.

A plugin speaks the protocol by the messages in `pulumi.runtime.proto`. Importing them imports `pulumi` first, which is
the SDK for programs: half of a plugin's start, and every command of the engine starts a few.
"""

import sys
from importlib.util import find_spec
from types import ModuleType


def alone() -> None:
    """Let this process import `pulumi.runtime.proto` without the SDK. For the executable of a plugin, before anything
    else: afterwards `import pulumi` gives an empty module here.

    Raises:
        ModuleNotFoundError: if Pulumi is not installed.
    """
    if "pulumi" in sys.modules:
        return
    found = find_spec("pulumi")
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError("No module named 'pulumi'", name="pulumi")
    [folder] = found.submodule_search_locations
    for name, place in (("pulumi", folder), ("pulumi.runtime", f"{folder}/runtime")):
        module = sys.modules[name] = ModuleType(name)
        module.__path__ = [place]
