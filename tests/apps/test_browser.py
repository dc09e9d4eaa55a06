"""The pages in a real browser, driven over the DevTools protocol."""

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from websockets.sync.client import connect

PATIENCE = 20.0
"""Seconds anything may take before a test fails; the browser's start is the longest."""
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --no-proxy-server "
    "--disable-background-networking --disable-component-update --disable-sync "
    "--disable-dev-shm-usage --remote-debugging-port=0"
)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")

FIND = """
  const visible = (e) => e.checkVisibility({visibilityProperty: true});
  const find = () => [...document.querySelectorAll(SELECTOR)].find(
    (e) => visible(e) && e.textContent.includes(TEXT));
"""
WAIT = """new Promise((resolve, reject) => {%s
  const timer = setTimeout(() => { watch.disconnect(); reject(new Error(
    `no ${SELECTOR} with "${TEXT}" on:\\n${document.body.innerText}`)); }, MILLISECONDS);
  const look = () => { if (find()) { watch.disconnect(); clearTimeout(timer); resolve(); } };
  const watch = new MutationObserver(look);
  watch.observe(document, {subtree: true, childList: true, attributes: true, characterData: true});
  look();
})""".replace("%s", FIND)
CENTRE = """(() => {%s
  const e = find(); e.scrollIntoView({block: "nearest"}); const box = e.getBoundingClientRect();
  return [box.x + box.width / 2, box.y + box.height / 2]; })()""".replace("%s", FIND)


