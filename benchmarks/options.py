"""The command line, the same for every benchmark."""

import argparse
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for: `rounds` of each contender, a `quick` smoke run, `json` for machines."""

    rounds: int
    quick: bool
    json: bool


def parse(name: str, description: str | None, arguments: list[str] | None = None) -> Options:
    """Read the command line of `python -m benchmarks.NAME`; exits on a wrong one."""
    parser = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{name}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--rounds", type=_positive, help="rounds of each contender (default 5, with --quick 1)"
    )
    parser.add_argument(
        "--quick", action="store_true", help="a few seconds: shows that it runs, not how fast"
    )
    parser.add_argument("--json", action="store_true", help="one line of JSON instead of a table")
    given = parser.parse_args(arguments)
    rounds = given.rounds or (1 if given.quick else 5)
    return Options(rounds=rounds, quick=given.quick, json=given.json)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number
