"""Words for synthetic names, and the ways in which the real logs damage names.

Every random decision of the generator uses ``Random.random()``, the only method whose sequence
Python guarantees across versions.
"""

import json
from collections.abc import Sequence
from random import Random
from typing import Final, TypeVar

T = TypeVar("T")


def _words(text: str, separator: str = " ") -> tuple[str, ...]:
    return tuple(text.split(separator))


ADJECTIVES: Final = _words(
    "Blue Broken Burning Cold Crimson Crooked Distant Electric Empty Endless Faded Fearless "
    "Forgotten Frozen Gentle Golden Hidden Hollow Holy Hungry Idle Ivory Last Little Lonely "
    "Lost Lucky Midnight Naked Neon Paper Perfect Quiet Restless Rusty Sacred Secret Silent "
    "Silver Sleepless Slow Sudden Velvet Violent Wandering Wicked Wild Wooden"
)
NOUNS: Final = _words(
    "Angel Arrow Avenue Bird Bridge Candle City Cloud Compass Crown Dancer Desert Diamond Dream "
    "Engine Ember Feather Fire Garden Ghost Harbor Heart Highway Horse House Island Kingdom "
    "Lantern Letter Lion Machine Mirror Moon Mountain Ocean Orchard Parade Queen Rain River "
    "Rocket Rose Sailor Shadow Signal Stranger Summer Thunder Tiger Tower Train Wolf"
)
FIRST_NAMES: Final = tuple(
    (name, gender)
    for gender, names in (
        ("F", "Ava Chloe Elena Jacqueline Kate Kinsley Layla Lily Makinley Tegan Zoë Renée Åsa"),
        ("M", "Austin Avery Bronson Jacob Jayden Kevin Matthew Mohammad Rylan Ryan José Björn"),
    )
    for name in names.split()
)
LAST_NAMES: Final = _words(
    "Arellano Bell Cooper Cuevas George Griffin Harrell Harris Jones Klein Levine Lynch Martinez "
    "Robinson Rodriguez Rosales Smith Young O'Brien García Müller Ødegård"
)
# No word may decode as UTF-8 from its own latin-1 bytes, or the repair would change it. 'BLÅ' and
# 'Voilà' matter: double-encoded they end in U+0085 and U+00A0, which a trim before the repair would
# remove.
EXOTIC_NAMES: Final = _words(
    "Måns,Björk,Sigurrós,Beyonçé,Bodil Å,Jónsi,Łukasz,Françoise,Noël,Mylène,Ødegård,Señora Peña,"
    "宇多田 光,Кино,Μελίνα,Żaneta,Caetano São João,Motörhëad",
    ",",
)
EXOTIC_TITLES: Final = _words(
    "Café,Für Dich,Näcken,Déjà Vu,Corazón,Été,Ça Va,Übermut,På Sjön,BLÅ,Voilà,Coração,夜想曲,"
    "さくら,Тихая Ночь,Θάλασσα,Żal,Niño,Rosé 🎵",
    ",",
)
ENDINGS: Final = (
    " (Live)", " (Album Version)", " (Acoustic)", " [Remix]", " (2004 Digital Remaster)",
    " / Reprise", ' ("Radio" Edit)', " \\ Demo", " Pt. 2", "?",
)  # fmt: skip
# A blank after an ASCII letter keeps NBSP from forming a UTF-8 pair with the character before it.
PADS: Final = (("", " "), (" ", ""), ("", " \u00a0"), ("\u00a0", ""), ("", "\t"), ("\t", "  "))


def quoted(text: str) -> str:
    """A text as a JSON string, in ASCII like the real files."""
    return json.dumps(text)


def pick(rng: Random, items: Sequence[T]) -> T:
    """One of the items, each with the same likelihood."""
    return items[int(rng.random() * len(items))]


def shuffled(rng: Random, items: Sequence[T]) -> list[T]:
    """The items in random order; Random.shuffle may change between versions."""
    out = list(items)
    for last in range(len(out) - 1, 0, -1):
        other = int(rng.random() * (last + 1))
        out[last], out[other] = out[other], out[last]
    return out


def damaged(text: str) -> str:
    """A text encoded as UTF-8 two more times than it should be, as in the real logs."""
    for _ in range(2):
        text = text.encode("utf-8").decode("latin-1")
    return text


def code(prefix: str, letters: int, number: int) -> str:
    """An id of 18 characters in the style of the Million Song Dataset, unique for each ``number``.

    ``prefix`` and ``letters`` (0 .. 26**n) make the first 7 characters, ``number`` (below 2**36)
    the rest: an odd factor permutes the numbers below 2**36.
    """
    for _ in range(7 - len(prefix)):
        letters, digit = divmod(letters, 26)
        prefix += chr(65 + digit)
    return f"{prefix}12{(number * 0x9E3779B1 + 0x8F9311A5B) % 2**36:09X}"


class Wordsmith:
    """Generates names of artists and titles from one random generator."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self._used: set[str] = set()

    def artist(self) -> str:
        """A name that it has not returned before; about one in twelve is not ASCII."""
        rng = self.rng
        kind = rng.random()
        if kind < 0.08:
            name = pick(rng, EXOTIC_NAMES)
        elif kind < 0.4:
            name = f"The {pick(rng, ADJECTIVES)} {pick(rng, NOUNS)}s"
        elif kind < 0.7:
            name = f"{pick(rng, NOUNS)} {pick(rng, LAST_NAMES)}"
        elif kind < 0.72:
            name = f"DJ {pick(rng, NOUNS)}/{pick(rng, NOUNS)}"
        else:
            name = f"{pick(rng, FIRST_NAMES)[0]} {pick(rng, LAST_NAMES)}"
        base = name
        while name in self._used:
            name = f"{base} & The {pick(rng, ADJECTIVES)} {pick(rng, NOUNS)}s"
            if rng.random() < 0.1:
                base = name
        self._used.add(name)
        return name

    def title(self) -> str:
        """A title, not necessarily a new one; about one in fourteen is not ASCII."""
        rng = self.rng
        kind = rng.random()
        if kind < 0.02:
            return "Intro"
        if kind < 0.09:
            title = pick(rng, EXOTIC_TITLES)
            if rng.random() < 0.5:
                title = f"{pick(rng, ADJECTIVES)} {title}"
        elif kind < 0.4:
            title = f"{pick(rng, NOUNS)} of the {pick(rng, ADJECTIVES)} {pick(rng, NOUNS)}"
        elif kind < 0.7:
            title = f"{pick(rng, ADJECTIVES)} {pick(rng, NOUNS)} {pick(rng, NOUNS)}"
        else:
            title = f"{pick(rng, FIRST_NAMES)[0]}'s {pick(rng, ADJECTIVES)} {pick(rng, NOUNS)}"
        return title + pick(rng, ENDINGS) if rng.random() < 0.2 else title
