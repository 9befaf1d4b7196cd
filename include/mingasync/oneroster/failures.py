"""What may go wrong with one answer of an SIS, told apart by what to do about it."""

from __future__ import annotations

from include.mingasync.errors import MingaSyncError, SourceRefused


class AccessRefused(SourceRefused):
    """Who asks is refused, or what is asked is not an SIS that may be spoken to: nothing at all can be read."""


class PassingError(MingaSyncError):
    """A passing fault; ``after`` seconds, if the server said. ``heavy``: a smaller page may help."""

    def __init__(self, cause: str, after: float | None = None, *, heavy: bool = False) -> None:
        super().__init__(cause)
        self.after, self.heavy = after, heavy


class NothingThere(PassingError):
    """No rows where there was one a moment ago."""


class TooMuchAsked(MingaSyncError):
    """The server refuses so many rows at once, or sends more than an answer may hold; ``allowed``: how many it says it gives."""

    def __init__(self, cause: str, cure: str, allowed: int | None = None) -> None:
        super().__init__(cause)
        self.cure, self.allowed = cure, allowed


class NotSharedError(MingaSyncError):
    """The SIS does not share a collection; ``status`` is what it answered, ``code`` OneRoster's word for why, if it gave one."""

    def __init__(self, status: int, code: str | None = None) -> None:
        super().__init__(str(status))
        self.status, self.code = status, code
