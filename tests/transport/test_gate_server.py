"""Who gets in, as clients of a real server see it, over its two WebSocket protocols and ours."""

import json
import time
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

IMPLEMENTATIONS = ["websockets-sansio", "wsproto", "transport.fast:WebSocketProtocol"]
PATIENCE = 20.0


@pytest.fixture(scope="module", params=IMPLEMENTATIONS)
def server(request: pytest.FixtureRequest, serve_module: Any) -> Any:
    return serve_module("guarded:app", ws=request.param)


@pytest.fixture(params=IMPLEMENTATIONS)
def implementation(request: pytest.FixtureRequest) -> Any:
    return request.param


def dial(server: Any, path: str, **options: Any) -> ClientConnection:
    return connect(server.ws_url + path, open_timeout=PATIENCE, proxy=None, **options)


def denial(server: Any, path: str, **options: Any) -> Any:
    """The response; its headers have to be in order, and the log has to hold no error."""
    with pytest.raises(InvalidStatus) as caught:
        dial(server, path, **options).__enter__()
    response = caught.value.response
    assert response.headers["content-type"] == "application/json"
    assert int(response.headers["content-length"]) == len(response.body)
    assert "transfer-encoding" not in response.headers
    return response


def receive(client: ClientConnection) -> Any:
    return json.loads(client.recv(timeout=PATIENCE))


def send(client: ClientConnection, kind: str, **fields: object) -> None:
    client.send(json.dumps({"type": kind, **fields}))


def lives(client: ClientConnection) -> None:
    send(client, "say", text="alive")
    assert receive(client) == {"type": "said", "text": "alive"}


def read_to_the_end(client: ClientConnection) -> None:
    while True:
        client.recv(timeout=PATIENCE)


def closed(client: ClientConnection) -> tuple[int, str]:
    with pytest.raises(ConnectionClosed) as caught:
        read_to_the_end(client)
    assert caught.value.rcvd is not None, "no close frame (1006)"
    return caught.value.rcvd.code, caught.value.rcvd.reason


def test_a_page_of_another_site_is_refused(server: Any) -> None:
    evil = Origin("https://evil.com")
    response = denial(server, "/guest", origin=evil)
    assert response.status_code == 403
    assert "https://evil.com" in json.loads(response.body)["detail"]
    assert "Settings(origins=" in server.log()
    assert denial(server, "/guest", origin=Origin("null")).status_code == 403
    several = [("Origin", server.url), ("Origin", "https://evil.com")]
    with pytest.raises(InvalidStatus, match=r"HTTP 40[03]"):  # sansio says so itself
        dial(server, "/guest", additional_headers=several).__enter__()
    other_port = Origin(server.url + "1")
    assert denial(server, "/guest", origin=other_port).status_code == 403
    for path, origin in (
        ("/guest", None),
        ("/guest", Origin(server.url)),
        ("/listed", Origin("https://a.example.com")),
        ("/anybody", evil),
    ):
        with dial(server, path, origin=origin) as client:
            lives(client)


def test_behind_a_proxy_that_ends_tls(server: Any) -> None:
    """Whether it says so or not; from this address uvicorn believes it."""
    own = server.url.removeprefix("http://")
    https, plain = Origin(f"https://{own}"), Origin(f"http://{own}")
    said = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"}
    with dial(server, "/guest", origin=https) as client:
        lives(client)
    with dial(server, "/guest", origin=https, additional_headers=said) as client:
        lives(client)
    assert denial(server, "/guest", origin=plain, additional_headers=said).status_code == 403


def test_whoever_refuses_the_log_holds_no_error(server: Any) -> None:
    for path, status, detail in (
        ("/shy", 403, {"why": "shy"}),
        ("/unknown", 401, "who are you?"),
        ("/user", 401, "a bearer token is needed"),
    ):
        for _ in range(3):
            response = denial(server, path)
            assert response.status_code == status
            assert json.loads(response.body) == {"detail": detail}
    assert denial(server, "/shy").headers["x-why"] == "shy"
    assert denial(server, "/user").headers["www-authenticate"] == "Bearer"
    assert denial(server, "/user", subprotocols=[Subprotocol("bearer.x")]).status_code == 400
    assert "ERROR" not in server.log()


