"""All benchmarks, one after the other: `python -m benchmarks.suite`, or `make bench`.

Each is a process of its own and prints its tables. What came of them is put into `results.json`
beside this file; from that the chart `results.svg` is drawn, and the table in the README written.
Options go to each benchmark: `--rounds 1`, say. With `--quick` no file is touched.
"""

import subprocess
import sys
import tempfile
from pathlib import Path
from time import monotonic

NAMES = (
    *("mailbox", "ask", "spawn"),
    *("echo", "fanout", "stall"),
    *("latency", "connect", "memory"),
    "growth",
)

_FOLDER = Path(__file__).parent
_ROOT = _FOLDER.parent
RESULTS = _FOLDER / "results.json"
CHART = _FOLDER / "results.svg"
README = _ROOT / "README.md"


def run(arguments: list[str]) -> None:
    """Run them all; raises CalledProcessError when one fails, and touches no file then."""
    begun = monotonic()
    keeps = "--quick" not in arguments
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / RESULTS.name
        into = ["--into", str(fresh)] if keeps else []
        for name in NAMES:
            _python(f"benchmarks.{name}", *arguments, *into)
            print(f"({monotonic() - begun:.0f} s)\n", flush=True)
        if keeps:
            RESULTS.write_text(fresh.read_text())
    if keeps:
        _python("benchmarks.chart", str(RESULTS), str(CHART))
        _python("benchmarks.digest", str(RESULTS), str(README))


def _python(module: str, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", module, *arguments], cwd=_ROOT, check=True)


if __name__ == "__main__":
    run(sys.argv[1:])
