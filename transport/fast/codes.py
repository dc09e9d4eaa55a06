"""Close codes this server gives or tells of itself (RFC 6455, 7.4)."""

NORMAL = 1000
PROTOCOL_ERROR = 1002
NO_STATUS = 1005
"""The peer's close had no code. Never on the wire."""
ABNORMAL = 1006
"""The connection went without a close. Never on the wire."""
INVALID_TEXT = 1007
TOO_BIG = 1009
INTERNAL_ERROR = 1011
SERVICE_RESTART = 1012
