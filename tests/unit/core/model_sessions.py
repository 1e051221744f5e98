"""The model's sessions: how they begin, what time does to them, and how they end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from unit.core.model_peers import Text

from wampgate.core.router import GOODBYE_SECONDS

if TYPE_CHECKING:
    from unit.core.model import Model
    from unit.core.model_peers import ModelPeer

JOIN_SECONDS: Final = 10.0


class Sessions:
    """From HELLO to the end."""

    def __init__(self, model: Model) -> None:
        self._model = model

    def join(self, peer: ModelPeer, realm: str, ticket: str | None, organization: str | None) -> None:
        """HELLO, and the ticket if there is one."""
        self._model.peers.append(peer)
        peer.realm = realm
        if ticket is None:
            peer.authid, peer.role = Text, "guest"
            self._admit(peer, organization)
            return
        peer.expected.append([4, "ticket", {}])
        if ticket == "the ticket of backend":
            peer.authid, peer.role = "backend", "backend"
            self._admit(peer, organization)
            return
        self._model.rights.ask(ticket, lambda: self._looked_up(peer, ticket, organization))

    def _looked_up(self, peer: ModelPeer, ticket: str, organization: str | None) -> None:
        """The store has said whose the ticket is."""
        if peer.state != "joining":
            return
        user, expires = self._model.rights.tokens.get((peer.realm, ticket), (None, None))
        if self._model.rights.down:
            self._refuse(peer, "wamp.error.authentication_failed")
        elif user is None or (expires is not None and expires <= self._model.now):
            self._refuse(peer, "wamp.error.authentication_denied")
        else:
            peer.authid = peer.user = user
            peer.role, peer.expires = "member", expires
            self._admit(peer, organization)

    def _admit(self, peer: ModelPeer, organization: str | None) -> None:
        """It is known who it is; a user's organizations have to be known too."""
        rights = self._model.rights
        if peer.user is None:
            if organization is None:
                self._welcome(peer, {})
            else:
                self._refuse(peer, "wamp.error.not_authorized")
            return
        ids, asked = rights.cached(peer), self._model.now
        if ids is not None:
            self._admitted(peer, organization, ids)
        else:
            rights.ask(peer.user, lambda: self._admitted(peer, organization, rights.read(peer, asked)))

    def _admitted(self, peer: ModelPeer, organization: str | None, ids: set[str] | None) -> None:
        """The user's organizations are known, or can't be."""
        if peer.state != "joining":
            return
        if ids is None:
            self._refuse(peer, "wamp.error.authentication_failed")
        elif organization is not None and organization not in ids:
            self._refuse(peer, "wamp.error.not_authorized")
        else:
            told: dict[str, Any] = {"organizations": sorted(ids), "organization_count": len(ids)}
            self._welcome(peer, told | ({} if organization is None else {"organization": organization}))

    def _welcome(self, peer: ModelPeer, authextra: dict[str, Any]) -> None:
        """The session begins. Who comes later stands behind in the order of ends."""
        peer.state = "established"
        self._model.peers.remove(peer)
        self._model.peers.append(peer)
        told = {"authid": peer.authid, "authrole": peer.role, "authextra": authextra, "realm": peer.realm}
        peer.expected.append([2, peer.session, told])
        self._model.meta.joined(peer)
        self._model.counted["joined"] += 1

    def _refuse(self, peer: ModelPeer, reason: str) -> None:
        """ABORT."""
        peer.expected.append([3, {"message": Text}, reason])
        peer.state = "closed"
        self._model.counted["join refused"] += 1

    def leave(self, peer: ModelPeer, state: str = "closed") -> None:
        """Nothing of a peer stays but what it has left to be published."""
        was_here = peer.here
        peer.state = state
        if not was_here:
            return
        peer.ended = self._model.now
        peer.lanes.clear()
        peer.early.clear()
        self._model.events.leave(peer)
        self._model.calls.registrations.leave(peer)
        self._model.calls.leave(peer)
        self._model.procedures.leave(peer)
        self._model.meta.left(peer)

    def pass_time(self) -> None:
        """Tokens expire, who joins too slowly is let go, and who was told to go is gone."""
        now = self._model.now
        ends: list[tuple[float, ModelPeer]] = []
        for peer in self._model.peers:
            if peer.here and peer.expires is not None:
                ends.append((peer.expires, peer))
            elif peer.state == "joining":
                ends.append((peer.opened + JOIN_SECONDS, peer))
            elif peer.state == "closing" and peer.ended is not None and peer.ended + GOODBYE_SECONDS <= now:
                peer.state = "closed"
        for when, peer in sorted(ends, key=lambda end: end[0]):
            if when > now:
                continue
            if peer.here:
                peer.told([6, {"message": Text}, "wampgate.close.token_expired"])
                self.leave(peer, "closing")
                self._model.counted["expired"] += 1
            else:
                self._refuse(peer, "wamp.error.authentication_failed")
