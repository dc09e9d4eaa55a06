"""Tests of actors: virtual time, probes, explored schedules, leak checks. An extra: `hypothesis`.

The map, from the ground up:

    _schedule    which of the parked tasks wakes next: a seed, or Hypothesis
    _loop        a loop with virtual time that wakes one task after the other
    _probe       Probe: an actor of the test's own
    _kit         TestKit: a system with all of these, and its leak check
    _explore     a test's body under many schedules
    _strategies  an actor class's messages
    _check       any actor class against order and conservation
"""

from ._check import check_actor
from ._explore import explore, play, schedules
from ._kit import Leak, Stuck, TestKit
from ._probe import Probe
from ._schedule import Schedule
from ._strategies import message, messages

__all__ = [
    "Leak",
    "Probe",
    "Schedule",
    "Stuck",
    "TestKit",
    "check_actor",
    "explore",
    "message",
    "messages",
    "play",
    "schedules",
]
