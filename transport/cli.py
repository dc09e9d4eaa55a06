"""The command `greenroom`: uvicorn's own, with our WebSocket protocol.

uvicorn's command parses the arguments, so each of its options is one of `greenroom serve`, with its
`UVICORN_...` variable, whatever uvicorn's version.
"""

import copy
import importlib.metadata
import importlib.util
from typing import Annotated, Any

import typer
from uvicorn.main import main as uvicorn

FAST = "transport.fast:WebSocketProtocol"
DEFAULTS = {
    "ws": FAST,
    "http": "transport.fast:HTTPProtocol",
}
"""Where neither an option nor a variable says otherwise."""
ABOUT = """Serve APP, as in module:app, by uvicorn with Greenroom's WebSocket protocol.

The options are uvicorn's, and so are the variables (UVICORN_PORT, and so on). Only the defaults of
--ws and --http are others: with --ws auto --http auto this is plain uvicorn."""

greenroom = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,  # plain, as uvicorn's part of it is
    pretty_exceptions_enable=False,  # an application's error looks as it does under uvicorn
)


def say_version(asked: bool) -> None:
    if not asked:
        return
    try:
        version = importlib.metadata.version("greenroom")
    except importlib.metadata.PackageNotFoundError:
        version = "(not installed: a checkout)"
    typer.echo(f"greenroom {version}")
    raise typer.Exit


@greenroom.callback()
def root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=say_version, is_eager=True, help="Say it and exit."),
    ] = False,
) -> None:
    """Actors for FastAPI WebSockets."""


@greenroom.command(
    add_help_option=False,  # uvicorn's command has one
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def serve(context: typer.Context) -> None:
    """Serve an application, as in `greenroom serve module:app`."""
    command = copy.copy(uvicorn)
    command.help = ABOUT
    run = command.callback
    assert run is not None

    def checked(**options: Any) -> None:
        if options["ws"] == FAST and importlib.util.find_spec("picows") is None:
            raise ModuleNotFoundError(name="picows")
        run(**options)

    command.callback = checked
    command.main(context.args, prog_name=context.command_path, default_map=dict(DEFAULTS))
