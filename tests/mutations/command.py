"""Mutants of the command `greenroom`."""

from mutant import Edit, Mutant, edit, mutant

TESTS = "tests/transport/test_cli.py"


def broken(name: str, promise: str, old: str, new: str, *more: Edit) -> Mutant:
    return mutant(name, promise, [edit("transport/cli.py", old, new), *more], TESTS)


MUTANTS = [
    broken(
        "the protocol is uvicorn's",
        "it serves by our own protocol",
        '    "ws": FAST,\n',
        "",
    ),
    broken(
        "HTTP is httptools where there is one",
        "what comes with the handshake is not lost",
        '    "http": "transport.fast:HTTPProtocol",\n',
        "",
    ),
    broken(
        "our protocol it is, whatever is said",
        "what is asked for wins",
        "        run(**options)",
        "        run(**options | DEFAULTS)",
    ),
    broken(
        "our protocol is an option in front, and no default",
        "a variable wins too",
        "command.main(context.args, prog_name=context.command_path, default_map=dict(DEFAULTS))",
        'command.main(["--ws", FAST, "--http", "h11", *context.args])',
    ),
    broken(
        "unknown options are refused",
        "uvicorn's options are its own",
        '"ignore_unknown_options": True',
        '"ignore_unknown_options": False',
    ),
    broken(
        "its help is its own",
        "its help has uvicorn's options",
        "    add_help_option=False,  # uvicorn's command has one\n",
        "",
    ),
    broken(
        "uvicorn's own command is changed",
        "uvicorn is left as it is",
        "copy.copy(uvicorn)",
        "uvicorn",
    ),
    broken(
        "picows is missed when it is too late",
        "what is missing is told",
        'if options["ws"] == FAST and',
        'if options["ws"] is FAST and not',
    ),
    broken(
        "picows is missed by who does without",
        "another protocol needs no picows",
        'if options["ws"] == FAST and',
        "if",
    ),
    broken(
        "errors are made pretty",
        "an application's error is uvicorn's",
        "    pretty_exceptions_enable=False,",
        "",
    ),
    broken(
        "its version is uvicorn's",
        "it says its version",
        'importlib.metadata.version("greenroom")',
        'importlib.metadata.version("uvicorn")',
    ),
    mutant(
        "any package that is missing is the server's",
        "an application's error is uvicorn's",
        edit("transport/__main__.py", "if missing not in NEEDED:", "if not missing:"),
        TESTS,
    ),
    mutant(
        "the demo is served by uvicorn",
        "the demo is served by our own command",
        edit("./Makefile", "-m transport serve", "-m uvicorn"),
        "tests/apps/test_server.py::test_make_demo_serves_it_by_our_own_command",
    ),
]
