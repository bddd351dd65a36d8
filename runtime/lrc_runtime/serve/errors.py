"""What a request is refused with."""


class ApiError(Exception):
    """Becomes an answer of the one shape that all errors have: `{"error": {"code": ..., "message": ...}}`.

    Args:
        status: HTTP status.
        code: One word for programs, which stays the same between versions.
        message: One line for people: what, where, and how to mend it.
        headers: Further headers of the answer.
    """

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = " ".join(message.split())
        self.headers = headers or {}
