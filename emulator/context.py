"""What every area of the emulator gets when it is installed in the control process."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from emulator.api import Api
from emulator.faults.book import Faults
from emulator.settings import Settings
from emulator.spawned import Spawned
from sluice.clock import Clock, SystemClock

ACCOUNT = "123456789012"
REGION = "us-east-1"


@dataclass(frozen=True)
class Context:
    """One running emulator, as its control process sees it."""

    root: Path
    """The data folder."""
    control_url: str
    """This process, without the router before it: for calls from inside the emulator."""
    endpoint_url: str
    """The public address: for what runs as a user of AWS, such as jobs."""
    boot_id: str
    account: str = ACCOUNT
    region: str = REGION
    clock: Clock = field(default_factory=SystemClock)
    settings: Settings = field(default_factory=Settings)
    spawned: Spawned = field(default_factory=Spawned)
    api: Api = field(default_factory=Api)

    @cached_property
    def faults(self) -> Faults:
        """What an operator has injected."""
        return Faults(self.clock)

    @property
    def logs(self) -> Path:
        """The folder of logs."""
        return self.root / "logs"

    def arn(self, service: str, resource: str) -> str:
        """`arn:aws:<service>:<region>:<account>:<resource>`."""
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"
