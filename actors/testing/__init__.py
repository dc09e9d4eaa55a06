"""The test kit: virtual time, probes, explored schedules, leak checks.

An extra: `pip install "greenroom[testing]"`. The map, from the ground up (imports point down only):

    _schedule    who goes next: by a seed, say _loop       one step at a time, virtual time
    _waits       where tasks wait              _probe      Probe: an actor of the test
    _kit         TestKit, and its leak check   _explore    a body under many schedules
    _nodes       types, as msgspec reads them  _strategies an actor class's messages
    _check       any actor: order, conservation
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
