"""Records about one person, user 10, and others about user 8."""

from __future__ import annotations

import json
from typing import Any

from support.records import event_line, song_line

#: A name that only the person's records contain.
NAME = "Zacharias"
#: Spellings that a load reads as the same user, and those that it refuses on a play.
TAKEN, NOT_TAKEN = (10, "10", "00010", "10.0", 10.0, "1e1"), (" 10 ", "+10", "\u00a010")


def lines(*records: str) -> bytes:
    return "".join(records).encode()


def person(number: int, user: Any = 10, **values: Any) -> str:
    return event_line(
        **{"userId": user, "firstName": NAME, "itemInSession": number, "ts": 1541106106796 + number}
        | values
    )


def other(number: int, **values: Any) -> str:
    return event_line(itemInSession=number, sessionId=7, ts=1541106200000 + number, **values)


#: Refused, by the parser or by a rule, and as far as anyone can see about the person.
REFUSED = (
    *(person(40 + n, user) for n, user in enumerate(NOT_TAKEN)),
    person(50, level="gold"),
    person(51, ts=5),
    f'["{NAME}", {{"user": {{"userId": "10"}}}}]\n',
    json.dumps(person(53)) + "\n",
    person(52).rstrip()[:-1] + "\n",
    f'{{"userId": 8, "userId": "10", "firstName": "{NAME}", "ts": \n',
    f"{{'userId': '10', 'firstName': '{NAME}'}}\n",
    f'{{"firstName": "{NAME}", "userId": [10]}}\n',
    f'{{"firstName": "{NAME}", "userId": "1\\u0030", "page": 7,\n',
)


def fill(source: Any) -> None:
    """Plays of the person and of user 8, refused records of both, a song."""
    taken = [person(number, user) for number, user in enumerate(TAKEN)]
    sound = [*taken, person(20, page="Home"), *(other(n) for n in range(4))]
    source.put("events", "a.json", lines(*sound))
    source.put("events", "b.json", lines(*REFUSED, other(9, level="silver"), '{"userId": 8, "x"\n'))
    source.put("songs", "s.json", song_line().encode())
