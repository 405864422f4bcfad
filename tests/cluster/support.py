"""
What the tests of links share: a node "b" that takes links, in memory, and whoever dials it.
"""

from __future__ import annotations

import attrs
from twisted.internet.interfaces import IProtocol
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from pico.cluster.accept import AcceptSettings, LinkPort
from pico.cluster.greeting import Greeting, Identification, LinkError, NodeDialer
from pico.names import DEFAULT_TENANT, EndpointKey, NodeId
from pico.net.deadlines import Deadlines
from pico.net.once import Once
from pico.net.ports import listen_tcp, make_client_endpoint
from pico.net.turn import Turn
from pico.proxy.headers import fate_of
from pico.testing import MemoryHost, MemoryNetwork, MemoryTransport, RecordingProtocol, StaticMembers
from pico.tunnel.session import TunnelSession, TunnelSettings
from pico.tunnel.stream import TunnelStream
from pico.tunnel.supply import SupplySettings
from pico.upstream.registry import Registry
from pico.upstream.tunnel import TunnelUpstream
from pico.wire.http1.headers import HeaderCache
from pico.wire.link_auth import Peer, Purpose
from pico.wire.link_auth import Role as Side
from pico.wire.preamble import ANSWER_SIZE, Answer, AnswerReader, Malformed, Preamble, PreambleReader, encode_preamble
from pico.wire.yamux.session import Role
from tests.tunnel.support import HalfCloser

#: Where nodes take links.
PORT = 8003

SECRET = b"the secret of this cluster"

E = EndpointKey(DEFAULT_TENANT, "e")


class Raw(RecordingProtocol):
    """
    Somebody who has connected to the port and says what the test wants.
    """

    transport: MemoryTransport


class Session:
    """
    One side's session, and what is heard of it.

    :ivar offered: streams of the other side, which get a protocol at once unless they are refused.
    :ivar closed: why it is gone.
    """

    def __init__(self, role: Role, host: MemoryHost, turn: Turn, *, refuses: bool = False) -> None:
        self.closed: list[Failure] = []
        self.goes_away = 0
        self.offered: list[HalfCloser] = []
        self.session = TunnelSession(
            role,
            clock=host,
            turn=turn,
            settings=TunnelSettings(),
            on_stream=None if refuses else self._take,
            on_going_away=self._goes,
            on_closed=self.closed.append,
        )

    def _take(self, stream: TunnelStream) -> None:
        self.offered.append(HalfCloser())
        stream.attach(self.offered[-1])

    def _goes(self) -> None:
        self.goes_away += 1


@attrs.define
class Stream:
    """
    A stream over a link, from the side that opened it.
    """

    protocol: HalfCloser

    @property
    def answer(self) -> Answer | None:
        """
        What the other node said, once it has.
        """
        return AnswerReader().receive_data(self.protocol.received)

    @property
    def behind(self) -> bytes:
        """
        What came behind that.
        """
        return self.protocol.received[ANSWER_SIZE:]


class Dialler(Session):
    """
    A node that has dialled "b", or has not been able to.

    :ivar error: why not.
    """

    def __init__(self, scene: Scene, name: str) -> None:
        super().__init__(Role.CLIENT, scene.network.host(name), scene.turn)
        self.error: LinkError | None = None
        self.peer: Peer | None = None
        self._network = scene.network

    def dialled(self, peer: Peer) -> None:
        """
        It has.
        """
        self.peer = peer

    def failed(self, reason: Failure) -> None:
        """
        It has not.
        """
        assert isinstance(reason.value, LinkError), reason
        self.error = reason.value

    def open(self, first: bytes) -> Stream:
        """
        Open a stream, and say something on it at once.
        """
        stream = self.session.open_stream()
        protocol = HalfCloser()
        stream.attach(protocol)
        stream.write(first)
        self._network.pump()
        return Stream(protocol)

    def ask(self, preamble: Preamble | None = None, behind: bytes = b"") -> Stream:
        """
        Open a stream with a preamble.
        """
        return self.open(encode_preamble(preamble or Preamble(E)) + behind)


class ByHand(Session):
    """
    Another node that takes one link, and says on it what the test wants.
    """

    def __init__(self, scene: Scene, name: str) -> None:
        host = scene.network.host(name)
        super().__init__(Role.SERVER, host, scene.turn)
        self._network = scene.network
        greeting = Greeting(
            Identification(Peer(NodeId(name), 1), (SECRET,)).agreement(
                Side.ACCEPTOR, host.seconds() + 5.0, Purpose.LINK, None
            ),
            clock=host,
            decide=lambda peer, purpose: self.session,
            ended=lambda peer, error: None,
        )
        # It may be another life of it.
        host.ports.pop(PORT, None)
        listen_tcp(host, "", PORT, Once(greeting), setting="")

    @property
    def preamble(self) -> Preamble | Malformed | None:
        """
        How the newest stream begins.
        """
        return PreambleReader().receive_data(self.offered[-1].received)

    def say(self, data: bytes) -> None:
        """
        Say something on the newest stream.
        """
        self.offered[-1].stream.write(data)
        self._network.pump()

    def open(self) -> HalfCloser:
        """
        Open a stream.
        """
        protocol = HalfCloser()
        self.session.open_stream().attach(protocol)
        self._network.pump()
        return protocol


