"""`greenroom serve`: uvicorn's command, with other defaults."""

import importlib.metadata
import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import click
import pytest
from uvicorn.main import main as uvicorn

from tests.transport.fast.raw import Raw, request
from tests.transport.wire_frames import TEXT, frame
from transport.__main__ import main
from transport.cli import DEFAULTS

ROOT = Path(__file__).parent.parent.parent
PATIENCE = 30.0
SERVE = ("transport", "serve")
HEAD = {"help", "version"}
OPTIONS = {
    str(option.name): option
    for option in uvicorn.params
    if isinstance(option, click.Option) and option.expose_value
}
BY_VARIABLE = sorted(name for name, option in OPTIONS.items() if not option.multiple)


def exit_code(run: Any, *arguments: str) -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["greenroom", *arguments])
        with pytest.raises(SystemExit) as exit_:
            run()
    code = exit_.value.code
    assert code is None or isinstance(code, int)
    return code or 0


def told(run: Any, *arguments: str) -> dict[str, Any]:
    """What uvicorn is told to run, if a command is given these arguments."""
    heard: list[dict[str, Any]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            sys.modules["uvicorn.main"],
            "run",
            lambda app, **rest: heard.append(rest | {"app": app}),
        )
        assert exit_code(run, *arguments) == 0
    (one,) = heard
    return one


def other(option: click.Option, file: Path) -> str:
    """A value that is not its default."""
    if option.is_flag or option.type is click.BOOL:
        return "false" if option.default else "true"
    if isinstance(option.type, click.Choice):
        return str(next(each for each in option.type.choices if each != option.default))
    return {"integer": "7", "float": "1.5", "path": str(file)}.get(option.type.name, "a:b")


def by_option(option: click.Option, file: Path) -> list[str]:
    value = other(option, file)
    if not option.is_flag:
        return [option.opts[0], value]
    return [option.opts[0] if value == "true" else option.secondary_opts[0]]


def ours(plain: dict[str, Any], *but: str) -> dict[str, Any]:
    return plain | {name: value for name, value in DEFAULTS.items() if name not in but}


def test_without_a_word_it_is_our_protocols() -> None:
    found = told(main, "serve", "module:app")
    assert found == ours(told(uvicorn, "module:app"))
    assert found["ws"] == "transport.fast:WebSocketProtocol"
    assert found["http"] == "transport.fast:HTTPProtocol"


