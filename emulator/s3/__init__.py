"""S3 that evaluates bucket policies, refuses what AWS refuses and reads back what was put."""

from emulator.context import Context
from emulator.s3 import access, log_delivery, objects


def install(context: Context) -> None:
    """Patch moto's S3 in this process."""
    access.install(context)
    objects.install(context)
    log_delivery.install(context)
