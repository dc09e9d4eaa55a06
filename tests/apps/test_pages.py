"""The pages and what they are made of, from a real server."""

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest

STATIC = Path(__file__).parents[2] / "apps" / "static"
KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
PAGES = ["/", "/chat", "/console"]
NAMESPACES = {"http://www.w3.org/2000/svg"}
"""Look like addresses, but are only names: nobody asks for them."""
SOCKETS = {"/ws", "/ws/advanced", "/ws/thread-safe/{client_id}", "/ws/simple/{client_id}"}

_IMPORT = re.compile(r"""\bimport\b[^"'`;()]*\(?\s*["'`]([^"'`]+)["'`]|\bfrom\s*["']([^"']+)["']""")
_FETCH = re.compile(r"""\b(?:fetch|Worker|URL)\(\s*["'`]([^"'`$]+)""")
_URL = re.compile(r"""\burl\(\s*["']?([^"')]+)|@import\s+["']([^"']+)""")
_ADDRESS = re.compile(r"""\b(?:https?|wss?|ftp)://[^\s"'`<>)]*|["'`(=]\s*//[\w.-]+""")


class Links(HTMLParser):
    """Whatever a page refers to, and the elements that it has an id for."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.ids: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "src", "action", "poster", "data", "srcset", "formaction"):
                assert value is not None
                self.found.append(value)
            if name == "id" and value is not None:
                self.ids.add(value)


def links(path: str, page: Any) -> list[str]:
    """What a page, script or stylesheet names, as it names it."""
    if page.content_type.startswith("text/html"):
        return Links(page.text).found
    if path.endswith(".js"):
        found = [*_IMPORT.findall(page.text), *((link, "") for link in _FETCH.findall(page.text))]
    elif path.endswith(".css"):
        found = _URL.findall(page.text)
    else:
        found = []
    return [one or other for one, other in found]


def test_the_patterns_find_what_they_are_to_find() -> None:
    script = """import {a} from "./a.js"; import "./b.js"; import("./c.js");
        export {d} from './d.js';
        fetch("/e"); new Worker('f.js'); fetch(`/g/${x}`)"""
    assert [a or b for a, b in _IMPORT.findall(script)] == ["./a.js", "./b.js", "./c.js", "./d.js"]
    assert _FETCH.findall(script) == ["/e", "f.js", "/g/"]
    style = """@import "a.css"; x { background: url(b.png); y: url( 'c.woff' ) }"""
    assert [a or b for a, b in _URL.findall(style)] == ["a.css", "b.png", "c.woff"]
    for elsewhere in ('"https://x.org/y"', "'wss://x'", 'src="//cdn.x.org/y.js"', "url(//x.org/y)"):
        assert _ADDRESS.search(elsewhere)
    for here in ('"/static/a.js"', "// a comment", "a // b", 'x = "ws"}://${location.host}'):
        assert not _ADDRESS.search(here)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_served(demo: Any, get: Any, path: str) -> None:
    page = get(demo.port, path)
    assert (page.status, page.content_type) == (200, KINDS[".html"])
    assert page.text.startswith("<!doctype html>")


@pytest.mark.parametrize("name", sorted(file.name for file in STATIC.iterdir()))
def test_a_static_file_is_served(demo: Any, get: Any, name: str) -> None:
    page = get(demo.port, f"/static/{name}")
    assert (page.status, page.content_type) == (200, KINDS[Path(name).suffix])
    assert page.body == (STATIC / name).read_bytes()


def test_all_that_the_pages_name_exists_and_is_ours(demo: Any, get: Any) -> None:
    found: dict[str, Any] = {}
    todo = list(PAGES)
    while todo:
        path = todo.pop()
        if path in found:
            continue
        page = found[path] = get(demo.port, path)
        assert page.status == 200, path
        assert [link for link in _ADDRESS.findall(page.text) if link not in NAMESPACES] == [], path
        for link in links(path, page):
            target = urlsplit(urljoin(demo.url + path, link))
            assert f"{target.scheme}://{target.netloc}" == demo.url, (path, link)
            if target.fragment:
                assert target.fragment in Links(get(demo.port, target.path).text).ids, (path, link)
            if not target.path.endswith("/names/"):  # a name follows there
                todo.append(target.path)
    # The walk has come everywhere, and nothing lies about that no page uses.
    pages = {"/static/chat.html", "/static/console.html", "/static/index.html"}
    assert {f"/static/{file.name}" for file in STATIC.iterdir()} - found.keys() == pages


def test_the_landing_page_links_to_a_page_for_each_demo(demo: Any, get: Any) -> None:
    found = [urlsplit(link) for link in Links(get(demo.port, "/").text).found]
    assert "/chat" in {link.path for link in found}
    consoles = {parse_qs(link.query)["path"][0] for link in found if link.query}
    assert consoles == SOCKETS
    assert all(link.path == "/console" for link in found if link.query)
    served = get(demo.port, "/static/console.js").text
    assert set(re.findall(r'^    path: "([^"]+)"', served, re.MULTILINE)) == SOCKETS


def test_the_ids_that_the_scripts_look_up_are_on_their_pages(demo: Any, get: Any) -> None:
    for page, scripts in (("/chat", ["chat.js", "chat-lists.js"]), ("/console", ["console.js"])):
        ids = Links(get(demo.port, page).text).ids
        for script in scripts:
            wanted = set(re.findall(r'\$\("([^"]+)"\)', get(demo.port, f"/static/{script}").text))
            assert wanted
            assert wanted <= ids, script


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/static/",
        "/static/nothing.js",
        "/static/../server.py",
        "/static/..%2fserver.py",
        "/static/%2e%2e/server.py",
        "/ws",
        "/ws/chat/ann",
    ],
)
def test_there_is_nothing_else(demo: Any, get: Callable[..., Any], path: str) -> None:
    assert get(demo.port, path).status == 404


def test_a_page_may_ask_whether_a_name_is_taken(demo: Any, get: Any, dial: Any) -> None:
    def taken(name: str) -> Any:
        page = get(demo.port, f"/chat/names/{name}")
        assert (page.status, page.content_type) == (200, "application/json")
        return json.loads(page.body)

    assert taken("page%20asks") == {"taken": False}
    dial(demo.ws_url + "/ws/chat/page%20asks").until("user_joined")
    assert taken("page%20asks") == {"taken": True}
    assert taken("page") == {"taken": False}
