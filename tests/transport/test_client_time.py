"""The client in a test kit: the application's actors and its own waits are in virtual time."""

from typing import Any

import pytest

from actors import Reason
from actors.testing import TestKit
from tests.transport.asgi import run
from tests.transport.talk import Boom, Chat, Said, Say, application
from transport import ErrorFrame, Heartbeat
from transport._peer import Peer
from transport.testing import TestServer

pytestmark = pytest.mark.usefixtures("both_wires")


def test_an_hour_of_heartbeats_takes_no_time() -> None:
    async def test() -> None:
        async with (
            TestKit() as kit,
            TestServer(application(heartbeat=600.0), system=kit) as server,
        ):
            client = await server.connect("/chat")
            await client.receive_nothing(within=599.0)
            await client.receive(Heartbeat, timeout=2.0)
            await kit.advance(3001.0)
            for _ in range(5):
                await client.receive(Heartbeat, timeout=0.0)
            await client.receive_nothing(within=500.0)
            assert 4100.0 <= kit.time < 4110.0

    run(test)


def test_a_send_has_its_deadline_in_virtual_time() -> None:
    async def test() -> None:
        app = application(send_timeout=300.0)
        async with TestKit() as kit, TestServer(app, system=kit) as server:
            client = await server.connect("/chat")
            await client.send(Say("in"))
            await client.receive(Said)
            client.stall(window=0)
            kit.publish("all", Said("never"))
            await kit.advance(299.0)
            assert Chat.codes == []
            await kit.advance(3.0)
            assert Chat.codes == [1006]
            await client.ended()
            assert [letter.reason for letter in kit.dead_letters] == [Reason.CLIENT_GONE]

    run(test)


def test_a_slow_client_that_makes_progress_is_kept_for_hours() -> None:
    async def test() -> None:
        app = application(send_timeout=300.0)
        async with TestKit() as kit, TestServer(app, system=kit) as server:
            client = await server.connect("/chat")
            await client.send(Say("in"))
            await client.receive(Said)
            client.throttle(250.0, window=0)
            for number in range(100):
                kit.publish("all", Said(str(number)))
            for number in range(100):
                assert await client.receive(Said, timeout=251.0) == Said(str(number))
            assert kit.time > 24_000
            assert Chat.codes == []

    run(test)


def test_a_client_whose_system_takes_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server has handed all to the system, and there it stays."""

    async def test() -> None:
        app = application(send_timeout=300.0)
        async with TestKit() as kit, TestServer(app, system=kit) as server:
            taken: list[int | None] = [1000]
            monkeypatch.setattr(Peer, "taken", property(lambda _: taken[0]))
            client = await server.connect("/chat")
            await client.send(Say("in"))
            await client.receive(Said)
            for _ in range(20):
                await kit.advance(299.0)
                taken[0] = (taken[0] or 0) + 1  # slowly, but it does
            assert Chat.codes == []
            await kit.advance(602.0)
            assert Chat.codes == [1006]
            await client.ended()

    run(test)


def test_a_client_whose_system_has_all_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        app = application(send_timeout=300.0)
        async with TestKit() as kit, TestServer(app, system=kit) as server:
            taken: list[int | None] = [1000]
            monkeypatch.setattr(Peer, "taken", property(lambda _: taken[0]))
            client = await server.connect("/chat")
            await client.send(Say("in"))
            await client.receive(Said)
            await kit.advance(301.0)
            taken[0] = None
            await kit.advance(3000.0)
            assert Chat.codes == []

    run(test)


def test_a_half_open_client_is_lost_in_virtual_time() -> None:
    async def test() -> None:
        async with TestKit() as kit, TestServer(application(), system=kit) as server:
            client = await server.connect("/chat")
            client.half_open()
            await kit.advance(39.0)
            assert Chat.codes == []
            await kit.advance(2.0)
            assert Chat.codes == [1006]

    run(test)


def test_the_kits_probes_meet_the_connections(letters: Any) -> None:
    async def test() -> None:
        app = application(instruments=[letters])
        async with TestKit() as kit:
            async with TestServer(app, system=kit) as server:
                assert server.system is kit
                probe = await kit.probe()
                probe.join("all")
                client = await server.connect("/chat")
                await client.send(Say("hello"))
                assert await probe.expect(Said) == Said("hello")
                probe.publish("all", Said("hi"))
                assert await client.receive(Said) == Said("hello")
                assert await client.receive(Said) == Said("hi")
                await client.send(Boom())
                assert (await client.receive(ErrorFrame)).code == "crashed"
                assert [str(error) for error in kit.crashes] == ["boom"]
                (member, _) = kit.members("all")
                await member.kill()
                member.tell(Say("too late"))
            assert letters.letters  # the application's own instruments hear as well
            assert kit.stats().actors == 0

    run(test)


def test_dependencies_in_threads_do_not_let_virtual_time_race() -> None:
    async def test() -> None:
        app = application(heartbeat=10.0)
        async with TestKit() as kit, TestServer(app, system=kit) as server:
            for _ in range(20):
                client = await server.connect("/guarded?token=a")
                assert await client.receive(Said) == Said("a")
            assert kit.time < 10.0

    run(test)


def test_no_timer_of_a_client_is_left() -> None:
    async def test() -> None:
        async with TestKit() as kit, TestServer(application(), system=kit) as server:
            one, other = await server.connect("/chat"), await server.connect("/chat")
            await kit.settle()
            one.throttle(600.0)
            other.half_open()
            for ref in kit.members("all"):
                ref.stop()
            await one.ended(timeout=2.0)
            await other.ended(timeout=2.0)

    run(test)  # or the kit calls it a leak
