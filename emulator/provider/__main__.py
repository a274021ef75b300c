"""The plugin's process: `python -m emulator.provider <engine address>`."""

from emulator.provider.provider import AwsProvider
from sluice.provider import serve

if __name__ == "__main__":
    serve(AwsProvider())