@pytest.mark.parametrize("name", sorted(OPTIONS))
def test_each_of_uvicorns_options_is_one_and_wins(name: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    words = by_option(OPTIONS[name], file)
    plain = told(uvicorn, "module:app", *words)
    assert plain != told(uvicorn, "module:app")
    assert told(main, "serve", "module:app", *words) == ours(plain, name)
    assert told(main, "serve", "=".join(words), "module:app") == ours(plain, name)


@pytest.mark.parametrize("name", BY_VARIABLE)
def test_each_of_uvicorns_variables_is_one_and_wins(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.touch()
    untouched = told(uvicorn, "module:app")
    monkeypatch.setenv("UVICORN_APP", "module:app")
    monkeypatch.setenv(f"UVICORN_{name.upper()}", other(OPTIONS[name], file))
    plain = told(uvicorn)
    assert plain != untouched
    assert told(main, "serve") == ours(plain, name)


def test_options_may_be_several_and_one_may_come_often() -> None:
    words = ["--header", "a:b", "module:app", "--reload", "--header=c:d", "--ws", "wsproto"]
    found = told(main, "serve", *words)
    assert found == ours(told(uvicorn, *words), "ws")
    assert found["headers"] == [["a", "b"], ["c", "d"]]


def test_its_help_is_uvicorns(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(main, "serve", "--help") == 0
    shown = capsys.readouterr().out
    assert "Usage: greenroom serve [OPTIONS] APP" in shown
    assert [name for option in OPTIONS.values() for name in option.opts if name not in shown] == []
    assert "[default: transport.fast:WebSocketProtocol]" in " ".join(shown.split())
    assert exit_code(uvicorn, "--help") == 0
    assert "Greenroom" not in capsys.readouterr().out


def test_its_version(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda name: f"of {name}")
    assert exit_code(main, "--version") == 0
    assert capsys.readouterr().out == "greenroom of greenroom\n"


def test_without_a_command_it_says_which_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(main) == 2
    assert "serve " in "".join(capsys.readouterr())


def test_the_script_is_that_command() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["scripts"] == {"greenroom": f"{main.__module__}:{main.__name__}"}


def run(*arguments: str, without: str = "", app_dir: Path | None = None) -> tuple[int, str]:
    """`python ARGUMENTS` in a process of its own: its exit code, and what it says of errors."""
    program = (
        "import runpy, sys; sys.modules.update(dict.fromkeys(sys.argv.pop(1).split()));"
        "runpy.run_module(sys.argv.pop(1), run_name='__main__', alter_sys=True)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, without, *arguments],
        cwd=app_dir,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.stdout == ""
    return done.returncode, done.stderr


@pytest.mark.parametrize("missing", ["picows", "typer", "uvicorn"])
def test_what_is_not_installed_is_told_in_a_line(missing: str) -> None:
    code, said = run("transport", "serve", "module:app", without=missing)
    assert said == f"greenroom needs {missing}: pip install 'greenroom[server]'\n"
    assert code == 1


def test_another_protocol_does_without_picows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "picows", None)
    assert told(main, "serve", "module:app", "--ws", "wsproto")["ws"] == "wsproto"


@pytest.mark.parametrize(
    "app",
    ["nowhere:app", "broken:app", "empty:app", "empty"],
    ids=lambda app: app.replace(":", "-"),
)
def test_an_application_that_is_none_is_uvicorns_error(app: str, tmp_path: Path) -> None:
    (tmp_path / "empty.py").touch()
    (tmp_path / "broken.py").write_text("import nothing_like_it\n")
    code, said = run("transport", "serve", app, app_dir=tmp_path)
    plain_code, plain = run("uvicorn", app, app_dir=tmp_path)
    assert (code, said.splitlines()[-1:]) == (plain_code, plain.splitlines()[-1:])
    assert code != 0
    assert said.startswith(plain.splitlines()[0])


def ask(raw: Raw) -> None:
    """Say something along with the handshake, which only ours answers, and wait for the answer."""
    says = frame(TEXT, json.dumps({"type": "say", "text": "early"}).encode())
    raw.send(request("/probe?who=one") + says)
    assert json.loads(raw.opened().text())["text"] == "early"


def dismissed(raw: Raw) -> None:
    assert json.loads(raw.text())["text"] == "draining"
    code, reason = raw.closed()
    assert code == 1001
    assert reason.startswith("retry after ")


@pytest.mark.parametrize("workers", [1, 2])
def test_at_sigterm_it_drains_and_ends(serve: Any, workers: int) -> None:
    server = serve("applications:app", command=SERVE, workers=workers)
    with Raw(server) as raw:
        ask(raw)
        server.process.send_signal(signal.SIGTERM)
        dismissed(raw)
        ended = server.process.wait(PATIENCE)
    assert ended == (-signal.SIGTERM if workers == 1 else 0)
    assert "Application shutdown complete" in server.log()


def test_a_reload_drains_and_so_does_the_end(serve: Any, tmp_path: Path) -> None:
    code = tmp_path / "watched" / "code.py"
    code.parent.mkdir()
    code.touch()
    server = serve(
        "applications:app", command=SERVE, reload=True, reload_dir=code.parent, reload_delay=0.05
    )
    with Raw(server) as before:
        ask(before)
        later = time.time() + 10
        os.utime(code, (later, later))
        dismissed(before)
    with Raw(server) as after:  # in the backlog until the next process listens
        ask(after)
        server.process.send_signal(signal.SIGTERM)
        dismissed(after)
        server.process.wait(PATIENCE)
