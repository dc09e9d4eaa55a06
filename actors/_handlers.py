"""From an actor class to its handlers by message type, checked as far as its annotations go."""

import inspect
import sys
import types
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import (
    Any,
    Final,
    ForwardRef,
    Literal,
    Never,
    NoReturn,
    TypeAlias,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
    overload,
)
from weakref import WeakKeyDictionary

from .exceptions import HandlerError
from .message import Message, Request

MARK: Final = "__receive__"
_NOTHING: Final[Mapping[str, Any]] = types.MappingProxyType({})

Function: TypeAlias = Callable[[Any, Any], Awaitable[Any]]
F = TypeVar("F", bound=Callable[..., Awaitable[Any]])


@dataclass(frozen=True, slots=True)
class Options:
    """What `@receive(...)` was given."""

    timeout: float | None = None
    wire: bool = True
    priority: int = 0
    interrupt: bool = False
    interruptible: bool = False


@dataclass(frozen=True, slots=True)
class Handler:
    """One handler of an actor class."""

    name: str
    message_type: type
    function: Function
    options: Options
    batch: bool = False
    """Whether it takes a list of messages."""


Handlers: TypeAlias = dict[type, Handler]


@overload
def receive(function: F, /) -> F: ...
@overload
def receive(
    *,
    timeout: float | None = None,
    wire: bool = True,
    priority: int = 0,
    interrupt: bool = False,
    interruptible: bool = False,
) -> Callable[[F], F]: ...
def receive(
    function: F | None = None,
    /,
    *,
    timeout: float | None = None,
    wire: bool = True,
    priority: int = 0,
    interrupt: bool = False,
    interruptible: bool = False,
) -> F | Callable[[F], F]:
    """Mark an `async def` method as the handler of the type that its parameter is annotated with.

    A union makes it the handler of each member; a subclass of a handled type is handled too,
    unless it has a handler of its own. The reply to a `Request[R]` is what its handler returns.
    `list[M]`, where `M` is a `Message`, makes it take the messages of one type that stand at the
    head of the queue, at least one and at most 128, as a list.

    `timeout`: seconds the handler may run, above 0; past them it is cancelled and counts as
    crashed with `HandlerTimeout`. `wire=False`: only actors may send this message to a
    connection, never its client.

    `priority`: messages of a higher one are handled first, equal ones in the order told.
    `interrupt`: the message goes before all others, and the handler in hand is cancelled, if that
    is `interruptible`; the message in hand is then a dead letter. At most 16 interrupts wait; for
    one more the mailbox's policy decides. What an actor interrupts by telling itself goes on.

    Raises `HandlerError` when the class is defined (or at its first spawn, where annotations
    only resolve later) if the handler does not fit.
    """
    if timeout is not None and not timeout > 0:
        raise HandlerError(f"a handler's timeout must be above 0 seconds, not {timeout}")

    def mark(function: F) -> F:
        setattr(function, MARK, Options(timeout, wire, priority, interrupt, interruptible))
        return function

    return mark if function is None else mark(function)


def collect(cls: type, names: dict[str, Any]) -> Handlers:
    """The handlers of a class and its bases; the methods that override come from the subclass.

    `names` helps to resolve annotations that name what is local to a function. Raises `NameError`
    for one that does not resolve yet, and `HandlerError` for a handler that does not fit.
    """
    _check_callbacks(cls)
    marked: dict[str, Options] = {}
    for base in reversed(cls.__mro__):
        for name, value in vars(base).items():
            options = getattr(value, MARK, None)
            if options is not None:
                marked[name] = options
            elif name in marked and value is None:
                del marked[name]  # `say = None` in a subclass takes the handler away
    handlers: Handlers = {}
    for name, options in marked.items():
        for base in cls.__mro__:
            if "__framework__" in vars(base) and name in vars(base):
                raise HandlerError(
                    f"{cls.__qualname__}.{name} would hide {base.__name__}.{name}: "
                    f"give the handler another name"
                )
        function = getattr(cls, name)
        message_types, batch = _message_types(cls, name, function, names)
        _check_options(f"{cls.__qualname__}.{name}", options, batch)
        for message_type in message_types:
            other = handlers.get(message_type)
            if other is not None:
                raise HandlerError(
                    f"{cls.__qualname__}: {other.name} and {name} both handle "
                    f"{message_type.__name__}"
                )
            handlers[message_type] = Handler(name, message_type, function, options, batch)
    return handlers


