"""Directives: what an error calls for."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors import HandlerTimeout
from actors.supervision import Directive, directive_for
from tests.actors.supervisor import RESTART, RESUME, STOP


class Root(Exception):
    pass


class Left(Root):
    pass


class Right(Root, LookupError):
    pass


class Both(Left, Right):
    pass


KINDS = [Exception, LookupError, Root, Left, Right, Both]


@settings(deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    directives=st.dictionaries(st.sampled_from(KINDS), st.sampled_from(Directive)),
)
def test_the_nearest_class_says_what_an_error_calls_for(
    kind: type[Exception], directives: dict[type[Exception], Directive]
) -> None:
    error = kind()
    near = [each for each in directives if isinstance(error, each)]
    near.sort(key=kind.mro().index)
    assert directive_for(error, directives) is (directives[near[0]] if near else RESTART)


@pytest.mark.parametrize(
    ("error", "directive"),
    [
        (KeyError(), RESUME),  # a LookupError
        (HandlerTimeout(), STOP),  # an ActorError first, but a TimeoutError, an OSError too
        (ValueError(), RESTART),
        (ExceptionGroup("of a task group", [KeyError()]), RESTART),
    ],
)
def test_what_some_errors_call_for(error: Exception, directive: Directive) -> None:
    directives = {LookupError: RESUME, OSError: STOP}
    assert directive_for(error, directives) is directive
