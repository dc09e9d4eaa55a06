"""The shape of the house: imports point down, each package shows one face, files stay small."""

import ast
import importlib
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = (
    "actors",
    "actors.testing",
    "transport",
    "transport.fast",
    "transport.testing",
    "apps",
    "benchmarks",
)

FLOORS = {
    "actors": (
        "_log",
        *("exceptions", "message"),
        *("mailbox", "supervision"),
        *("_task", "_deadlines"),
        *("_inlet", "_timers"),
        "_ask",
        *("ref", "_handlers"),
        *("_latch", "_lanes"),
        *("registry", "groups"),
        *("telemetry", "actor"),
        *("_dispatch", "_core"),
        *("_work", "_ending"),
        *("_family", "_recovery"),
        *("_cell", "system"),
        *("pool", "testing"),
    ),
    "actors.testing": (
        *("_schedule", "_loop"),
        *("_waits", "_probe"),
        *("_kit", "_explore"),
        *("_nodes", "_strategies"),
        "_check",
    ),
    "transport": (
        *("exceptions", "origin"),
        *("limits", "settings"),
        *("bearer", "depth"),
        "_frames",
        *("codec", "outbox"),
        *("_peer", "_writer"),
        *("wire", "_burst"),
        *("session", "_lane"),
        *("_intake", "_roster"),
        *("_opening", "_socket"),
        *("connection", "drain"),
        *("gate", "_server"),
        *("denial", "endpoint"),
        *("sockets", "fast"),
        *("testing", "cli"),
    ),
    "transport.fast": (
        *("messages", "handshake"),
        *("parser", "line"),
        *("keepalive", "stream"),
        *("inbox", "conversation"),
        *("protocol", "front"),
    ),
    "transport.testing": (
        *("_stacks", "_patience"),
        *("_line", "_handshake"),
        *("_peer", "_lifespan"),
        *("_client", "_server"),
    ),
}
"""From the ground up, in the order of the map in each package's docstring. A package within another
is a floor of that, and has floors of its own."""

OUTSIDE = {
    "actors": {"anyio", "msgspec", "structlog", "trio"},
    "actors.testing": {"actors", "anyio", "hypothesis", "msgspec", "pytest", "structlog", "trio"},
    "transport": {
        *("actors", "fastapi", "msgspec", "starlette", "structlog"),
        *("typer", "uvicorn"),  # in `cli` alone
    },
    "transport.fast": {"picows", "uvicorn"},
    "transport.testing": {"actors", "msgspec", "starlette"},
    "apps": {"actors", "transport", "fastapi", "msgspec", "starlette", "structlog"},
}
"""What each package may import, besides the standard library and itself."""

LOOPS = {"asyncio", "trio"}
SERVER = {"click", "picows", "typer", "uvicorn"}
DRAWERS = {"utils", "helpers", "common", "types", "misc"}
LINES = 600


class Import:
    """`from module import names`, or `import module`. A relative module begins with a dot."""

    def __init__(self, node: ast.AST, module: str, names: list[str], typing_only: bool) -> None:
        self.line = getattr(node, "lineno", 0)
        self.module = module
        self.names = names
        self.typing_only = typing_only

    @property
    def top(self) -> str:
        return self.module.partition(".")[0]


def imports_in(source: str) -> Iterator[Import]:
    """Every import, those inside functions too."""
    tree = ast.parse(source)
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(node, alias.name, [], id(node) in typing_only)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            names = [alias.name for alias in node.names]
            yield Import(node, module, names, id(node) in typing_only)


def folder(package: str) -> Path:
    return ROOT / package.replace(".", "/")


def inner(package: str) -> list[str]:
    """The packages within a package that have floors of their own."""
    return [name for name in FLOORS if name.startswith(f"{package}.")]


def files(package: str) -> list[Path]:
    """Those of a package, but not of those within it."""
    within = [folder(name) for name in inner(package)]
    found = sorted(folder(package).rglob("*.py"))
    return [path for path in found if not any(path.is_relative_to(each) for each in within)]


def imports(package: str) -> Iterator[tuple[Path, Import]]:
    for path in files(package):
        for found in imports_in(path.read_text()):
            yield path, found


def siblings(found: Import) -> list[str]:
    """The modules of the own package that a relative import names."""
    if not found.module.startswith(".") or found.module.startswith(".."):
        return []
    module = found.module.removeprefix(".").partition(".")[0]
    return [module] if module else found.names


def test_the_parser_sees_every_kind_of_import() -> None:
    source = """
import a.b
from . import c
if TYPE_CHECKING:
    from .d import E
def f():
    from g import h
"""
    found = [
        (each.module, each.names, each.typing_only)
        for each in sorted(imports_in(source), key=lambda each: each.line)
    ]
    assert found == [
        ("a.b", [], False),
        (".", ["c"], False),
        (".d", ["E"], True),
        ("g", ["h"], False),
    ]


@pytest.mark.parametrize("package", FLOORS)
def test_each_file_is_on_a_floor(package: str) -> None:
    modules = {path.stem for path in files(package)} - {"__init__", "__main__"}
    modules |= {name.rpartition(".")[2] for name in inner(package)}
    assert modules == set(FLOORS[package])