class Browser:
    """A headless Chromium with a profile of its own."""

    def __init__(self, profile: Path) -> None:
        assert CHROMIUM is not None
        with (profile / "browser.log").open("wb") as log:
            self._process = subprocess.Popen(
                [CHROMIUM, *FLAGS.split(), f"--user-data-dir={profile}", "about:blank"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._exit = ExitStack()
        self._exit.callback(self._end)
        port = profile / "DevToolsActivePort"
        deadline = time.monotonic() + PATIENCE
        try:
            while not (port.exists() and port.read_text().count("\n")):
                assert self._process.poll() is None, (profile / "browser.log").read_text()
                assert time.monotonic() < deadline, "the browser does not start"
                time.sleep(0.02)  # a file tells nobody that it is there
            number, path = port.read_text().split()
            self._socket = self._exit.enter_context(
                connect(
                    f"ws://127.0.0.1:{number}{path}", max_size=None, proxy=None, close_timeout=1
                )
            )
        except BaseException:
            self._process.terminate()
            self._exit.close()
            raise
        self._calls = 0
        self.events: list[dict[str, Any]] = []

    def call(self, method: str, session: str | None = None, **params: Any) -> Any:
        """A command's result; events that come meanwhile are kept."""
        self._calls += 1
        call = {"id": self._calls, "method": method, "params": params}
        self._socket.send(json.dumps(call if session is None else {**call, "sessionId": session}))
        while True:
            answer = self._receive()
            if answer.get("id") == self._calls:
                assert "error" not in answer, (method, answer)
                return answer["result"]

    @contextmanager
    def loading(self, session: str) -> Generator[None]:
        """What is done in it leads to another page, which has been loaded in the end."""
        seen = len(self.events)
        yield
        for method in ("Page.frameNavigated", "Page.loadEventFired"):
            wanted = method, session
            while wanted not in ((e["method"], e.get("sessionId")) for e in self.events[seen:]):
                self._receive()

    def _receive(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self._socket.recv(timeout=PATIENCE + 5))
        if "id" not in answer:
            self.events.append(answer)
        return answer

    def close(self) -> None:
        self.call("Browser.close")
        self._exit.close()

    def _end(self) -> None:
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Tab:
    """A window of the browser: what a person can do with it."""

    def __init__(self, browser: Browser, url: str) -> None:
        self._browser = browser
        # A window each: a tab behind another is hidden, and its timers and frames slow down.
        target = browser.call("Target.createTarget", url="about:blank", newWindow=True)
        self._target = target["targetId"]
        attached = browser.call("Target.attachToTarget", targetId=self._target, flatten=True)
        self.session: str = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable")
        self._call("Emulation.setFocusEmulationEnabled", enabled=True)
        size = {"width": 1280, "height": 800, "deviceScaleFactor": 1, "mobile": False}
        self._call("Emulation.setDeviceMetricsOverride", **size)
        self.go(url)

    def _call(self, method: str, **params: Any) -> Any:
        return self._browser.call(method, self.session, **params)

    def go(self, url: str) -> None:
        with self.loading():
            assert "errorText" not in self._call("Page.navigate", url=url)

    def loading(self) -> AbstractContextManager[None]:
        return self._browser.loading(self.session)

    def evaluate(self, script: str, selector: str = "", text: str = "") -> Any:
        names = f"const SELECTOR = {json.dumps(selector)}, TEXT = {json.dumps(text)};"
        script = f"{{{names} const MILLISECONDS = {PATIENCE * 1000}; {script}}}"
        answer = self._call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]["exception"]
        return answer["result"].get("value")

    def see(self, selector: str, text: str = "") -> None:
        """Wait until a visible element has that text."""
        self.evaluate(WAIT, selector, text)

    def text(self, selector: str) -> str:
        self.see(selector)
        return str(self.evaluate("document.querySelector(SELECTOR).textContent", selector))

    def click(self, selector: str, text: str = "") -> None:
        self.see(selector, text)
        x, y = self.evaluate(CENTRE, selector, text)
        for kind in ("mousePressed", "mouseReleased"):
            self._call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def write(self, selector: str, text: str, *, enter: bool = True) -> None:
        """Type into a field, in place of what is there."""
        self.click(selector)
        self.evaluate("document.querySelector(SELECTOR).select()", selector)
        self._call("Input.insertText", text=text)
        if enter:
            key = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"}
            for kind in ("keyDown", "keyUp"):
                self._call("Input.dispatchKeyEvent", type=kind, **key)

    def close(self) -> None:
        self._browser.call("Target.closeTarget", targetId=self._target)

    def errors(self) -> list[object]:
        """What the console has shown as errors or warnings so far."""
        self.evaluate("0")  # what happened before it has been reported when it is answered
        found: list[object] = []
        for event in self._browser.events:
            if event.get("sessionId") != self.session:
                continue
            method, params = event["method"], event.get("params", {})
            if method == "Runtime.exceptionThrown":
                found.append(params["exceptionDetails"])
            elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning"):
                found.append(params["args"])
            elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
                found.append(params["entry"])
        return found


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    browser = Browser(tmp_path_factory.mktemp("browser"))
    yield browser
    browser.close()


Open = Callable[[str], Tab]


@pytest.fixture
def opened(browser: Browser, demo: Any) -> Iterator[Open]:
    """Open a path of the demo server in a tab; all of them are checked at the end."""
    tabs: list[Tab] = []
    browser.events.clear()

    def opened(path: str) -> Tab:
        tab = Tab(browser, demo.url + path)
        tabs.append(tab)
        return tab

    yield opened
    asked = [
        urlsplit(str(event["params"]["request"]["url"]))
        for event in browser.events
        if event.get("method") == "Network.requestWillBeSent"
    ]
    assert asked
    assert {url.netloc for url in asked if url.scheme not in ("data", "blob")} == {
        demo.url.removeprefix("http://")
    }


def come_in(opened: Open, name: str) -> Tab:
    tab = opened("/chat")
    tab.see('#status[data-state="closed"]')
    tab.write("#name", name)
    tab.see('#status[data-state="open"]', name)
    return tab


def test_two_people_chat(opened: Open) -> None:
    ann = come_in(opened, "ann")
    bob = come_in(opened, "bob")
    ann.see("#log .note", "bob came in")
    ann.see('[data-person="bob"]')
    bob.see('[data-person="ann"]')

    # Everybody.
    ann.write("#message", "hello <b>all</b> & 🌿")
    bob.see("#log .message", "hello <b>all</b> & 🌿")
    ann.see("#log .message.mine", "hello <b>all</b> & 🌿")
    bob.write("#message", "hello yourself")
    ann.see("#log .message:not(.mine)", "hello yourself")

    # A room.
    ann.write("#room-name", "tea")
    ann.see('li.current [data-conversation="room:tea"]')
    ann.see("#log .note", "You joined tea")
    bob.click('[data-conversation="room:tea"]')
    bob.click("#join-room")
    bob.see("#log .note", "You joined tea")
    ann.see("#log .note", "bob joined")
    bob.write("#message", "one lump or two?")
    ann.see("#log .message:not(.mine)", "one lump or two?")
    ann.click('[data-conversation="all"]')
    ann.see("#log .message", "hello yourself")
    assert "one lump" not in ann.text("#log")

    # A whisper.
    cid = come_in(opened, "cid")
    ann.click('[data-person="bob"]')
    ann.see("#conversation-title", "bob")
    ann.write("#message", "psst")
    ann.see("#log .message.mine.private", "psst")
    bob.click('[data-conversation="dm:ann"]')
    bob.see("#log .message.private:not(.mine)", "psst")
    ann.click('[data-conversation="all"]')
    ann.write("#message", "nothing, nothing")
    cid.see("#log .message", "nothing, nothing")
    assert "psst" not in cid.evaluate("document.body.textContent")

    # A name can be had once.
    late = opened("/chat")
    late.write("#name", "bob")
    late.see("#join-error", "taken")
    late.write("#name", "dot")
    late.see('#status[data-state="open"]', "dot")
    (refusal,) = late.errors()  # the browser itself reports a handshake that was refused
    assert "409" in str(refusal)

    # One closes the tab.
    assert bob.errors() == []
    bob.close()
    for tab in (ann, cid):
        tab.see("#log .note", "bob left")
        assert not tab.evaluate("document.querySelector('[data-person=bob]')")
        assert tab.errors() == []
    ann.click('[data-conversation="room:tea"]')
    ann.see("#log .note", "bob left")


def test_the_landing_page_leads_to_each_demo(opened: Open, demo: Any) -> None:
    tab = opened("/")
    tab.see(".card h3 a")
    cards = tab.evaluate("[...document.querySelectorAll('.card h3 a')].map((a) => a.textContent)")
    assert len(cards) == 5
    for card in cards:
        with tab.loading():
            tab.click(".card h3 a", card)
        if card == "Chat":
            tab.write("#name", "visitor")
        else:
            tab.click("#connect")
        tab.see('#status[data-state="open"]')
        tab.go(demo.url)
    assert tab.errors() == []


def test_the_console_shows_what_goes_over_the_wire(opened: Open) -> None:
    tab = opened("/console?path=/ws/advanced")
    tab.click("#connect")
    tab.see('#status[data-state="open"]')
    tab.write("#message", '{"a": 1}', enter=False)
    tab.click("#send")
    tab.see('#log .frame.received[data-kind="json"] .body', '"echo": {')
    tab.write("#message", "xyz", enter=False)
    tab.click("#send")
    tab.see('#log .frame.received[data-kind="text"] .body', "Text received: xyz")
    tab.click("#send-bytes")
    tab.see('#log .frame.received[data-kind="binary"] .body', "78 79 7a")
    tab.click("#disconnect")
    tab.see('#status[data-state="closed"]')
    assert tab.errors() == []
