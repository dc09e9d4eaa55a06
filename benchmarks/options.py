"""The command line, the same for every benchmark."""

import argparse
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for: `rounds` of each contender, a `quick` smoke run, `json` for machines,
    `only` those with such a word in their names, and the results' file that is to have it."""

    rounds: int
    quick: bool
    json: bool
    only: tuple[str, ...] = ()
    into: Path | None = None

    def leaves_out(self, name: str, peer: bool = False) -> bool:
        """Whether that contender was not asked for. A quick run does without the peers, unless
        they are named."""
        if self.only:
            return not any(word.lower() in name.lower() for word in self.only)
        return peer and self.quick


def parse(
    name: str, description: str | None, arguments: list[str] | None = None, rounds: int = 5
) -> Options:
    """Read the command line of `python -m benchmarks.NAME`; exits on a wrong one.

    `rounds`: how many, where nothing is said and it is no quick run.
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{name}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--rounds",
        type=_positive,
        help=f"rounds of each contender (default {rounds}, with --quick 1)",
    )
    parser.add_argument(
        "--quick", action="store_true", help="a few seconds: shows that it runs, not how fast"
    )
    parser.add_argument("--json", action="store_true", help="one line of JSON instead of a table")
    parser.add_argument(
        "--only", action="append", metavar="WORD", help="contenders with that in their names"
    )
    parser.add_argument(
        "--into", type=Path, metavar="FILE", help="put the results into that JSON file as well"
    )
    given = parser.parse_args(arguments)
    return Options(
        rounds=given.rounds or (1 if given.quick else rounds),
        quick=given.quick,
        json=given.json,
        only=tuple(given.only or ()),
        into=given.into,
    )


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number
