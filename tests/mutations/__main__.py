"""Breaks the runtime on purpose, one promise at a time, and checks that a test fails for each.

    python tests/mutations [--only NAME] [--list]

Outside of the suite, since it runs a part of it once for each mutant. A mutant is a mistake that
somebody could make: its text has to be in the code exactly once, so keep the table up with the
code. Each is tried in a copy of the checkout, two at a time; a test that hangs has failed as well,
and the table says so. Exits with 1 when a mutant survives: then a promise has no test.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import asking
import bursts
import client
import clients
import command
import connections
import fast
import frames
import gate
import groups
import kit
import lives
import mailboxes
import messages
import supervision
from mutant import Edit, Mutant

ROOT = Path(__file__).resolve().parent.parent.parent
PARALLEL = 2
HANG = 25
"""Seconds after which a test hangs; a passing one takes a few."""
LIMIT = 60.0
"""Seconds for the tests of one mutant."""
LIMIT_UNBROKEN = 900.0
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", "__pycache__", ".hypothesis", ".mypy_cache", ".pytest_cache", ".ruff_cache"
)

MUTANTS = [
    each
    for part in (
        *(messages, mailboxes, asking, lives, supervision, groups),
        *(connections, frames, clients, gate, kit, client, fast, bursts, command),
    )
    for each in part.MUTANTS
]


@dataclass(frozen=True)
class Outcome:
    """What the tests said of a mutant."""

    mutant: Mutant
    verdict: str
    """`found`, `hang` (found by a time limit), `survived`, or `broken`: the run says nothing."""
    by: str
    seconds: float
    output: str


def say(text: str) -> None:
    """Print at once, also into a file."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def check_table() -> list[str]:
    """What is wrong with the table, as it stands to the code."""
    names = Counter(mutant.name for mutant in MUTANTS)
    wrong = [f"{number} are called {name!r}" for name, number in names.items() if number > 1]
    for mutant in MUTANTS:
        for edit in mutant.edits:
            found = (ROOT / edit.file).read_text(encoding="utf-8").count(edit.old)
            if found != 1:
                wrong.append(f"{mutant.name!r}: its text is {found} times in {edit.file}")
        files = {test.partition("::")[0] for test in mutant.tests}
        missing = [file for file in files if not (ROOT / file).is_file()]
        wrong += [f"{mutant.name!r}: there is no {file}" for file in missing]
    return wrong


def copy(folder: str, edits: Iterable[Edit] = ()) -> Path:
    """A copy of the checkout with the edits made."""
    checkout = Path(folder) / "checkout"
    shutil.copytree(ROOT, checkout, ignore=LEFT_OUT, symlinks=True)
    for edit in edits:
        path = checkout / edit.file
        path.write_text(path.read_text(encoding="utf-8").replace(edit.old, edit.new), "utf-8")
    return checkout


def run_tests(checkout: Path, tests: Iterable[str], limit: float) -> tuple[int | None, str]:
    """Pytest's exit code, `None` past the limit; and its output."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--tb=line"]
    command += [f"--timeout={HANG}", "--timeout-method=thread", "--hypothesis-seed=0", *tests]
    environment = {**os.environ, "PYTHONPATH": str(checkout), "PYTHONDONTWRITEBYTECODE": "1"}
    with subprocess.Popen(
        command,
        cwd=checkout,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return None, process.communicate()[0]
    return process.returncode, output


def judge(code: int | None, output: str) -> tuple[str, str]:
    """The verdict, and the test that gave it."""
    failed = re.search(r"^(?:FAILED|ERROR) (\S+)", output, re.MULTILINE)
    by = failed[1] if failed else ""
    if code == 0:
        return "survived", ""
    if code is None or "+ Timeout +" in output:
        hung = re.search(r'File "\S*/(tests/\S+)", line \d+, in (test_\w+)', output)
        return "hang", by or (f"{hung[1]}::{hung[2]}" if hung else "by a time limit")
    return ("found" if code == 1 and failed else "broken"), by


def attempt(mutant: Mutant) -> Outcome:
    """Try one mutant."""
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        code, output = run_tests(copy(folder, mutant.edits), mutant.tests, LIMIT)
    verdict, by = judge(code, output)
    outcome = Outcome(mutant, verdict, by, time.monotonic() - begun, output)
    say(f"{verdict:8} {outcome.seconds:5.1f} s  {mutant.name}")
    return outcome


def unbroken(mutants: Iterable[Mutant]) -> bool:
    """Whether the tests pass in a copy in which nothing is broken, and test that copy."""
    named = dict.fromkeys(test for mutant in mutants for test in mutant.tests)
    whole = {test for test in named if "::" not in test}
    tests = [test for test in named if test in whole or test.partition("::")[0] not in whole]
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        checkout = copy(folder)
        where = subprocess.run(
            [sys.executable, "-c", "import actors; print(actors.__file__)"],
            cwd=checkout,
            env={**os.environ, "PYTHONPATH": str(checkout)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        if not Path(where).resolve().is_relative_to(checkout.resolve()):
            say(f"the tests would test {where}")
            return False
        code, output = run_tests(checkout, tests, LIMIT_UNBROKEN)
    if code != 0:
        say(f"{output}\nthe tests fail although nothing is broken")
    return code == 0


def report(outcomes: list[Outcome]) -> None:
    """The table."""
    width = max(len(outcome.mutant.name) for outcome in outcomes)
    say("")
    for outcome in outcomes:
        by = outcome.by.removeprefix("tests/")
        say(f"{outcome.verdict:8}  {outcome.mutant.name:{width}}  {by or '-'}")
    for outcome in outcomes:
        if outcome.verdict in ("survived", "broken"):
            tests = " ".join(outcome.mutant.tests)
            say(
                f"\n{outcome.verdict}: {outcome.mutant.name}\n  {outcome.mutant.promise}\n  {tests}"
            )
            if outcome.verdict == "broken":
                say(outcome.output[-2000:])
    counts = [
        f"{sum(outcome.verdict == verdict for outcome in outcomes)} {verdict}"
        for verdict in ("found", "hang", "survived", "broken")
    ]
    say(f"\n{len(outcomes)} mutants: {', '.join(counts)}")


def main() -> int:
    """The command; its exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", metavar="NAME", action="append", help="those with it in the name")
    parser.add_argument("--list", action="store_true", help="what there is, and run nothing")
    options = parser.parse_args()
    wrong = check_table()
    if wrong:
        say("\n".join(["the table is not up with the code:", *wrong]))
        return 2
    mutants = [
        mutant
        for mutant in MUTANTS
        if not options.only or any(name in mutant.name for name in options.only)
    ]
    if options.list or not mutants:
        say("\n".join(f"{mutant.name}: {mutant.promise}" for mutant in mutants))
        return 0 if mutants else 2
    if not unbroken(mutants):
        return 2
    with ThreadPoolExecutor(PARALLEL) as pool:
        outcomes = list(pool.map(attempt, mutants))
    report(outcomes)
    return int(any(outcome.verdict in ("survived", "broken") for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
