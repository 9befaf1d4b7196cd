"""Every limit on what one SIS may make a reading cost, in one place; each error that one of them causes names it and its cure."""

from __future__ import annotations

#: Tries of one request before the reading gives up.
ATTEMPTS = 6
#: Tries before a row that came a moment ago counts as not there any more.
ATTEMPTS_FOR_A_KNOWN_ROW = 3
#: Seconds to connect, and seconds without a byte.
TIMEOUT = (10.0, 120.0)
#: Seconds for one whole answer, however steadily it drips.
ANSWER_SECONDS = 300.0
#: Seconds that a ``Retry-After`` is heeded at most.
LONGEST_PAUSE = 120.0
#: Bytes of one answer, after it was unpacked: 10,000 records of six kilobytes each.
ANSWER_BYTES = 64 * 2**20
#: Records and values of one answer, counted by their braces and commas: a page of nothing but ``{},`` takes many times its
#: size in memory.
ANSWER_RECORDS, ANSWER_VALUES = 400_000, 1_000_000
#: What to do about an answer that is over a limit however few rows are asked.
CURE = "Tell the SIS's support: no page of so few rows is that large."
#: Bytes of one reading of one collection.
PULL_BYTES = 16 * 2**30
#: Requests for one reading of one collection.
REQUESTS = 20_000
#: No page is made smaller than this because it was too heavy.
SMALLEST_PAGE = 50
#: Bytes of an answer that is only looked at for why it is a refusal, and of a token.
REFUSAL_BYTES = 2**18
