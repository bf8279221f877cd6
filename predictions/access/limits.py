"""Limits: bytes in a request, work of a caller in a minute, threads for long work."""

from __future__ import annotations

import functools
import ipaddress
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import F
from django.http import HttpRequest, HttpResponseBase
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from predictions.errors import Declined, TooMany
from predictions.glyphs.images import pixels_of
from predictions.models import RequestCount
from predictions.refusals import problem, refusal_page

BODY_LIMIT = 3_000_000  # bytes; an image of 2 MB as a data URL, and its envelope
BATCH_BODY_LIMIT = 48_000_000  # bytes
SECONDS = 60
COUNTS_KEPT_FOR = 120  # minutes; no limit looks back further
# A picture costs 1 for every this many pixels: to decode them (up to 12 ns each) takes as long as
# the rest of a request.
PIXELS_OF_ONE = 300_000
# The most one request may cost, even if no limit is set: the longest list of drawings an endpoint
# takes, or 71 of the largest images. These are decoded in 4 s; a proxy waits for 30 s.
MOST_COST = 1_000

UNKNOWN = "0.0.0.0"  # noqa: S104  (if the address is invalid; all such callers count as one)
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Busy(Declined):
    """All slots for long work are taken."""

    code = "busy"
    retry_after = 2  # seconds


def address_of(request: Any) -> str:
    """The caller's address; a forwarded one is trusted only if our own proxies added it."""
    return str(read_address(BaseThrottle().get_ident(request) or ""))


def network_of(request: Any) -> str:
    """What limits and lockouts count as one caller: an IPv4 address, or a /64 of IPv6.

    A provider gives each customer at least a /64, and the customer may use any address in it.
    """
    address = ipaddress.ip_address(address_of(request))
    if address.version == 4:
        return str(address)
    return str(ipaddress.IPv6Network((address, 64), strict=False).network_address)


def read_address(told: str) -> Address:
    """Parse an address as proxies write it: with a port, a zone or brackets."""
    if told.startswith("["):
        told = told[1:].partition("]")[0]
    elif told.count(":") == 1:
        told = told.partition(":")[0]
    try:
        address = ipaddress.ip_address(told.partition("%")[0])
    except ValueError:
        return ipaddress.ip_address(UNKNOWN)
    return getattr(address, "ipv4_mapped", None) or address


def caller_of(request: HttpRequest | Request) -> str:
    if request.user.is_authenticated:
        return f"user {request.user.pk}"
    return f"address {network_of(request)}"


class Slots:
    """A semaphore, so that long work uses only a share of this process's threads.

    A request that finds no free slot is refused at once, because waiting would hold a thread as
    well.
    """

    def __init__(self, most: int) -> None:
        self._free = threading.BoundedSemaphore(most)
        self._mine = threading.local()

    @contextmanager
    def take(self) -> Iterator[None]:
        """Hold a slot while the block runs; a nested call needs no second slot."""
        if getattr(self._mine, "is_taken", False):
            yield
            return
        if not self._free.acquire(blocking=False):
            raise Busy(f"Too many large requests are running. Try again in {Busy.retry_after} s.")
        self._mine.is_taken = True
        try:
            yield
        finally:
            self._mine.is_taken = False
            self._free.release()