class Scene:
    """
    Node "b" with a port for links, and a network.
    """

    def __init__(
        self,
        settings: AcceptSettings | None = None,
        *,
        keys: tuple[bytes, ...] = (SECRET,),
        exchange: IProtocol | None = None,
        takes_exchanges: bool = False,
    ) -> None:
        self.network = MemoryNetwork()
        self.clock = self.network.clock
        self.host = self.network.host("b")
        self.turn = Turn(self.host)
        self.deadlines = Deadlines(self.host)
        self.members = StaticMembers()
        self.registry = Registry(self.host)
        self.port = LinkPort(
            Identification(Peer(NodeId("b"), 1), keys),
            upstreams=self.registry,
            members=self.members,
            settings=settings or AcceptSettings(),
            clock=self.host,
            deadlines=self.deadlines,
            turn=self.turn,
            exchange=(lambda _: exchange) if takes_exchanges else None,
        )
        listen_tcp(self.host, "", PORT, self.port, setting="")
        self.upstreams: list[TunnelUpstream] = []

    def tunnel(
        self, key: EndpointKey = E, *, refuses: bool = False, settings: TunnelSettings | None = None
    ) -> tuple[TunnelUpstream, Session]:
        """
        Let an agent have a tunnel to "b".

        :param settings: of the node's side.
        :return: both sides of it.
        """
        upstream = TunnelUpstream(
            key,
            address="192.0.2.1:1",
            version="",
            cache=HeaderCache(fate_of),
            clock=self.host,
            deadlines=self.deadlines,
            settings=SupplySettings(),
            number=len(self.upstreams) + 1,
        )

        def gone(_: Failure | None = None) -> None:
            self.registry.remove(upstream)
            upstream.closed()

        def leaves() -> None:
            self.registry.remove(upstream)
            upstream.leave()

        upstream.session = TunnelSession(
            Role.SERVER,
            clock=self.host,
            turn=self.turn,
            settings=settings or TunnelSettings(),
            on_stream=None,
            on_going_away=leaves,
            on_closed=gone,
            on_room=upstream.room,
        )
        agent = Session(Role.CLIENT, self.host, self.turn, refuses=refuses)
        number = self.host.free_port()
        listening = listen_tcp(self.host, "", number, Once(upstream.session), setting="")
        self._connect("b", number, agent.session)
        listening.stopListening()
        self.registry.add(upstream)
        self.upstreams.append(upstream)
        return upstream, agent

    def dial(
        self,
        name: str = "a",
        generation: int = 1,
        *,
        keys: tuple[bytes, ...] = (SECRET,),
        purpose: Purpose = Purpose.LINK,
        expected: Peer | None = None,
        port: int = PORT,
    ) -> Dialler:
        """
        Let a node dial "b".
        """
        host = self.network.host(name)
        dialler = Dialler(self, name)
        identification = Identification(Peer(NodeId(name), generation), keys)
        dialling = NodeDialer(identification, reactor=host, clock=host, timeout=3.0)
        dialling.dial("b", port, purpose, lambda _: dialler.session, expected).addCallbacks(
            dialler.dialled, dialler.failed
        )
        self.network.pump()
        return dialler

    def connect(self) -> Raw:
        """
        Let anybody connect to the port.
        """
        raw = Raw()
        self._connect("stranger", PORT, raw)
        return raw

    def say(self, raw: Raw, data: bytes) -> None:
        """
        Let them say something.
        """
        raw.transport.write(data)
        self.network.pump()

    def end(self) -> None:
        """
        Stop; nothing may be left that waits for its time.
        """
        self.port.abort()
        for upstream in self.upstreams:
            if upstream.session is not None:
                upstream.session.abort()
        self.network.advance(5)
        left = self.clock.getDelayedCalls()
        if left:
            raise AssertionError(f"left behind: {[str(call) for call in left]}")

    def _connect(self, host: str, port: int, protocol: IProtocol) -> None:
        make_client_endpoint(self.network.host(host), "b", port).connect(Once(protocol))
        self.network.pump()


class SceneTestCase(SynchronousTestCase):
    """
    A scene at whose end nothing is left.
    """

    def setUp(self) -> None:
        """
        Make it, with the usual settings.
        """
        self.scene = Scene()

    def tearDown(self) -> None:
        """
        Stop it.
        """
        self.scene.end()
