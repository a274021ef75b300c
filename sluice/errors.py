"""The one kind of error that a user sees."""


class SluiceError(Exception):
    """A problem stated for its reader: what it is about, which rule it breaks, and the way out.

    Its text is one sentence or more, without a traceback; the command prints it and exits 1.
    """

    def __init__(self, problem: str, way_out: str | None = None) -> None:
        self.problem = problem
        self.way_out = way_out
        super().__init__(problem if way_out is None else f"{problem.rstrip('.')}. {way_out}")
