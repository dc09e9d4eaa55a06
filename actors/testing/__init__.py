"""The test kit: what helps to test actors. An extra: `pip install "greenroom[testing]"`.

The map, from the ground up (imports point down only):

    _nodes       types, as msgspec reads them  _strategies  messages for Hypothesis
"""

from ._strategies import message, messages

__all__ = ["message", "messages"]
