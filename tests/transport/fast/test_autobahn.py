"""Each case of the Autobahn suite, against this protocol and against uvicorn's `wsproto`."""

from typing import Any

import pytest

from tests.transport.fast.autobahn import BEYOND, CASES, Case, Outcome, run

FAST = "transport.fast:WebSocketProtocol"
NOT_WSPROTO = {"7.7.12"}
"""It does not know that 1014 is a code by now."""


@pytest.fixture(scope="module")
def fast(serve_module: Any) -> Any:
    return serve_module("bare:app", ws=FAST, log_level="warning")


@pytest.fixture(scope="module")
def wsproto(serve_module: Any) -> Any:
    return serve_module("bare:app", ws="wsproto", log_level="warning")


def judged(case: Case, server: Any) -> Outcome:
    """What came of it; where a connection that just ends would pass, we say why we end it."""
    outcome = run(case, server.port)
    assert outcome.passed, outcome
    assert outcome.code in case.codes or not case.failed, outcome
    return outcome


@pytest.mark.parametrize("case", CASES, ids=str)
def test_no_case_of_the_suite_fails(fast: Any, case: Case) -> None:
    judged(case, fast)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_cases_are_as_the_suite_has_them(wsproto: Any, case: Case) -> None:
    """It is known to fail none."""
    assert run(case, wsproto.port).passed == (case.name not in NOT_WSPROTO)


@pytest.mark.parametrize("case", BEYOND, ids=str)
def test_what_the_suite_does_not_ask(fast: Any, case: Case) -> None:
    judged(case, fast)
