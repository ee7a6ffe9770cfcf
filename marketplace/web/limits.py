"""How much one caller, and one address, may ask for in a minute.

Each process counts for itself, in memory: behind a balancer the limits add up.
"""

from __future__ import annotations

import hashlib
import math
import time

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from marketplace.errors import TooMany
from marketplace.web import problems
from marketplace.web.callers import token_of

_SIGN_IN = ("/api/session", "/sign-in")
_FREE = ("/static/", "/healthz")
# From one address: a site has many people, and many nodes.
ADDRESS_TIMES = 10


class LimitRates:
    """Refuses what is too much, with 429 and Retry-After, before anything is looked up.

    Args:
        app: what comes after.
        per_minute: requests of one caller, by his token; of one address, ten times as many.
        sign_ins_per_minute: attempts to sign in, from one address.
    """

    def __init__(self, app: ASGIApp, per_minute: int, sign_ins_per_minute: int) -> None:
        self._app = app
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._caller = RateLimitItemPerMinute(per_minute)
        self._address = RateLimitItemPerMinute(per_minute * ADDRESS_TIMES)
        self._sign_in = RateLimitItemPerMinute(sign_ins_per_minute)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(_FREE):
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        for limit, who in self._applying(request):
            if not self._limiter.hit(limit, who):
                error = TooMany(
                    f"more than {limit.amount} requests in a minute", hint="wait, then go on"
                )
                reset_s = self._limiter.get_window_stats(limit, who).reset_time - time.time()
                after = {"Retry-After": str(max(1, math.ceil(reset_s)))}
                await problems.answer(problems.document(error), after)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _applying(self, request: Request) -> list[tuple[RateLimitItemPerMinute, str]]:
        address = request.client.host if request.client else ""
        found = [(self._address, f"address {address}")]
        if request.method == "POST" and request.url.path.startswith(_SIGN_IN):
            found.append((self._sign_in, f"sign-in {address}"))
        if token := token_of(request):
            # Not the token itself: what is counted lies in memory, and memory gets into dumps.
            found.append((self._caller, hashlib.sha256(token.encode()).hexdigest()))
        return found