def _check_options(where: str, options: Options, batch: bool) -> None:
    if batch and options.interrupt:
        raise HandlerError(f"{where}: interrupts are handled one by one, not by batches")
    if options.interrupt and options.priority:
        raise HandlerError(f"{where}: an interrupt goes before all others and has no priority")


def _message_types(
    cls: type, name: str, function: Any, names: dict[str, Any]
) -> tuple[list[type], bool]:
    """What a handler takes, and whether by batches."""
    owner = next(base for base in cls.__mro__ if name in vars(base))
    if owner is cls:
        return _check(cls, name, function, {**names, **vars(cls)})
    # Inherited: its annotations mean what they meant where it was written.
    known: Handlers | None = vars(owner).get("__handlers__", {})
    if known is None:
        raise NameError(f"the handlers of {owner.__qualname__} are not resolved yet")
    inherited = [handler for handler in known.values() if handler.name == name]
    if inherited:
        return [handler.message_type for handler in inherited], inherited[0].batch
    return _check(cls, name, function, {**names, **getattr(function, "__globals__", {})})


def _check_callbacks(cls: type) -> None:
    """Refuse an `on_start` and the like without `async`: it would fail only when it is awaited."""
    for base in cls.__mro__:
        if "__framework__" in vars(base):
            for name in vars(base):
                if name.startswith("on_") and not inspect.iscoroutinefunction(getattr(cls, name)):
                    raise HandlerError(f"{cls.__qualname__}.{name} must be an `async def` method")


def _check(cls: type, name: str, function: Any, names: dict[str, Any]) -> tuple[list[type], bool]:
    where = f"{cls.__qualname__}.{name}"
    if not inspect.iscoroutinefunction(function):
        raise HandlerError(f"{where} must be an `async def` method")
    parameters = list(inspect.signature(function).parameters.values())
    if len(parameters) != 2 or any(
        parameter.kind not in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        for parameter in parameters
    ):
        raise HandlerError(f"{where} must take self and one message")
    hints = get_type_hints(function, localns=names)
    if parameters[1].name not in hints:
        raise HandlerError(f"{where}: annotate {parameters[1].name!r} with the message's type")
    hint = hints[parameters[1].name]
    batch = _is_batch(hint)
    parts = _parts(get_args(hint)[0] if batch else hint)
    message_types = [_message_type(where, part) for part in parts]
    for message_type in message_types:
        if batch and issubclass(message_type, Request):
            raise HandlerError(f"{where}: requests are answered one by one, not by batches")
        _check_reply(where, message_type, hints.get("return", Any), names)
    return message_types, batch


def _is_batch(hint: Any) -> bool:
    """Whether it is a list of messages; any other list is a message itself, as on the wire."""
    if get_origin(hint) is not list:
        return False
    parts = [get_origin(part) or part for part in _parts(get_args(hint)[0])]
    return all(isinstance(part, type) and issubclass(part, Message) for part in parts)


def _parts(hint: Any) -> tuple[Any, ...]:
    if get_origin(hint) in (Union, types.UnionType):
        return get_args(hint)
    return (hint,)


def _message_type(where: str, hint: Any) -> type:
    message_type = get_origin(hint) or hint
    if not isinstance(message_type, type) or message_type in (Any, object):
        raise HandlerError(f"{where} cannot handle {hint!r}: a message's type must be a class")
    return message_type


_quoted: WeakKeyDictionary[type, Any] = WeakKeyDictionary()
"""What the quoted replies of requests mean, by the class that quotes."""


