"""Synthetic users and their sessions, hour by hour, in bounded memory."""

from bisect import bisect, bisect_left
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import accumulate
from random import Random
from typing import Final, TypeAlias

from .songs import Repertoire
from .text import FIRST_NAMES, LAST_NAMES, pick, quoted, shuffled

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
Y2K_MS: Final = 946_684_800_000

# Shares in the real logs, without the pages that necessarily follow another page (Home after
# Login, Submit after Upgrade or Downgrade).
_PLAY_SHARE: Final = 6820 / 7660
_PADDED: Final = 0.002
_DAMAGED: Final = 0.6
_PAGES: Final = {  # method with page, status
    page: (f',"method":"{method}","page":"{page}"', f',"status":{status},"ts":')
    for page, method, status in (
        ("NextSong", "PUT", 200), ("Home", "GET", 200), ("Login", "PUT", 307),
        ("Logout", "PUT", 307), ("Downgrade", "GET", 200), ("Settings", "GET", 200),
        ("Help", "GET", 200), ("About", "GET", 200), ("Upgrade", "GET", 200),
        ("Save Settings", "PUT", 307), ("Error", "GET", 404),
        ("Submit Upgrade", "PUT", 307), ("Submit Downgrade", "PUT", 307),
    )
}  # fmt: skip
_Table: TypeAlias = tuple[list[str], list[int]]


def _table(**weights: int) -> _Table:
    return [name.replace("_", " ") for name in weights], list(accumulate(weights.values()))


_COMMON: Final = {
    "Home": 535, "Logout": 90, "Settings": 56, "Help": 38, "About": 22, "Save_Settings": 10,
    "Error": 9,
}  # fmt: skip
_LOGGED_IN: Final = {
    "free": _table(**_COMMON, Upgrade=95),
    "paid": _table(**_COMMON, Downgrade=77),
}
_LOGGED_OUT: Final = _table(Home=150, Login=120, About=14, Help=9)
_LEVELS: Final = {"free": ',"level":"free"', "paid": ',"level":"paid"'}
_HOURS: Final = (
    7, 6, 5, 4, 4, 4, 5, 6, 8, 9, 10, 11, 12, 13, 15, 17, 18, 17, 15, 13, 12, 11, 10, 9,
)  # fmt: skip
_METROS: Final = (
    "Dallas-Fort Worth-Arlington, TX", "Tampa-St. Petersburg-Clearwater, FL", "Eugene, OR",
    "San Francisco-Oakland-Hayward, CA", "Sacramento--Roseville--Arden-Arcade, CA",
    "Janesville-Beloit, WI", "New York-Newark-Jersey City, NY-NJ-PA", "Lansing-East Lansing, MI",
    "Atlanta-Sandy Springs-Roswell, GA", "Portland-South Portland, ME", "Mayagüez, PR",
    "Cañon City, CO", "Chicago-Naperville-Elgin, IL-IN-WI",
)  # fmt: skip
_AGENTS: Final = (
    '"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_9_4) AppleWebKit/537.78.2 (KHTML, like Gecko) '
    'Version/7.0.6 Safari/537.78.2"',
    '"Mozilla/5.0 (Windows NT 6.1; WOW64) AppleWebKit/537.36 (KHTML, like Gecko) '
    'Chrome/36.0.1985.125 Safari/537.36"',
    "Mozilla/5.0 (compatible; MSIE 10.0; Windows NT 6.2; WOW64; Trident/6.0)",
    "Mozilla/5.0 (Windows NT 6.1; rv:31.0) Gecko/20100101 Firefox/31.0",
    '"Mozilla/5.0 (iPhone; CPU iPhone OS 7_1_2 like Mac OS X) AppleWebKit/537.51.2 (KHTML, like '
    'Gecko) Version/7.0 Mobile/11D257 Safari/9537.53"',
)

# The text before itemInSession, length, method, sessionId, and after ts.
_Parts: TypeAlias = tuple[str, str, str, str, str]
_ANONYMOUS: Final[_Parts] = (
    ',"auth":"Logged Out","firstName":null,"gender":null,"itemInSession":',
    ',"lastName":null,"length":',
    ',"location":null',
    ',"registration":null,"sessionId":',
    ',"userAgent":null,"userId":""}',
)


def epoch_ms(day: date) -> int:
    """Milliseconds since 1970 of the beginning of a day, UTC."""
    return (day.toordinal() - date(1970, 1, 1).toordinal()) * DAY_MS


class _User:
    __slots__ = ("busy_until", "level", "parts", "seen_level")

    def __init__(self, rng: Random, number: int, paid: float, start_ms: int) -> None:
        first, gender = pick(rng, FIRST_NAMES)
        last, location, agent = pick(rng, LAST_NAMES), pick(rng, _METROS), pick(rng, _AGENTS)
        registered = max(Y2K_MS, start_ms - 1 - int(rng.random() * 120 * DAY_MS))
        self.parts: _Parts = (
            f',"auth":"Logged In","firstName":{quoted(first)},"gender":"{gender}","itemInSession":',
            f',"lastName":{quoted(last)},"length":',
            f',"location":{quoted(location)}',
            f',"registration":{registered}.0,"sessionId":',
            f',"userAgent":{quoted(agent)},"userId":"{number}"}}',
        )
        self.level = "paid" if rng.random() < paid else "free"
        self.busy_until = start_ms
        self.seen_level = ""  # at the newest logged-in event; '' if there is none


