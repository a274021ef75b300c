"""IAM and STS beyond moto."""

from emulator.context import Context


def install(context: Context) -> None:
    """Nothing yet."""