@functools.cache
def slots() -> Slots:
    """Slots for half of the threads, at least one."""
    return Slots(max(1, settings.WEB_THREADS // 2))


class BodyLimitMiddleware:
    """Checks the Content-Length of a request before its body is read.

    A body above the limit of its endpoint is refused; a body above BODY_LIMIT needs a slot.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if length_of(request) <= BODY_LIMIT:
            response = self.get_response(request)
        else:
            try:
                with slots().take():
                    response = self.get_response(request)
            except Busy as busy:
                response = refusal_page(request, busy)
        if response.status_code >= 400 and settings.PROXY_COUNT:
            pass_over_body(request)
        return response

    def process_view(
        self, request: HttpRequest, view: Any, args: Any, kwargs: Any
    ) -> HttpResponseBase | None:
        limit = getattr(getattr(view, "cls", None), "body_limit", BODY_LIMIT)
        if length_of(request) <= limit:
            return None
        message = f"The request is larger than the {limit / 1e6:.0f} MB accepted here."
        return problem(request, "too_large", message, status=413)

    def process_exception(
        self, request: HttpRequest, exception: Exception
    ) -> HttpResponseBase | None:
        """Answer Busy and UsedUp from pages; endpoints answer these themselves."""
        return refusal_page(request, exception) if isinstance(exception, Busy | UsedUp) else None


def length_of(request: HttpRequest) -> int:
    return int(request.META.get("CONTENT_LENGTH") or 0)


def pass_over_body(request: HttpRequest) -> None:
    """Read the rest of a refused body: a proxy that cannot send all of it would answer 502.

    The proxy has buffered the whole body, so no thread waits for a slow caller.
    """
    with suppress(OSError):
        while length_of(request) <= BATCH_BODY_LIMIT and request.read(1 << 20):
            pass


def cost_of(pixels: int) -> int:
    """What a picture of this many pixels costs against the limits."""
    return max(1, -(-pixels // PIXELS_OF_ONE))


def cost_of_each(images: Iterable[bytes]) -> int:
    return max(1, sum(cost_of(pixels_of(image)) for image in images))


class Quota:
    """Counts requests a minute over all processes, exactly, without a write for each request.

    A process reserves a block of requests in the shared count with one conditional statement, and
    then counts them in memory. A block is an eighth of what is left, but enough for the current
    request, so the limit is never exceeded. The minute is a sliding window: the previous minute
    counts by the share of it that is within the last 60 seconds.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._minute = 0
        self._blocks: dict[str, int] = {}  # caller to what is left of its block
        self._last_minute: dict[str, int] = {}  # caller to what it took in the minute before
        self._shared: dict[str, int] = {}  # caller to what was left for all after the last block

    def forget(self) -> None:
        with self._lock:
            self._minute = 0
            self._blocks.clear()
            self._last_minute.clear()
            self._shared.clear()

    def take(self, caller: str, limit: int, *, cost: int = 1, now: float | None = None) -> float:
        """Return the seconds to wait; 0 if the request may go on."""
        now = time.time() if now is None else now
        minute, elapsed = int(now // SECONDS), now % SECONDS
        with self._lock:
            if minute != self._minute:
                self._minute = minute
                self._blocks.clear()
                self._last_minute.clear()
                self._shared.clear()
            left = self._blocks.get(caller, 0)
            if left < cost:
                left += self._take_block(caller, minute, limit, elapsed, cost - left)
            if left < cost:
                self._blocks[caller] = left
                return self._wait(limit, elapsed)
            self._blocks[caller] = left - cost
            return 0.0

    def _take_block(self, caller: str, minute: int, limit: int, elapsed: float, wanted: int) -> int:
        if caller not in self._last_minute:
            self._last_minute[caller] = taken_in(caller, minute - 1)
        before = self._last_minute[caller] * (1 - elapsed / SECONDS)
        allowed = int(limit - before)
        spare = allowed - taken_in(caller, minute)
        for block in (max(wanted, spare // 8), wanted):
            if take_atomically(caller, minute, block, allowed):
                self._shared[caller] = max(spare - block, 0)
                return block
        self._shared[caller] = 0
        return 0

    def left(self, caller: str) -> int:
        """About how many requests are left this minute, without a query."""
        with self._lock:
            return self._blocks.get(caller, 0) + self._shared.get(caller, 0)

    def _wait(self, limit: int, elapsed: float) -> float:
        return max(1.0, min(SECONDS - elapsed, SECONDS / max(limit, 1)))


def taken_in(caller: str, minute: int) -> int:
    counts = RequestCount.objects.filter(caller=caller, minute=minute)
    return counts.values_list("taken", flat=True).first() or 0


def take_atomically(caller: str, minute: int, block: int, allowed: int) -> bool:
    """Add a block to the shared count if that stays within `allowed`, in one statement."""
    if block > allowed:
        return False
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO predictions_requestcount AS shared (caller, minute, taken)"
            " VALUES (%s, %s, %s) ON CONFLICT (caller, minute)"
            " DO UPDATE SET taken = shared.taken + excluded.taken"
            " WHERE shared.taken + excluded.taken <= %s",
            [caller, minute, block, allowed],
        )
        return bool(cursor.rowcount == 1)


quota = Quota()


class UsedUp(Declined):
    """The caller has used up a limit for a period of time."""

    code = "too_many_requests"

    def __init__(self, told: str, *, wait_seconds: float) -> None:
        self.retry_after = int(wait_seconds) + 1
        minutes = -(-self.retry_after // SECONDS)
        left = f"{minutes} min" if minutes > 1 else f"{self.retry_after} s"
        super().__init__(f"{told} Try again in {left}.")


@dataclass(frozen=True)
class Allowance:
    """A limit for each caller in fixed periods, counted exactly over all processes."""

    name: str
    most: int
    minutes: int
    told: str  # begins the refusal: what was used up

    def take(self, caller: str) -> None:
        now = time.time()
        if not take_atomically(self.key(caller), self.span(now), 1, self.most):
            ends_at = (self.span(now) + self.minutes) * SECONDS
            told = f"{self.told} in {self.minutes} minutes."
            raise UsedUp(told, wait_seconds=ends_at - now)

    def give_back(self, caller: str) -> None:
        taken = RequestCount.objects.filter(caller=self.key(caller), taken__gt=0)
        taken.filter(minute=self.span(time.time())).update(taken=F("taken") - 1)

    def key(self, caller: str) -> str:
        return f"{self.name} {caller}"

    def span(self, now: float) -> int:
        """The minute in which the current period began."""
        return int(now // SECONDS) // self.minutes * self.minutes


def forget_old_counts() -> int:
    """Delete counts that no limit needs any more; return how many."""
    old = RequestCount.objects.filter(minute__lt=int(time.time() // SECONDS) - COUNTS_KEPT_FOR)
    return old.delete()[0]


class CallerThrottle(BaseThrottle):
    """Limits each caller's work a minute, by the setting that the subclass names."""

    setting: str
    wait_seconds = 0.0
    caller = ""  # empty if there is no limit

    def allow_request(self, request: Request, view: Any) -> bool:
        return self.charge(request, lambda: view.cost_of(request))

    def charge(self, request: HttpRequest | Request, cost: Callable[[], int]) -> bool:
        """Count the cost of a request if it may go on; MOST_COST holds even without a limit."""
        limit = getattr(settings, self.setting)
        wanted, most = cost(), min(limit or MOST_COST, MOST_COST)
        if wanted > most:
            raise TooMany(
                f"These images cost {wanted:,}, and one request at most {most:,}: one for every "
                f"{PIXELS_OF_ONE:,} pixels, and at least one each. Send fewer at once."
            )
        if not limit:
            return True
        self.caller = f"{self.setting} {caller_of(request)}"
        self.wait_seconds = quota.take(self.caller, limit, cost=wanted)
        return self.wait_seconds == 0

    def headers(self) -> dict[str, str]:
        """The limit and what is left of it, so that a program can slow down in time."""
        if not self.caller:
            return {}
        name = self.setting.removesuffix("_PER_MINUTE").lower()
        limit, left = getattr(settings, self.setting), quota.left(self.caller)
        until = max(1, round(self.wait_seconds or SECONDS - time.time() % SECONDS))
        return {
            "RateLimit-Policy": f'"{name}";q={limit};w={SECONDS}',
            "RateLimit": f'"{name}";r={left};t={until}',
        }

    def wait(self) -> float:
        return self.wait_seconds


class CaptureThrottle(CallerThrottle):
    setting = "CAPTURES_PER_MINUTE"


class PreviewThrottle(CallerThrottle):
    setting = "PREVIEWS_PER_MINUTE"


def charge_pixels(request: HttpRequest | Request, pixels: int) -> None:
    """Charge for pixels as the throttle does, where their number is known only later."""
    throttle = CaptureThrottle()
    if not throttle.charge(request, lambda: cost_of(pixels)):
        raise UsedUp(
            "You send more requests than this server allows.", wait_seconds=throttle.wait()
        )