class Simulation:
    """Sessions of synthetic users; counts what it generates.

    Sessions of one user do not overlap and time advances within a session, so ts alone orders
    the events of a user.
    """

    def __init__(
        self, rng: Random, repertoire: Repertoire, events: int, days: int, start: date
    ) -> None:
        self.events = events
        self.generated = 0
        self.logged_out = 0
        self.distinct_ts = 0
        self._rng = rng
        self._repertoire = repertoire
        self.days = days
        self._start = start
        self._start_ms = epoch_ms(start)
        self._end_ms = self._start_ms + days * DAY_MS
        self._pending: list[tuple[int, str]] = []
        self._sessions = 0
        self._echo: tuple[int, _User] | None = (
            None  # a recent play, whose ts another user may share
        )

        count = 1 + events // 80
        ranks = [1.0 / (rank + 3 + count / 100) for rank in range(count)]
        self._weights = list(accumulate(ranks))
        self._users = [
            _User(rng, number + 1, 0.6 if rank * 8 < count else 0.12, self._start_ms)
            for rank, number in enumerate(shuffled(rng, range(count)))
        ]

    def users_by_level(self) -> dict[str, int]:
        """Number of users with a logged-in event, by the level at their newest one."""
        levels = [user.seen_level for user in self._users]
        return {level: levels.count(level) for level in ("free", "paid")}

    def hours(self) -> Iterator[tuple[date, list[str]]]:
        """Runs the simulation: (day, lines ordered by ts) for every hour of every day."""
        weights: list[float] = []
        for day in range(self.days):
            weekend = (self._start + timedelta(days=day)).isoweekday() > 5
            factor = (0.5 + self._rng.random()) * (0.6 if weekend else 1.0)
            weights += [hour * factor for hour in _HOURS]
        cumulated = list(accumulate(weights))
        last = len(cumulated) - 1
        for slot, weight in enumerate(cumulated):
            begin = self._start_ms + slot * HOUR_MS
            target = self.events if slot == last else int(self.events * weight / cumulated[-1])
            while self.generated < target:
                self._begin_session(begin)
            # Later sessions begin later, so this hour is complete.
            self._pending.sort()
            cut = bisect_left(self._pending, (begin + HOUR_MS,))
            rows, self._pending = self._pending[:cut], self._pending[cut:]
            self.distinct_ts += len({ts for ts, _ in rows})
            yield self._start + timedelta(days=slot // 24), [line for _, line in rows]

    def _begin_session(self, begin: int) -> None:
        random = self._rng.random
        ts = begin + int(random() * HOUR_MS)
        user = self._idle_user(ts)
        if random() < 0.01 and self._echo is not None:
            echo, other = self._echo
            if echo >= begin and other is not user and user.busy_until <= echo:
                self._play_session(user, echo, True)
                return
        self._play_session(user, ts, False)

    def _idle_user(self, ts: int) -> _User:
        known = len(self._weights) - 1
        for _ in range(8):
            lot = self._rng.random() * self._weights[known]
            user = self._users[bisect(self._weights, lot, 0, known)]
            if user.busy_until <= ts:
                return user
        self._users.append(_User(self._rng, len(self._users) + 1, 0.12, self._start_ms))
        return self._users[-1]

    def _play_session(self, user: _User, ts: int, play_first: bool) -> None:
        random = self._rng.random
        repertoire = self._repertoire
        works, weights, hits = repertoire.fragments, repertoire.weights, repertoire.hits
        heaviest, top = weights[-1], len(weights) - 1
        pending, end = self._pending, self._end_ms
        session = self._sessions = self._sessions + 1
        level = user.level
        tail = 2.6 if level == "paid" else 1.2
        items = min(1 + int(tail / (random() + 0.02)), self.events - self.generated)
        inside = play_first or random() >= 0.06
        forced = "NextSong" if play_first else ""
        item = 0
        while item < items and ts < end:
            lot = 1.0
            if forced:
                page, forced = forced, ""
            elif inside:
                lot = random()
                if lot < _PLAY_SHARE:
                    page = "NextSong"
                else:
                    names, sums = _LOGGED_IN[level]
                    page = names[bisect(sums, random() * sums[-1], 0, len(sums) - 1)]
            else:
                names, sums = _LOGGED_OUT
                page = names[bisect(sums, random() * sums[-1], 0, len(sums) - 1)]

            if inside:
                head, name, place, registration, agent = user.parts
                user.seen_level = level
            else:
                head, name, place, registration, agent = _ANONYMOUS
                self.logged_out += 1
            if page == "NextSong":
                number = bisect(weights, random() * heaviest, 0, top)
                hits[number] += 1
                artist, length, song, gap = works[number]
                if lot < _PADDED:
                    pad = int(random() * 24)
                    artist, song = repertoire.padded(number, pad, random() < _DAMAGED)
                elif repertoire.exotic[number] and random() < _DAMAGED:
                    artist, song = repertoire.damaged(number)
                self._echo = ts, user
            else:
                artist = length = song = "null"
                gap = 1000 + int(random() * 90_000)
            request, status = _PAGES[page]
            pending.append(
                (
                    ts,
                    f'{{"artist":{artist}{head}{item}{name}{length}{_LEVELS[level]}{place}{request}'
                    f'{registration}{session},"song":{song}{status}{ts}{agent}',
                )
            )
            item += 1
            ts += gap

            if page == "Upgrade" and random() < 0.38:
                forced = "Submit Upgrade"
            elif page == "Downgrade" and random() < 0.1:
                forced = "Submit Downgrade"
            elif page in ("Submit Upgrade", "Submit Downgrade"):
                level = user.level = "paid" if page == "Submit Upgrade" else "free"
                forced = "Home"
            elif page == "Login":
                inside, forced = True, "Home"
            elif page == "Logout":
                inside = False
        self.generated += item
        user.busy_until = ts
