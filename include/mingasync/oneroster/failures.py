"""What may go wrong with one answer of an SIS, told apart by what to do about it."""

from __future__ import annotations

from include.mingasync.errors import MingaSyncError, SourceRefused


class AccessRefused(SourceRefused):
    """Who asks is refused, or what is asked is not an SIS that may be spoken to: nothing at all can be read."""


class PassingError(MingaSyncError):
    """A passing fault; ``after`` seconds, if the server said. ``heavy``: a smaller page may help; ``too_large``: it broke one."""

    def __init__(self, cause: str, after: float | None = None, *, heavy: bool = False, too_large: bool = False) -> None:
        super().__init__(cause)
        self.after, self.heavy, self.too_large = after, heavy or too_large, too_large


class NothingThere(PassingError):
    """No rows where there was one a moment ago."""


class TooMuchAsked(MingaSyncError):
    """The server refuses how much is asked of it at once; ``allowed`` is what it says it would give, if it says so."""

    def __init__(self, status: int, allowed: int | None) -> None:
        super().__init__(str(status))
        self.status, self.allowed = status, allowed


class NotSharedError(MingaSyncError):
    """The SIS does not share a collection; ``status`` is what it answered, ``code`` OneRoster's word for why, if it gave one."""

    def __init__(self, status: int, code: str | None = None) -> None:
        super().__init__(str(status))
        self.status, self.code = status, code
