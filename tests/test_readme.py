"""Every block of Python in the README does what it says.

A block is a complete program: it runs by itself in a fresh interpreter, with warnings as errors,
and passes mypy and pyright, both strict. An HTML comment in the line above says otherwise:

    <!-- test: continues -->      goes on where the block before it ended
    <!-- test: pytest -->         holds tests, and is run by pytest
    <!-- test: skip-run -->       is checked, but not run (it would not end)
    <!-- test: untyped -->        is run, but not checked
    <!-- test: types-only -->     the same as skip-run

What a block defines may be exercised besides; see `EXERCISES`.
"""

import ast
import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from fastapi.testclient import TestClient
from starlette.testclient import WebSocketDenialResponse

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PATIENCE = 50.0
MARKS = {"continues", "pytest", "skip-run", "untyped", "types-only"}
FENCE = re.compile(r"^(?P<indent> *)(?P<fence>`{3,}|~{3,}) *(?P<info>[^\n`]*)$")
MARK = re.compile(r"<!--\s*test:\s*(.*?)\s*-->")


@dataclass(frozen=True)
class Block:
    """A fenced block of the README. `before`: the source that it continues."""

    line: int
    source: str
    marks: frozenset[str]
    before: str = ""

    @property
    def program(self) -> str:
        return self.before + self.source

    @property
    def name(self) -> str:
        return f"readme_line_{self.line}"


def blocks_of(text: str) -> list[Block]:
    """The Python blocks of a Markdown text; raises `ValueError` for one without an end."""
    blocks: list[Block] = []
    lines = text.splitlines()
    at = 0
    while at < len(lines):
        opening = FENCE.match(lines[at])
        at += 1
        if opening is None:
            continue
        start, closing = at, re.compile(rf" *{opening['fence']}[`~]* *$")
        while at < len(lines) and not closing.match(lines[at]):
            at += 1
        if at == len(lines):
            raise ValueError(f"the block in line {start} has no end")
        if opening["info"].split()[:1] in (["python"], ["py"], ["python3"]):
            indent = len(opening["indent"])
            source = "".join(line[indent:] + "\n" for line in lines[start:at])
            above = next((line for line in reversed(lines[: start - 1]) if line.strip()), "")
            mark = MARK.fullmatch(above.strip())
            marks = frozenset(mark[1].split() if mark else ())
            before = blocks[-1].program + "\n\n" if "continues" in marks else ""
            blocks.append(Block(start, source, marks, before))
        at += 1
    return blocks


BLOCKS = blocks_of(README.read_text(encoding="utf-8"))
RUN = [block for block in BLOCKS if not block.marks & {"skip-run", "types-only"}]
TYPED = [block for block in BLOCKS if "untyped" not in block.marks]


def test_blocks_are_found() -> None:
    text = """
```python
a = 1
```
<!-- test: continues skip-run -->

  ```python title="x"
  if a:
      b = 2
  ```
````markdown
```python
not this
```
````
```
nor this
```
"""
    first, second = blocks_of(text)
    assert first == Block(2, "a = 1\n", frozenset())
    assert second.source == "if a:\n    b = 2\n"
    assert second.program == "a = 1\n\n\nif a:\n    b = 2\n"
    assert second.marks == {"continues", "skip-run"}
    with pytest.raises(ValueError, match="line 1 has no end"):
        blocks_of("```python\nx\n")


def test_the_readme_has_blocks_and_its_marks_are_known() -> None:
    assert len(BLOCKS) >= 2
    # None has slipped through, whatever its fence looks like.
    assert len(BLOCKS) == len(re.findall(r"^\s*[`~]{3,}\s*py", README.read_text(), re.MULTILINE))
    for block in BLOCKS:
        assert block.marks <= MARKS, f"line {block.line}"
    assert len(MARK.findall(README.read_text())) == sum(bool(block.marks) for block in BLOCKS)


def write(block: Block, folder: Path) -> Path:
    path = folder / f"{block.name}.py"
    path.write_text(block.program, encoding="utf-8")
    return path


