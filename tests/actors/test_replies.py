"""Error replies whose annotation is quoted mean the same as others, or are refused."""

from typing import Any, Union

import anyio
import pytest

from actors import Actor, ActorCrashed, ActorSystem, HandlerError, Request, receive

pytestmark = pytest.mark.anyio


class Withdraw(Request["int | NoMoney"]):
    amount: int


class Look(Request[Union[int, "NoMoney"]]):  # a quoted part of it
    pass


class Count(Request["list[int]"]):
    pass


class NoMoney(Exception):
    """Defined after what names it."""


class Account(Actor):
    @receive
    async def withdraw(self, request: Withdraw) -> int:
        raise NoMoney(f"not {request.amount}")

    @receive
    async def look(self, request: Look) -> int:
        raise NoMoney

    @receive
    async def count(self, request: Count) -> list[int]:
        raise NoMoney


@pytest.mark.parametrize("request_made", [Withdraw(5), Look()])
async def test_a_quoted_error_is_a_reply(system: ActorSystem, request_made: Request[Any]) -> None:
    account = await system.spawn(Account)
    assert isinstance(await account.ask(request_made), NoMoney)
    assert account.alive
    assert system.stats().crashed == 0


async def test_one_that_is_not_declared_is_a_crash(system: ActorSystem, log: Any) -> None:
    account = await system.spawn(Account)
    with pytest.raises(ActorCrashed):
        await account.ask(Count())
    with anyio.fail_after(5):
        await account.wait()


async def test_a_quoted_name_of_a_function_is_found_where_the_actor_is_defined(
    system: ActorSystem,
) -> None:
    class Closed(Exception):
        pass

    class Open(Request["None | Closed"]):
        pass

    class Door(Actor):
        @receive
        async def open(self, request: Open) -> None:
            raise Closed

    door = await system.spawn(Door)
    assert isinstance(await door.ask(Open()), Closed)
    assert door.alive


async def test_a_quoted_reply_is_checked(system: ActorSystem) -> None:
    with pytest.raises(HandlerError, match=r"Wrong\.count returns str, but Count promises"):

        class Wrong(Actor):
            @receive
            async def count(self, request: Count) -> str:
                return ""


async def test_what_is_never_defined_is_told_at_spawn(system: ActorSystem) -> None:
    class Open(Request["None | Nowhere"]):  # type: ignore[name-defined]
        pass

    class Door(Actor):
        @receive
        async def open(self, request: Open) -> None:
            pass

    with pytest.raises(HandlerError, match=r"Door: .*Open, 'None \| Nowhere': .*Nowhere"):
        await system.spawn(Door)


async def test_what_is_no_type_is_told_at_once(system: ActorSystem) -> None:
    class Open(Request["anyio.Nowhere"]):  # type: ignore[name-defined]
        pass

    with pytest.raises(HandlerError, match=r"reply of .*Open, 'anyio.Nowhere': .*Nowhere"):

        class Door(Actor):
            @receive
            async def open(self, request: Open) -> None:
                pass


async def test_what_is_handled_for_its_base_is_told_when_it_fails(
    system: ActorSystem, log: Any
) -> None:
    class Open(Request["None | Nowhere"]):  # type: ignore[name-defined]
        pass

    class Door(Actor):
        @receive
        async def open(self, request: Request[Any]) -> None:
            raise KeyError

    door = await system.spawn(Door)
    with pytest.raises(ActorCrashed) as raised:
        await door.ask(Open())
    error = raised.value.__cause__
    assert isinstance(error, HandlerError)
    assert isinstance(error.__context__, KeyError)
