"""The charts of the report: plays by time, song, artist and place, levels, matches."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from .base import table_of
from .declare import Chart
from .star import DAYS, Songplay, Time, User

PLAYS, MOMENTS, USERS = table_of(Songplay), table_of(Time), table_of(User)
#: Rows of a ranking.
MOST = 10
#: Classes of session lengths: the greatest number of plays in each.
SESSION_CLASSES = (1, 5, 10, 20, 50, 100)


def _count() -> sa.ColumnElement[Any]:
    return sa.func.count().label("plays")


def _where(condition: sa.ColumnElement[bool], name: str) -> sa.ColumnElement[Any]:
    return sa.func.sum(sa.case((condition, 1), else_=0)).label(name)


def _by_day(plays: sa.FromClause, *series: sa.ColumnElement[Any]) -> sa.Select[Any]:
    day = (MOMENTS.c.year, MOMENTS.c.month, MOMENTS.c.day)
    joined = plays.join(MOMENTS, MOMENTS.c.start_time == plays.c.start_time)
    return sa.select(*day, *series).select_from(joined).group_by(*day).order_by(*day)


def _ranking(*names: sa.ColumnElement[Any]) -> sa.Select[Any]:
    given = sa.and_(*(name.is_not(None) for name in names))
    plays = _count()
    return (
        sa.select(*names, plays)
        .where(given)
        .group_by(*names)
        .order_by(plays.desc(), *names)
        .limit(MOST)
    )


def plays_by_day() -> sa.Select[Any]:
    """Plays of each day, by level at the time of the play."""
    return _by_day(PLAYS, _where(PLAYS.c.level == "free", "free"), _where(_paid(PLAYS), "paid"))


def _paid(rows: sa.FromClause) -> sa.ColumnElement[bool]:
    return rows.c.level == "paid"


def plays_by_hour() -> sa.Select[Any]:
    """Plays of each weekday and hour."""
    slot = (MOMENTS.c.weekday, MOMENTS.c.hour)
    joined = PLAYS.join(MOMENTS, MOMENTS.c.start_time == PLAYS.c.start_time)
    return sa.select(*slot, _count()).select_from(joined).group_by(*slot).order_by(*slot)


def level_changes() -> sa.Select[Any]:
    """Plays of each day whose level differs from that of the user's previous play."""
    before = (
        sa.func.lag(PLAYS.c.level)
        .over(
            partition_by=PLAYS.c.user_id,
            order_by=(PLAYS.c.start_time, PLAYS.c.session_id, PLAYS.c.item_in_session),
        )
        .label("before")
    )
    followed = sa.select(PLAYS.c.start_time, PLAYS.c.level, before).subquery("followed")
    changed = sa.select(followed).where(followed.c.before != followed.c.level).subquery("changed")
    return _by_day(
        changed,
        _where(_paid(changed), "to paid"),
        _where(changed.c.level == "free", "to free"),
    )


def matches() -> sa.Select[Any]:
    """Plays of each day by what the catalogue knows about them."""
    song, artist = PLAYS.c.song_id, PLAYS.c.artist_id
    return _by_day(
        PLAYS,
        _where(song.is_not(None), "song known"),
        _where(sa.and_(song.is_(None), artist.is_not(None)), "artist known"),
        _where(artist.is_(None), "neither known"),
    )


def sessions() -> sa.Select[Any]:
    """Sessions by their number of plays."""
    each = (
        sa.select(sa.func.count().label("plays"))
        .select_from(PLAYS)
        .group_by(PLAYS.c.session_id)
        .subquery("each")
    )
    names, floor = [], 1
    for greatest in SESSION_CLASSES:
        names.append(f"{floor} to {greatest}" if floor < greatest else str(greatest))
        floor = greatest + 1
    bounds = list(zip(SESSION_CLASSES, names, strict=True))
    order = sa.case(*((each.c.plays <= most, most) for most, _ in bounds), else_=floor).label(
        "least"
    )
    classed = sa.select(order).subquery("classed")
    name = sa.case(
        *((classed.c.least == most, text) for most, text in bounds), else_=f"{floor} and more"
    ).label("plays")
    return (
        sa.select(name, sa.func.count().label("sessions"))
        .group_by(classed.c.least)
        .order_by(classed.c.least)
    )


def users() -> sa.Select[Any]:
    """Users by level and gender."""
    gender = sa.func.coalesce(USERS.c.gender, "not given").label("gender")
    group = (USERS.c.level, gender)
    return (
        sa.select(*group, sa.func.count().label("users"))
        .group_by(USERS.c.level, USERS.c.gender)
        .order_by(USERS.c.level, gender)
    )


#: In the order in which the report shows them.
CHARTS = (
    Chart(
        "plays_by_day",
        "Plays by day",
        "Plays by the level of the user at the time.",
        "days",
        plays_by_day,
    ),
    Chart(
        "plays_by_hour",
        "Plays by weekday and hour",
        "When is music played? Hours are UTC.",
        "grid",
        plays_by_hour,
        rows=dict(enumerate(DAYS, 1)),
        columns={hour: str(hour) for hour in range(24)},
    ),
    Chart(
        "level_changes",
        "Changes of level",
        "Plays whose level differs from the user's previous play: upgrades and downgrades.",
        "days",
        level_changes,
    ),
    Chart(
        "matches",
        "Plays that match the catalogue",
        "A play matches a song by title and credited artist, or else an artist by name.",
        "days",
        matches,
    ),
    Chart(
        "top_songs",
        "Most played songs",
        "By title and artist as played.",
        "ranking",
        lambda: _ranking(PLAYS.c.song_title, PLAYS.c.artist_name),
        names=2,
    ),
    Chart(
        "top_artists",
        "Most played artists",
        "By the name as played.",
        "ranking",
        lambda: _ranking(PLAYS.c.artist_name),
    ),
    Chart(
        "sessions",
        "Session lengths",
        "Sessions by their number of plays.",
        "ranking",
        sessions,
    ),
    Chart("users", "Users", "By level and gender, as last seen.", "ranking", users, names=2),
    Chart(
        "places",
        "Places with the most plays",
        "By location of the user.",
        "ranking",
        lambda: _ranking(PLAYS.c.location),
    ),
    Chart(
        "browsers",
        "Browsers with the most plays",
        "By user agent as given.",
        "ranking",
        lambda: _ranking(PLAYS.c.user_agent),
    ),
)
