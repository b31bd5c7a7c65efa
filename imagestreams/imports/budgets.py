"""The budget of upstream registries that all processes of an installation share, kept in Redis.

One hash a host holds what `upstream.budget.LocalLedger` holds in memory, and the scripts decide as it does; moments are
those of the clock of Redis. While Redis is away, each process goes by what it knows itself.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TypeVar

import redis

from imagestreams.upstream import budget
from imagestreams.upstream.budget import Asker, Ledger, LocalLedger, News, Pace, Ruling, Standing, Verdict

logger = logging.getLogger(__name__)

PREFIX = "registry-meta:upstream:"
KEPT_SECONDS = int(2 * budget.LONGEST_STOP)
TIMEOUT_SECONDS = 0.5
AWAY_SECONDS = 5.0
"""How long Redis is left alone after it failed."""
WORDS = "words"
FIELDS = ("stopped", "pulls", "strikes", "limit", "remaining", "believed")

NOW = """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local function of(name) return tonumber(redis.call('HGET', KEYS[1], name) or '0') or 0 end
local function exact(number) return string.format('%.6f', number) end
"""

ASK = """
local payer, counted, background = ARGV[1], ARGV[2] == '1', ARGV[3] == '1'
local reserve, rate, saved, queue = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local stopped = of('stopped:' .. payer)
if counted then stopped = math.max(stopped, of('pulls:' .. payer)) end
if stopped > now then
    return {'stopped', exact(stopped - now), redis.call('HGET', KEYS[1], 'words:' .. payer) or ''}
end
local believed, remaining = of('believed:' .. payer), of('remaining:' .. payer)
if counted and background and believed > now and remaining <= of('limit:' .. payer) * reserve then
    return {'reserved', exact(believed - now)}
end
local wait = 0
if rate > 0 then
    local due = math.max(of('due'), now - saved)
    wait = math.max(0, due + (background and saved / 2 or 0) - now)
    if background and wait > queue then return {'later', exact(wait)} end
    redis.call('HSET', KEYS[1], 'due', exact(due + 1 / rate))
    redis.call('EXPIRE', KEYS[1], ARGV[8])
end
if counted and remaining > 0 then redis.call('HSET', KEYS[1], 'remaining:' .. payer, exact(remaining - 1)) end
return {'go', exact(wait)}
"""

TELL = """
local payer = ARGV[1]
local function put(name, value) redis.call('HSET', KEYS[1], name .. ':' .. payer, exact(value)) end
if ARGV[5] ~= '' then
    put('limit', tonumber(ARGV[4]))
    put('remaining', tonumber(ARGV[5]))
    put('believed', now + tonumber(ARGV[6]))
end
if ARGV[2] ~= '' then
    local seconds, first, longest, forgiven = tonumber(ARGV[2]), tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
    local past = math.max(of('stopped:' .. payer), of('pulls:' .. payer))
    local strikes = math.max(0, of('strikes:' .. payer) - math.floor(math.max(0, now - past) / forgiven))
    if seconds == 0 and past <= now then strikes = strikes + 1 end
    local pause = seconds > 0 and seconds or math.min(first * tonumber(ARGV[12]) ^ (math.max(strikes, 1) - 1), longest)
    local name = ARGV[3] == '1' and 'pulls' or 'stopped'
    local words = redis.call('HGET', KEYS[1], 'words:' .. payer) or ''
    if (past <= now or words == '') and (ARGV[13] ~= '' or now - past > tonumber(ARGV[14])) then
        redis.call('HSET', KEYS[1], 'words:' .. payer, ARGV[13])
    end
    put('strikes', strikes)
    put(name, math.max(of(name .. ':' .. payer), now + math.min(pause, tonumber(ARGV[10]))))
