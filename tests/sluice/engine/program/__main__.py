"""As many slow things as SLOW_THINGS says."""

import os
from typing import Any

import pulumi


class Thing(pulumi.CustomResource):
    def __init__(self, name: str, properties: dict[str, Any]) -> None:
        super().__init__("slow:index:Thing", name, properties)


class Group(pulumi.ComponentResource):
    def __init__(self, name: str) -> None:
        super().__init__("slow:index:Group", name)


Group("group")
for index in range(int(os.environ["SLOW_THINGS"])):
    Thing(f"thing{index}", {"size": os.environ.get("SLOW_SIZE", "1")})
if os.environ.get("SLOW_WARN"):
    pulumi.log.warn(os.environ["SLOW_WARN"])
if os.environ.get("SLOW_RAISE"):
    raise RuntimeError(os.environ["SLOW_RAISE"])