@pytest.mark.parametrize("package", FLOORS)
def test_the_packages_map_shows_the_floors(package: str) -> None:
    docstring = ast.get_docstring(ast.parse((folder(package) / "__init__.py").read_text())) or ""
    shown = [
        word
        for line in docstring.splitlines()
        if line.startswith("    ")
        for column in (4, 47)
        if (word := line[column:].partition(" ")[0])
    ]
    assert tuple(shown) == FLOORS[package]


@pytest.mark.parametrize("package", FLOORS)
def test_imports_point_down(package: str) -> None:
    floor = {name: number for number, name in enumerate(FLOORS[package])}
    upward = [
        f"{path.name}:{found.line} imports {name}"
        for path, found in imports(package)
        if path.stem not in ("__init__", "__main__") and not found.typing_only
        for name in siblings(found)
        if floor.get(name, 0) >= floor.get(path.stem, 0)
    ]
    assert not upward


@pytest.mark.parametrize("package", FLOORS)
def test_within_a_package_imports_are_relative(package: str) -> None:
    absolute = [
        f"{path.name}:{found.line}" for path, found in imports(package) if found.top == package
    ]
    assert not absolute


@pytest.mark.parametrize("package", OUTSIDE)
def test_only_known_packages_are_imported(package: str) -> None:
    known = OUTSIDE[package] | sys.stdlib_module_names | {package, ""}
    strange = [
        f"{path.relative_to(ROOT)}:{found.line} imports {found.module}"
        for path, found in imports(package)
        if found.top not in known
    ]
    assert not strange


@pytest.mark.parametrize("package", ["actors", "transport"])
def test_a_package_does_without_what_tests_it(package: str) -> None:
    """Not even its public face imports it: what the kit needs is an extra."""
    importing = [
        f"{path.name}:{found.line}"
        for path, found in imports(package)
        if not found.typing_only and "testing" in siblings(found)
    ]
    assert not importing


def test_only_one_file_knows_asyncio_from_trio() -> None:
    knowing = {path.name for path, found in imports("actors") if found.top in LOOPS}
    assert knowing == {"_task.py"}


def test_only_the_command_needs_a_server_installed() -> None:
    """`transport` runs on any, and what is above it imports neither of the two that do not."""
    needing = {path.name for path, found in imports("transport") if found.top in SERVER}
    assert needing == {"cli.py"}
    importing = [
        f"{path.name}:{found.line}"
        for path, found in imports("transport")
        if path.stem != "__main__" and {"cli", "fast"} & set(siblings(found))
    ]
    assert not importing


@pytest.mark.parametrize("package", ["transport", "apps", "benchmarks"])
def test_other_packages_see_only_the_public_face(package: str) -> None:
    hidden: list[str] = []
    for path, found in imports(package):
        if found.top not in FLOORS or found.top == package:
            continue
        public = importlib.import_module(found.top).__all__
        if found.module != found.top or not set(found.names) <= set(public):
            hidden.append(f"{path.relative_to(ROOT)}:{found.line} imports {found.module}")
    assert not hidden


def test_the_runtime_knows_nothing_of_the_packages_above() -> None:
    above = [
        f"{path.name}:{found.line}"
        for path, found in imports("actors")
        if found.top in ("transport", "apps", "benchmarks")
    ]
    assert not above


@pytest.mark.parametrize("package", PACKAGES)
def test_no_drawers_and_no_long_files(package: str) -> None:
    assert not DRAWERS & {path.stem.strip("_") for path in files(package)}
    assert not DRAWERS & {path.name for path in folder(package).rglob("*") if path.is_dir()}
    assert not long_files(package)


def test_no_long_file_of_tests() -> None:
    assert not long_files("tests")


def long_files(package: str) -> dict[str, int]:
    lengths = {path.name: len(path.read_text().splitlines()) for path in files(package)}
    return {name: length for name, length in lengths.items() if length > LINES}


@pytest.mark.parametrize("package", FLOORS)
def test_the_public_names(package: str) -> None:
    module = importlib.import_module(package)
    names: list[str] = module.__all__
    assert names == sorted(names, key=lambda name: (not name.isupper(), name))
    assert len(names) == len(set(names))
    submodules = set(FLOORS[package])
    shown = {
        name
        for name in vars(module)
        if not name.startswith("_") and (name not in submodules or name in names)
    }
    assert shown == set(names)
    undocumented = [name for name in names if not documented(getattr(module, name))]
    assert not undocumented


def documented(thing: object) -> bool:
    """Whether it has a docstring of its own; a type alias or an instance cannot."""
    if inspect.isclass(thing) or inspect.isroutine(thing):
        text = thing.__doc__ or ""
        return bool(text) and not text.startswith(f"{thing.__name__}(")
    return True


def test_public_methods_are_documented() -> None:
    """Those of the runtime; of protocols only what its name does not say."""
    module = importlib.import_module("actors")
    undocumented = [
        f"{name}.{attribute}"
        for name in module.__all__
        if inspect.isclass(thing := getattr(module, name))
        and not getattr(thing, "_is_protocol", False)
        for attribute, value in vars(thing).items()
        if not attribute.startswith("_")
        and (inspect.isfunction(value) or isinstance(value, property))
        and not inspect.getdoc(value)
    ]
    assert not undocumented
