"""What the type checkers infer of the public API."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
SNIPPET = Path(__file__).with_name("replies.py")
REVEAL = re.compile(r"# reveal: (.+)$")

pytestmark = pytest.mark.timeout(180)  # a checker starts with an empty cache


def expected() -> tuple[dict[int, str], set[int]]:
    """The types to reveal, by line, and the lines that must be refused."""
    revealed: dict[int, str] = {}
    refused: set[int] = set()
    for number, line in enumerate(SNIPPET.read_text().splitlines(), 1):
        reveal = REVEAL.search(line)
        if reveal is not None:
            revealed[number] = reveal[1]
        elif line.endswith("# error"):
            refused.add(number)
    return revealed, refused


def plain(type_name: str) -> str:
    """A type as both checkers would write it."""
    return re.sub(r"\b(builtins|actors\.\w+)\.", "", type_name)


def run(*command: str) -> str:
    result = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=170, check=False
    )
    assert result.stdout, result.stderr
    return result.stdout


def test_mypy(tmp_path: Path) -> None:
    output = run(
        *(sys.executable, "-m", "mypy", "--strict", "--no-error-summary"),
        *("--show-absolute-path", "--no-pretty", "--cache-dir", str(tmp_path), "--config-file="),
        *("--hide-error-context", str(SNIPPET)),
    )
    revealed: dict[int, str] = {}
    refused: set[int] = set()
    for line in output.splitlines():
        found = re.match(r"(.+?):(\d+): (error|note): (.*)", line)
        assert found is not None, output
        path, number, level, text = found.groups()
        assert Path(path) == SNIPPET, output
        reveal = re.search(r'Revealed type is "(.*)"', text)
        if reveal is not None:
            revealed[int(number)] = plain(reveal[1])
        elif level == "error":
            refused.add(int(number))
    assert (revealed, refused) == expected()


def test_pyright(tmp_path: Path) -> None:
    # A project of its own, since ours leaves the tests out.
    (tmp_path / SNIPPET.name).write_text(SNIPPET.read_text())
    project = tmp_path / "pyrightconfig.json"
    project.write_text(
        json.dumps({"include": ["."], "extraPaths": [str(ROOT)], "typeCheckingMode": "strict"})
    )
    output = json.loads(
        run(
            *(sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "--outputjson"),
            *("--project", str(project)),
        )
    )
    revealed: dict[int, str] = {}
    refused: set[int] = set()
    for diagnostic in output["generalDiagnostics"]:
        number = diagnostic["range"]["start"]["line"] + 1
        reveal = re.search(r'Type of ".*" is "(.*)"', diagnostic["message"], re.DOTALL)
        if reveal is not None:
            revealed[number] = plain(reveal[1])
        elif diagnostic["severity"] == "error":
            refused.add(number)
    assert (revealed, refused) == expected()