def test_a_bearer_token_is_neither_answered_nor_logged(server: Any) -> None:
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl"
    offered = [Subprotocol("greenroom"), Subprotocol(f"bearer.{token}")]
    with dial(server, "/user", subprotocols=offered) as client:
        assert client.subprotocol == "greenroom"
        said = receive(client)["text"]
        assert said.startswith(f"{token} | ['greenroom'] | ")
        assert said.count(token) == 1
        assert client.response is not None
        assert token not in str(client.response.headers)
    assert token not in server.log()
    with dial(server, "/user", additional_headers={"Authorization": f"Bearer {token}"}) as client:
        assert receive(client)["text"].startswith(token)


@pytest.mark.parametrize(
    ("limit", "variable", "status"),
    [
        ("max_connections", "MAX_CONNECTIONS", 503),
        ("max_connections_per_client", "MAX_PER_CLIENT", 429),
    ],
)
def test_one_more_than_there_is_room_for(
    serve: Any, implementation: str, limit: str, variable: str, status: int
) -> None:
    server = serve("guarded:app", ws=implementation, env={variable: "2"})
    with dial(server, "/guest") as one, dial(server, "/guest") as two:
        response = denial(server, "/guest")
        assert response.status_code == status
        body = json.loads(response.body)
        assert body["limit"] == limit
        assert 1 <= body["retry_after"] <= int(response.headers["retry-after"]) <= 10
        if status == 429:  # of another client
            forwarded = {"X-Forwarded-For": "203.0.113.9"}
            with dial(server, "/guest", additional_headers=forwarded) as other:
                lives(other)
        lives(one)
        lives(two)
    deadline = time.monotonic() + PATIENCE
    while True:  # nothing tells the client that the server has noticed its end
        try:
            with dial(server, "/guest") as client:
                lives(client)
            break
        except InvalidStatus:
            assert time.monotonic() < deadline
    assert "ERROR" not in server.log()


def test_a_flood_is_told_of_once_a_second_at_most(server: Any) -> None:
    with dial(server, "/slow") as client, dial(server, "/guest") as other:
        for _ in range(500):
            send(client, "say", text="x")
        frames = [receive(client) for _ in range(7)]
        assert [frame["type"] for frame in frames].count("said") == 5
        errors = [frame for frame in frames if frame["type"] == "error"]
        assert {(each["code"], each["limit"]) for each in errors} == {("too_fast", "message_rate")}
        assert sum(int(each["detail"].partition(" ")[0]) for each in errors) == 495
        lives(other)
        lives(client)
    with dial(server, "/closing") as client:
        for _ in range(10):
            send(client, "say", text="x")
        code, reason = closed(client)
        assert (code, "2 messages a second" in reason) == (1008, True)


def test_what_expires_or_is_not_welcome_is_closed_with_its_code(server: Any) -> None:
    with dial(server, "/guest") as client:
        send(client, "expire", seconds=0.1)
        assert receive(client)["text"] == "so be it"
        assert closed(client) == (4401, "expired")
    with dial(server, "/unwelcome") as client:
        assert closed(client) == (4403, "not you")


def test_refused_messages_and_a_crash_that_keeps_the_state(server: Any) -> None:
    with dial(server, "/resume") as client:
        send(client, "count")
        assert receive(client)["count"] == 1
        send(client, "refuse", status=403)
        assert receive(client)["code"] == "forbidden"
        send(client, "find", id="a")
        told = receive(client)
        assert (told["code"], told["status"], told["id"]) == ("not_found", 404, "a")
        send(client, "join", topic="secret")
        assert receive(client)["code"] == "forbidden"
        assert "crashed" not in server.log()
        send(client, "boom")
        assert receive(client)["code"] == "crashed"
        send(client, "count")
        assert receive(client)["count"] == 2


def test_a_frame_may_be_nested_so_deep(server: Any) -> None:
    with dial(server, "/guest") as client:
        for levels, code in ((63, "forbidden"), (64, "malformed")):
            detail = "[" * levels + "]" * levels
            client.send('{"type":"refuse","status":403,"detail":' + detail + "}")
            told = receive(client)
            assert told["code"] == code
        assert told["limit"] == "max_depth"