def reply_type(message_type: type, names: Mapping[str, Any] = _NOTHING) -> Any:
    """The `R` of a subclass of `Request[R]`; `Any` where it is left open.

    What is quoted in it means what it does in the class's module, or in `names`. Raises `NameError`
    if that is nothing (yet), and `HandlerError` if it is no type.
    """
    for base in message_type.__mro__:
        for alias in vars(base).get("__orig_bases__", ()):
            if get_origin(alias) is Request:
                (promised,) = get_args(alias)
                if _is_quoted(promised):
                    return _unquoted(base, promised, names)
                return Any if isinstance(promised, TypeVar) else promised
    return Any


def _is_quoted(hint: Any) -> bool:
    return isinstance(hint, str | ForwardRef) or any(map(_is_quoted, get_args(hint)))


def _unquoted(cls: type, promised: Any, names: Mapping[str, Any]) -> Any:
    if cls not in _quoted:
        module = vars(sys.modules.get(cls.__module__, types))
        holder = types.SimpleNamespace(__annotations__={"reply": promised})
        try:
            _quoted[cls] = get_type_hints(holder, module, {**names, **vars(cls)})["reply"]
        except (NameError, AttributeError, TypeError) as error:
            said = f"the reply of {cls.__qualname__}, {_show(promised)}: {error}"
            raise (NameError if isinstance(error, NameError) else HandlerError)(said) from None
    return _quoted[cls]


def error_replies(message_type: type) -> tuple[type[Exception], ...]:
    """The errors among the replies that a `Request` promises. Raises `HandlerError`."""
    try:
        promised = reply_type(message_type)
    except NameError as error:  # no handler names it: it is handled for the sake of a base
        unknown = str(error)
    else:
        kinds = [get_origin(part) or part for part in _parts(promised)]
        return tuple(
            kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Exception)
        )
    raise HandlerError(unknown)  # its context is what the handler raised


def _check_reply(where: str, message_type: type, returned: Any, names: Mapping[str, Any]) -> None:
    if issubclass(message_type, Request):
        promised = reply_type(cast(type, message_type), names)
        if not fits(returned, promised):
            raise HandlerError(
                f"{where} returns {_show(returned)}, but {message_type.__name__} "
                f"promises {_show(promised)}"
            )
    elif returned not in (Any, None, type(None), Never, NoReturn):
        raise HandlerError(
            f"{where} returns {_show(returned)}, but nobody asked: {message_type.__name__} "
            f"is no Request"
        )


def fits(returned: Any, promised: Any) -> bool:
    """Whether a value of one annotation can stand for the other; in doubt, yes.

    It is a safety net under the type checkers, so it refuses only what is surely wrong.
    """
    returned = type(None) if returned is None else returned
    promised = type(None) if promised is None else promised
    if Any in (returned, promised) or promised is object or returned == promised:
        return True
    if len(_parts(returned)) > 1:
        return all(fits(part, promised) for part in _parts(returned))
    if len(_parts(promised)) > 1:
        return any(fits(returned, part) for part in _parts(promised))
    if get_origin(returned) is Literal:
        return all(fits(type(value), promised) for value in get_args(returned))
    one, other = get_origin(returned) or returned, get_origin(promised) or promised
    if not (isinstance(one, type) and isinstance(other, type)):
        return True
    if (one, other) in ((int, float), (bool, float)):
        return True
    if getattr(other, "_is_protocol", False) or is_typeddict(other):
        return True  # they fit by structure, which is the type checkers' to judge
    if not issubclass(one, other):
        return False
    arguments, wanted = get_args(returned), get_args(promised)
    if one is not other or len(arguments) != len(wanted):
        return True
    return all(fits(*pair) for pair in zip(arguments, wanted, strict=True))


def _show(hint: Any) -> str:
    if isinstance(hint, ForwardRef):
        return repr(hint.__forward_arg__)
    return hint.__name__ if isinstance(hint, type) else str(hint)