end
redis.call('EXPIRE', KEYS[1], ARGV[11])
"""

READ = "return {exact(now), redis.call('HGETALL', KEYS[1])}"

Value = TypeVar("Value")


class RedisLedger:
    """A ledger in Redis; every method raises redis.RedisError."""

    def __init__(self, url: str) -> None:
        self._redis = redis.Redis.from_url(
            url, decode_responses=True, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS
        )
        self._ask = self._redis.register_script(NOW + ASK)
        self._tell = self._redis.register_script(NOW + TELL + READ)
        self._read = self._redis.register_script(NOW + READ)

    def ask(self, asker: Asker, pace: Pace) -> Ruling:
        """Say whether somebody may ask, and count him if so."""
        who = (asker.payer, int(asker.counted), int(asker.background))
        row = (budget.RESERVE, pace.per_second, pace.saved_seconds, budget.QUEUE_SECONDS, KEPT_SECONDS)
        said, seconds, *words = self._ask(keys=[PREFIX + asker.host], args=[*who, *row])
        return Ruling(Verdict(said), float(seconds), *words)

    def tell(self, asker: Asker, news: News) -> Standing:
        """Note what an answer says, and return what is known then, with moments as seconds from now."""
        stop = "" if news.stop is None else news.stop
        quota = (news.limit or 0, news.remaining, news.believed_seconds) if news.remaining is not None else (0, "", 0)
        pauses = (budget.FIRST_PAUSE, budget.LONGEST_PAUSE, budget.FORGIVEN_AFTER, budget.LONGEST_STOP, KEPT_SECONDS)
        words = (_encodable(news.words[: budget.LONGEST_WORDS]), budget.WORDS_SECONDS)
        found = self._tell(
            keys=[PREFIX + asker.host],
            args=[asker.payer, stop, int(news.pulls_only), *quota, *pauses, budget.GROWTH, *words],
        )
        return _standings(found)[asker.payer]

    def delay(self, host: str, *, background: bool) -> float:
        """Return the seconds until anybody may pull from a host."""
        standings = list(_standings(self._read(keys=[PREFIX + host])).values())
        return budget.shortest_delay(standings, Asker(host, counted=True, background=background), 0.0)


def _encodable(text: str) -> str:
    """Return a text without the halves of characters that JSON may hold."""
    return text.encode(errors="replace").decode()


def _standings(found: tuple[str, list[str]]) -> dict[str, Standing]:
    """Return what a hash says of each payer, with moments as seconds from now."""
    now, flat = float(found[0]), found[1]
    values: dict[str, dict[str, float]] = {}
    words: dict[str, str] = {}
    for name, value in zip(flat[::2], flat[1::2], strict=True):
        kind, colon, payer = name.partition(":")
        if colon and kind in FIELDS:
            values.setdefault(payer, {})[kind] = float(value)
        elif colon and kind == WORDS:
            words[payer] = value
    return {payer: _standing(fields, words.get(payer, ""), now) for payer, fields in values.items()}


def _standing(fields: dict[str, float], words: str, now: float) -> Standing:
    stopped, pulls, strikes, limit, remaining, believed = (fields.get(name, 0.0) for name in FIELDS)
    known = Standing(stopped, pulls, int(strikes), int(limit), int(remaining), believed, words)
    return budget.relative(known, now)


class SharedLedger:
    """A ledger that others share, and one of this process for the time that the other is away."""

    def __init__(self, shared: RedisLedger) -> None:
        self._shared = shared
        self._local = LocalLedger()
        self._lock = threading.Lock()
        self._away_until = 0.0

    def ask(self, asker: Asker, pace: Pace) -> Ruling:
        """Say whether somebody may ask, and count him if so."""
        return self._either(lambda ledger: ledger.ask(asker, pace))

    def tell(self, asker: Asker, news: News) -> Standing:
        """Note what an answer says, here too, and return what is known then, with moments as seconds from now."""
        known = self._local.tell(asker, news)
        return self._either(lambda ledger: known if ledger is self._local else ledger.tell(asker, news))

    def delay(self, host: str, *, background: bool) -> float:
        """Return the seconds until anybody may pull from a host."""
        return self._either(lambda ledger: ledger.delay(host, background=background))

    def _either(self, act: Callable[[Ledger], Value]) -> Value:
        if time.monotonic() >= self._away_until:
            try:
                return act(self._shared)
            except redis.RedisError as error:
                with self._lock:
                    is_news = time.monotonic() >= self._away_until
                    self._away_until = time.monotonic() + AWAY_SECONDS
                if is_news:
                    logger.warning(
                        "the budget of upstream registries is not shared, Redis is away: %s", type(error).__name__
                    )
        return act(self._local)


def ledger(redis_url: str) -> Ledger:
    """Return the ledger of an installation: shared through Redis if it has one, else of this process."""
    return SharedLedger(RedisLedger(redis_url)) if redis_url else LocalLedger()
