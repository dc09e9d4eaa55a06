"""`greenroom`, or `python -m transport`."""

import sys

NEEDED = {"picows", "typer", "uvicorn"}


def main() -> None:
    """The command. Where a package of the extra `server` is missing, it says so and exits with 1.

    Raises `SystemExit` in any case.
    """
    try:
        from .cli import greenroom

        greenroom(prog_name="greenroom")
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in NEEDED:  # an application's own
            raise
        sys.exit(f"greenroom needs {missing}: pip install 'greenroom[server]'")


if __name__ == "__main__":
    main()
