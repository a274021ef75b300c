"""AWS's errors, for actions of ours on any service of moto."""

from moto.core.exceptions import ServiceException


class RefusalError(ServiceException):
    """An error that a client of AWS gets: its code and its message.

    A class of our own: moto looks for the error's service by the module of its class, and knows none of that name
    in its core.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
