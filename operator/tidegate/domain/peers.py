"""What one gateway knows of the others: the view from which each of them derives who is whose arbiter."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from tidegate.domain.rendezvous import choose

Address = tuple[str, int]  # host and port of a gateway's peer port


class Link(Enum):
    """How a gateway is reached."""

    TRYING = "trying"  # not known yet whether it is there: it counts as there
    UP = "up"
    GONE = "gone"  # nobody answers at its address, or it said that it ends


@dataclass(slots=True)
class Peer:
    """Another gateway. ``id`` is one process's: a restarted one has another. Empty: it never told."""

    id: str = ""
    link: Link = Link.TRYING
    ready: bool = False  # it knows the services
    leaving: bool = False  # it finishes what it has, and ends

    @property
    def there(self) -> bool:
        """It may hold requests."""
        return bool(self.id) and self.link is not Link.GONE


class View:
    """The gateways as one of them, ``own``, sees them.

    Addresses come from outside; everything else a gateway hears from the other itself, so that two that
    are connected see each other alike however late their substrates are.
    """

    def __init__(self, own: str) -> None:
        self.own = Peer(own, Link.UP)
        self.listed = False  # the addresses are known
        self.peers: dict[Address, Peer] = {}
        self._candidates: tuple[str, ...] | None = None

    def list(self, addresses: Iterable[Address]) -> tuple[set[Address], set[Address]]:
        """These are all there are: (new addresses, those that are not listed any more).

        One that is connected stays in the view until its connection ends. Those of the first list have to be
        tried before it is known who is there; one that comes later is new, holds nothing, and waits for us.
        """
        wanted = set(addresses)
        new, unlisted = wanted - self.peers.keys(), self.peers.keys() - wanted
        for address in new:
            self.peers[address] = Peer(link=Link.GONE if self.listed else Link.TRYING)
        self.listed = True
        self.changed()
        return new, unlisted

    def forget(self, address: Address) -> None:
        """Nobody is there, and the address is not listed any more."""
        self.peers.pop(address, None)
        self.changed()

    def changed(self) -> None:
        """A peer's state was changed."""
        self._candidates = None

    @property
    def settled(self) -> bool:
        """Whether every gateway of the first list has been reached once, or was found to be gone."""
        return self.listed and all(p.id or p.link is not Link.TRYING for p in self.peers.values())

    @property
    def awaited(self) -> set[str]:
        """The gateways, besides this one, that may hold requests."""
        return {peer.id for peer in self.peers.values() if peer.there}

    def arbiter(self, service: str) -> str:
        """The id of the gateway that is the arbiter of ``service``: a ready one that does not leave; where
        there is none, whichever there is."""
        if self._candidates is None:
            self._candidates = self._choose_candidates()
        return choose(service, self._candidates)

    def _choose_candidates(self) -> tuple[str, ...]:
        there = [self.own, *(peer for peer in self.peers.values() if peer.there)]
        staying = [peer for peer in there if not peer.leaving]
        ready = [peer for peer in staying if peer.ready]
        return tuple(peer.id for peer in ready or staying or there)
