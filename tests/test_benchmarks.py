"""The benchmarks run, and say what they measured. How fast anything is, is not asked here."""

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
PATIENCE = 50.0
NAMES = ["mailbox", "ask", "spawn", "echo", "fanout", "stall", "memory"]


@pytest.mark.parametrize("name", NAMES)
def test_a_quick_run(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", f"benchmarks.{name}", "--quick", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1
    report = json.loads(done.stdout)
    assert set(report) == {"name", "rounds", "quick", "figures", "notes", "versions"}
    assert (report["name"], report["rounds"], report["quick"]) == (name, 1, True)
    assert any("quick run" in note for note in report["notes"])
    assert {"python", "system", "anyio", "msgspec"} <= set(report["versions"])
    assert report["figures"]
    for figure in report["figures"]:
        check_figure(figure, report["rounds"])


def check_figure(figure: dict[str, Any], rounds: int) -> None:
    assert set(figure) == {"name", "unit", "lower_is_better", "contenders"}
    assert figure["name"]
    assert figure["unit"]
    assert isinstance(figure["lower_is_better"], bool)
    contenders = figure["contenders"]
    assert len(contenders) >= 2
    assert any(name.startswith("greenroom") for name in contenders)
    for name, standing in contenders.items():
        assert set(standing) == {"ratio", "median", "rounds"}
        assert len(standing["rounds"]) == rounds
        assert all(value > 0 for value in standing["rounds"]), (figure["name"], name)
        assert min(standing["rounds"]) <= standing["median"] <= max(standing["rounds"])
        assert standing["ratio"] > 0
    first = next(iter(contenders.values()))
    assert first["ratio"] == 1.0


def test_these_are_all() -> None:
    folder = ROOT / "benchmarks"
    assert [path.parent.name for path in folder.glob("*/__main__.py")] == ["soak"]  # no benchmark
    found = [path.stem for path in folder.glob("*.py")]
    mains = [
        name for name in found if hasattr(importlib.import_module(f"benchmarks.{name}"), "main")
    ]
    assert sorted(mains) == sorted(NAMES)
    makefile = (ROOT / "Makefile").read_text()
    assert f"for name in {' '.join(NAMES)}; do" in makefile
    assert "-m benchmarks.soak" in makefile


def test_a_table_for_people() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.ask", "--quick", "--rounds", "2"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert "median of 2 rounds" in done.stdout
    assert "greenroom" in done.stdout
    assert "ratio" in done.stdout


@pytest.mark.parametrize("wrong", [["--rounds", "0"], ["--rounds", "x"], ["--no-such-option"]])
def test_a_wrong_command_line_is_refused(wrong: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.mailbox", *wrong],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert "usage: python -m benchmarks.mailbox" in done.stderr