@pytest.mark.parametrize("block", RUN, ids=lambda block: f"line {block.line}")
def test_a_block_runs(block: Block, tmp_path: Path) -> None:
    path = write(block, tmp_path)
    runner = ["-m", "pytest", "-q", "-p", "no:cacheprovider"] if "pytest" in block.marks else []
    done = subprocess.run(
        [sys.executable, "-W", "error", *runner, str(path)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, f"README.md, line {block.line}:\n{done.stdout}{done.stderr}"


@pytest.fixture(scope="module")
def typed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the blocks that are to be checked, and both checkers' configuration."""
    folder = tmp_path_factory.mktemp("readme")
    for block in TYPED:
        write(block, folder)
    pyright = {"typeCheckingMode": "strict", "pythonVersion": "3.11", "extraPaths": [str(ROOT)]}
    (folder / "pyrightconfig.json").write_text(json.dumps(pyright))
    (folder / "mypy.ini").write_text("[mypy]\nstrict = true\npython_version = 3.11\n")
    return folder


def check(typed: Path, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=typed,
        env={**os.environ, "MYPYPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, f"(the file's name has its line)\n{done.stdout}{done.stderr}"


def test_mypy_is_content(typed: Path) -> None:
    files = [f"{block.name}.py" for block in TYPED]
    cache = ROOT / ".mypy_cache" / "readme"  # a first run fills it, and takes longer
    check(typed, "mypy", "--strict", "--config-file=mypy.ini", f"--cache-dir={cache}", *files)


def test_pyright_is_content(typed: Path) -> None:
    check(typed, "pyright", "-p", str(typed), "--pythonpath", sys.executable)


def statements(source: str) -> list[str]:
    """The lines that are neither blank nor part of an import."""
    imports = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    skipped = {line for node in imports for line in range(node.lineno, (node.end_lineno or 0) + 1)}
    lines = enumerate(source.splitlines(), 1)
    return [line for number, line in lines if line.strip() and number not in skipped]


def test_the_first_block_is_a_chat_server_in_fifteen_lines() -> None:
    assert statements("import a\nfrom b import (\n  c,\n)\n\nx = 1\n# y\n") == ["x = 1", "# y"]
    first = BLOCKS[0]
    assert not first.marks
    assert len(first.source.splitlines()) < 40
    assert 3 < len(statements(first.source)) <= 15


def load(block: Block, folder: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location(block.name, write(block, folder))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, block.name, module)
    spec.loader.exec_module(module)
    return module


def exercise_chat(module: Any) -> None:
    """The chat server: two clients in the lobby hear each other, and nobody elsewhere does."""
    with (
        TestClient(module.app) as client,
        client.websocket_connect("/rooms/lobby/ann") as ann,
        client.websocket_connect("/rooms/tea/cid") as cid,
    ):
        # Whoever has been answered is in.
        ann.send_json({"type": "say", "text": "alone"})
        assert ann.receive_json() == {"type": "said", "who": "ann", "text": "alone"}
        with client.websocket_connect("/rooms/lobby/bob") as bob:
            for speaker, name in ((bob, "bob"), (ann, "ann"), (bob, "bob")):
                speaker.send_json({"type": "say", "text": f"{name} speaks"})
                for socket in (ann, bob):
                    said = {"type": "said", "who": name, "text": f"{name} speaks"}
                    assert socket.receive_json() == said
            # "Anything else is answered by an error frame that says what is wrong and where."
            bob.send_json({"type": "say", "text": 5})
            error = bob.receive_json()
            assert (error["type"], error["code"], error["path"]) == ("error", "invalid", "$.text")
            bob.send_text("hello")
            assert bob.receive_json()["code"] == "malformed"
        cid.send_json({"type": "say", "text": "tea"})
        assert cid.receive_json() == {"type": "said", "who": "cid", "text": "tea"}
        ann.send_json({"type": "say", "text": "alone again"})
        assert ann.receive_json()["text"] == "alone again"


def exercise_inbox(module: Any) -> None:
    """Dependencies, names, and messages from HTTP routes."""
    with TestClient(module.app) as client:
        with pytest.raises(WebSocketDenialResponse) as refusal:
            client.websocket_connect("/inbox/1").__enter__()
        assert refusal.value.status_code == 401
        assert client.post("/notices/1", params={"notice": "x"}).json() is False
        with client.websocket_connect("/inbox/1?token=secret") as inbox:
            inbox.send_text("hello")
            assert inbox.receive_text() == "ann: hello"
            assert client.post("/notices/1", params={"notice": "one"}).json() is True
            assert inbox.receive_json() == {"type": "notice", "text": "one"}
            assert client.post("/notices", params={"notice": "all"}).json() == 1
            assert inbox.receive_json() == {"type": "notice", "text": "all"}
            with pytest.raises(WebSocketDenialResponse) as refusal:
                client.websocket_connect("/inbox/1?token=secret").__enter__()
            assert refusal.value.status_code == 409


def exercise_member(module: Any) -> None:
    """Origins, tokens, what one may and may not."""
    ann = {"subprotocols": ["greenroom", "bearer.secret"]}
    bob = {"headers": {"authorization": "Bearer open sesame"}}
    evil = {**bob, "headers": {**bob["headers"], "origin": "https://evil.com"}}
    other = {**bob, "headers": {**bob["headers"], "origin": "https://a.example.com"}}
    with TestClient(module.app) as client:
        for options, status in (({}, 401), ({"subprotocols": ["bearer.secret"]}, 400), (evil, 403)):
            with pytest.raises(WebSocketDenialResponse) as refusal:
                client.websocket_connect("/member", **options).__enter__()
            assert refusal.value.status_code == status
        for options, name, allowed in (
            (ann, "ann", True),
            (bob, "bob", False),
            (other, "bob", False),
        ):
            with client.websocket_connect("/member", **options) as socket:
                assert socket.accepted_subprotocol == ("greenroom" if options is ann else None)
                for room in ("tea", "staff"):
                    socket.send_json({"type": "join", "room": room})
                    if allowed or room == "tea":
                        assert socket.receive_text() == f"{name} is in {room}"
                    else:
                        assert socket.receive_json()["code"] == "forbidden"
                socket.send_json({"type": "refresh", "token": "stolen"})
                assert socket.receive_json()["detail"] == "that is not you"


EXERCISES: dict[str, Callable[[Any], None]] = {
    "Chat": exercise_chat,
    "Inbox": exercise_inbox,
    "Member": exercise_member,
}
"""By a class that the block defines."""


@pytest.mark.parametrize("name", EXERCISES)
def test_a_block_does_what_the_readme_says(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    block = next((each for each in BLOCKS if f"\nclass {name}(" in each.source), None)
    assert block is not None, f"no block defines {name}"
    EXERCISES[name](load(block, tmp_path, monkeypatch))


def test_the_chat_server_comes_first() -> None:
    assert "\nclass Chat(" in BLOCKS[0].source
