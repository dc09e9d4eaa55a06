"""A bearer token: as a subprotocol, or in a header."""

import json
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from tests.transport import guarded
from transport import BearerToken
from transport.bearer import take_tokens

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl-_"


def scope(*subprotocols: str, headers: Any = ()) -> dict[str, Any]:
    return {"subprotocols": list(subprotocols), "headers": list(headers)}


def header(value: str, name: str = "authorization") -> tuple[tuple[bytes, bytes], ...]:
    return ((name.encode(), value.encode()),)


async def refused(peer: Any) -> tuple[int, str]:
    with pytest.raises(Exception) as caught:  # noqa: PT011  # `Refused`
        await peer.open()
    refusal: Any = caught.value
    return refusal.status, json.loads(refusal.body)["detail"]


def test_tokens_are_taken_out_of_all_that_is_seen() -> None:
    request = scope(
        "a", f"bearer.{JWT}", "b", headers=header(f"a, bearer.{JWT},b", "sec-websocket-protocol")
    )
    copy = dict(request)  # as a middleware may have made
    assert take_tokens(request) == [JWT]
    for each in (request, copy):
        assert each["subprotocols"] == ["a", "b"]
        assert each["headers"] == [(b"sec-websocket-protocol", b"a, b")]
    assert take_tokens(request) == [JWT]  # as often as it is asked for
    assert JWT not in repr(request)


def test_a_scope_that_cannot_be_changed_in_place_gets_new_lists() -> None:
    request = {
        "subprotocols": ("bearer.x",),
        "headers": ((b"sec-websocket-protocol", b"bearer.x"), (b"a", b"")),
    }
    assert take_tokens(request) == ["x"]
    assert request["subprotocols"] == []
    assert request["headers"] == [(b"a", b"")]


def test_without_a_token_nothing_is_touched() -> None:
    request = scope("a", "Bearer.x", "bearer", headers=header("a", "sec-websocket-protocol"))
    before = dict(request)
    assert take_tokens(request) == []
    assert {key: request[key] for key in before} == before


@pytest.mark.parametrize(
    ("path", "offered", "answered"),
    [
        ("/user", ("greenroom", f"bearer.{JWT}"), "greenroom"),
        ("/user", (f"bearer.{JWT}", "greenroom"), "greenroom"),
        ("/packed", (f"bearer.{JWT}", "greenroom"), "greenroom"),
        ("/packed", ("other", f"bearer.{JWT}", "json", "packed"), "json"),
    ],
)
def test_a_token_beside_a_subprotocol(
    house: Any, path: str, offered: tuple[str, ...], answered: str
) -> None:
    async def test(house: Any) -> None:
        sent = header(", ".join(offered), "sec-websocket-protocol")
        peer = house.dial(path, subprotocols=offered, headers=sent)
        await peer.open()
        assert peer.subprotocol == answered
        said = (await peer.receive())["text"]
        token, _, seen = said.partition(" | ")
        assert token == JWT
        assert JWT not in seen

    house(*guarded.build(), test)


@pytest.mark.parametrize("value", [f"Bearer {JWT}", f"bearer   {JWT} "])
def test_a_token_in_a_header(house: Any, value: str) -> None:
    async def test(house: Any) -> None:
        peer = house.dial("/user", headers=header(value))
        await peer.open()
        assert (await peer.receive())["text"].partition(" | ")[0] == JWT
        assert peer.subprotocol is None

    house(*guarded.build(), test)


@pytest.mark.parametrize(
    ("offered", "headers", "status", "detail"),
    [
        ((), (), 401, "a bearer token is needed"),
        (("greenroom",), (), 401, "a bearer token is needed"),
        (("greenroom", "bearer."), (), 401, "a bearer token is needed"),
        ((), header("Basic YTpi"), 401, "a bearer token is needed"),
        ((), header("Bearer"), 401, "a bearer token is needed"),
        (("bearer.x",), (), 400, "offered alone: offer 'greenroom' beside it"),
        (("bearer.x", "other"), (), 400, "offered alone: offer 'greenroom' beside it"),
        (("greenroom", "bearer.x", "bearer.y"), (), 400, "more than one"),
        (("greenroom", "bearer.x"), header("Bearer x"), 400, "more than one"),
        ((), header("Bearer x") + header("Bearer y"), 400, "more than one"),
    ],
)
def test_who_brings_none_or_too_many_is_refused(
    house: Any, offered: tuple[str, ...], headers: Any, status: int, detail: str
) -> None:
    async def test(house: Any) -> None:
        peer = house.dial("/user", subprotocols=offered, headers=headers)
        got = await refused(peer)
        assert got[0] == status
        assert detail in got[1]

    house(*guarded.build(), test)


def test_a_route_that_needs_none_says_so_too_where_a_browser_would_not(house: Any) -> None:
    async def test(house: Any) -> None:
        assert (await refused(house.dial("/guest", subprotocols=("bearer.x",))))[0] == 400
        peer = await house.connect("/guest", subprotocols=("bearer.x", "greenroom"))
        assert peer.subprotocol == "greenroom"
        peer = await house.connect("/guest", subprotocols=("other",))
        assert peer.subprotocol is None

    house(*guarded.build(), test)


def test_it_is_a_dependency_like_any_other() -> None:
    app = FastAPI()

    @app.get("/me")
    async def me(token: BearerToken) -> str:
        return token

    with TestClient(app) as client:
        assert client.get("/me", headers={"authorization": "Bearer x"}).json() == "x"
        response = client.get("/me")
        assert (response.status_code, response.headers["www-authenticate"]) == (401, "Bearer")
