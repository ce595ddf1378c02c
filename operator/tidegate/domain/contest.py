"""When to write a field again that somebody else keeps changing: at once, then ever more rarely."""

from __future__ import annotations

from dataclasses import dataclass, replace

FREE = 3  # corrections at once: people who edit by hand are corrected without delay
LONGEST = 300.0  # seconds between two tries
MEMORY = 600.0  # seconds without a correction after which there was no contest


@dataclass(frozen=True, slots=True)
class Contest:
    """The corrections of one object towards one manifest.

    ``wanted`` identifies the manifest: another one starts anew. ``resists``: the last answer to our write
    still differed, so that writing again at once cannot help. ``held``: one more is wanted when it is due.
    Times are Unix seconds.
    """

    wanted: str
    paths: tuple[str, ...]
    tries: int
    last: float
    resists: bool = False
    managers: tuple[str, ...] = ()
    held: bool = False

    @property
    def real(self) -> bool:
        """Whether somebody really writes against us: then people are told."""
        return self.resists or self.tries >= FREE

    def due(self) -> float:
        """When the next try may be made: in 1, 2, 4, … 300 s after 3 tries, or after 1 that it resisted."""
        if not self.real:
            return self.last
        exponent = self.tries - (1 if self.resists else FREE)
        return self.last + min(LONGEST, 2.0 ** min(max(exponent, 0), 20))

    def rest(self, now: float) -> float:
        """Seconds until the next look at it: for the try that is held back, else to forget it."""
        moment = self.due() if self.held else self.last + MEMORY
        return max(1.0, moment - now)

    def over(self, now: float) -> bool:
        """Whether it has been quiet for long enough to forget it."""
        return now - self.last >= MEMORY


def tried(before: Contest | None, wanted: str, paths: tuple[str, ...], now: float) -> Contest:
    """One more correction has been sent."""
    if before is None or before.wanted != wanted or before.over(now):
        return Contest(wanted, paths, 1, now)
    kept = tuple(sorted({*before.paths, *paths}))
    return replace(before, paths=kept, tries=before.tries + 1, last=now, resists=False, held=False)
