"""What a request is told that is not answered."""


class RefusedError(Exception):
    """A request that is not answered with predictions: an HTTP status and one sentence."""

    def __init__(self, status: int, problem: str) -> None:
        self.status = status
        self.problem = problem
        super().__init__(problem)


def bad_row(row: int, field: str, problem: str) -> RefusedError:
    """400 for the value of one field of one row; rows count from 0, as they do in the request's own list."""
    return RefusedError(400, f"row {row}, field {field}: {problem}")
