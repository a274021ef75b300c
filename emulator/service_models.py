"""The models of AWS's services, which botocore reads."""

import functools

from botocore import session


def share() -> None:
    """Let every botocore session of this process read each model once. moto makes a session for each service that it
    serves, and a session alone parses megabytes anew."""
    if not hasattr(session.create_loader, "cache_info"):
        session.create_loader = functools.cache(session.create_loader)
