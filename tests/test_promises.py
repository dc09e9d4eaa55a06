"""The page of promises: each of them names tests, and those exist."""

import ast
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "PROMISES.md"
SECTIONS = [
    "Messages",
    "Mailboxes",
    "Asking",
    "Lives",
    "Supervision",
    "Pools",
    "Groups",
    "Connections",
    "Our own protocol",
    "The command",
    "The test kit",
    "The test client",
]
TEST = re.compile(r"`(tests/[\w/.]+)::(\w+)`")


@dataclass
class Promise:
    """An item of the page's lists."""

    line: int
    section: str
    text: str
    tests: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])


def promises_of(page: str) -> list[Promise]:
    """The items of each section; a line of one may hold text or tests, not both."""
    promises: list[Promise] = []
    section = ""
    for number, line in enumerate(page.splitlines(), 1):
        if line.startswith("## "):
            section = line.removeprefix("## ")
        elif line.startswith("- "):
            promises.append(Promise(number, section, line))
        elif line.startswith("  ") and promises:
            tests = TEST.findall(line)
            promises[-1].tests += tests
            if not tests:
                promises[-1].text += line
    return promises


PROMISES = promises_of(PAGE.read_text(encoding="utf-8"))


@cache
def found_in(file: str) -> frozenset[str]:
    """The tests at the top of a file: functions, and what state machines are assigned to."""
    path = ROOT / file
    if not path.is_file():
        return frozenset()
    names: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return frozenset(name for name in names if name.startswith(("test_", "Test")))


def test_the_parser_sees_each_promise() -> None:
    page = "# A\n\n## B\n\n- **One**\n  more\n  `tests/a.py::test_b`\n\n## C\n- Two\n"
    one, two = promises_of(page)
    assert (one.section, one.text, one.tests) == (
        "B",
        "- **One**  more",
        [("tests/a.py", "test_b")],
    )
    assert (two.line, two.section, two.tests) == (10, "C", [])
    assert "test_the_parser_sees_each_promise" in found_in("tests/test_promises.py")
    assert "TestMailboxMachine" in found_in("tests/actors/test_mailbox.py")
    assert found_in("tests/nowhere.py") == frozenset()


def test_every_section_is_there_and_promises_something() -> None:
    headings = re.findall(r"^## (.*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert headings == SECTIONS
    assert set(SECTIONS) == {promise.section for promise in PROMISES}


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: f"line {promise.line}")
def test_a_promise_names_tests_that_exist(promise: Promise) -> None:
    assert promise.tests, f"PROMISES.md:{promise.line} has no test: {promise.text}"
    assert len(promise.tests) == len(set(promise.tests))
    missing = [f"{file}::{name}" for file, name in promise.tests if name not in found_in(file)]
    assert not missing


def test_no_test_is_named_in_a_way_that_goes_unseen() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page.count("::") == sum(len(promise.tests) for promise in PROMISES)
