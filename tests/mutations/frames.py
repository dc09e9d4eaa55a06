"""Mutants of what follows a frame. The fuzzer finds them: it knows what is due to each."""

from mutant import edit, mutant

CODEC, INTAKE, SESSION = "transport/codec.py", "transport/_intake.py", "transport/session.py"
FUZZ = (
    "tests/transport/test_fuzz.py::test_each_frame_has_its_answer_and_a_neighbour_notices_nothing"
)

MUTANTS = [
    mutant(
        "a codec lets numbers through as strings",
        "a wrong field is refused, and the frame says which",
        edit(
            CODEC,
            "    decode: Decode = make(Union[tuple(structs)]).decode  # noqa",
            "    decode: Decode = make(Union[tuple(structs)], strict=False).decode  # noqa",
        ),
        FUZZ,
    ),
    mutant(
        "bad UTF-8 in MessagePack is a wrong field",
        "what is not of the format is malformed",
        edit(
            CODEC,
            "        except (msgspec.DecodeError, UnicodeError) as error:",
            "        except msgspec.DecodeError as error:",
        ),
        FUZZ,
    ),
    mutant(
        "an error frame is swallowed now and then",
        "each bad frame is answered",
        edit(
            INTAKE,
            "            if step.error is not None:\n",
            "            if step.error is not None and len(owner.outbox.queue) < 5:\n",
        ),
        FUZZ,
    ),
    mutant(
        "characters are counted, not bytes",
        "a message may have so many bytes",
        edit(
            SESSION,
            "if size > self._small and size_of(data) > (limit := self.settings.max_size):",
            "if size > (limit := self.settings.max_size):",
        ),
        FUZZ,
    ),
    mutant(
        "one level deeper",
        "a frame may be nested so deep and no deeper",
        edit(SESSION, "depth := self.settings.max_depth)", "depth := self.settings.max_depth + 1)"),
        FUZZ,
    ),
    mutant(
        "bytes where none are taken are a bad frame",
        "the wrong kind of frame closes with 1003",
        edit(SESSION, "Close(CloseCode.UNSUPPORTED_DATA,", "Close(CloseCode.PROTOCOL_ERROR,"),
        FUZZ,
    ),
]
