"""The plugin's process: `python -m emulator.provider <engine address>`."""

from sluice import protocol

# What follows imports the messages, and must not import the SDK.
protocol.alone()

from emulator.provider.provider import AwsProvider  # noqa: E402
from sluice.provider import serve  # noqa: E402

if __name__ == "__main__":
    serve(AwsProvider())
