"""Each case of the Autobahn suite, against this protocol and against uvicorn's `wsproto`."""

from typing import Any

import pytest

from tests.transport.fast.autobahn import BEYOND, CASES, Case, Outcome, run

FAST = "transport.fast:WebSocketProtocol"
LENIENT = {"6.4.3", "6.4.4"}
"""Bad UTF-8 in part of a frame is found when the frame is whole: the suite calls it not strict."""


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
def test_no_case_fails_and_none_is_worse_than_wsproto(fast: Any, wsproto: Any, case: Case) -> None:
    ours, theirs = judged(case, fast), run(case, wsproto.port)
    assert ours.behaviour == "OK" or case.name in LENIENT or theirs.behaviour != "OK"


@pytest.mark.parametrize("case", BEYOND, ids=str)
def test_what_the_suite_does_not_ask(fast: Any, case: Case) -> None:
    judged(case, fast)
