"""A client of gRPC whose messages are plain bytes; arguments: a base URL, the names of steps. What is to be sent is in
TEXT. All steps go over one channel, which finds the proxy and the roots by itself; each prints what it got, and `done`
stands at the end."""

import hashlib
import os
import queue
import sys
from urllib.parse import urlsplit

import grpc

base, *steps = sys.argv[1:]
text = os.environ.get("TEXT", "").encode()
LIMITS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
# Reached by a fault only.
DEADLINE = float(os.environ.get("DEADLINE", 120))
CROWD = 100

target = urlsplit(base)
if target.scheme == "https":
    channel = grpc.secure_channel(target.netloc, grpc.ssl_channel_credentials(), options=LIMITS)
else:
    channel = grpc.insecure_channel(target.netloc, options=LIMITS)


def note(step, *words):
    print(step, *words, flush=True)


def method(kind, name):
    return getattr(channel, kind)(f"/test.Echo/{name}")


def message(body):
    """A field of protobuf, number 1, that is a string of less than 128 bytes."""
    return bytes([10, len(body)]) + body


def fails(call):
    """The error of a call that must have one."""
    try:
        call()
    except grpc.RpcError as error:
        return error
    raise AssertionError("it did not fail")


def note_failure(step, call):
    error = fails(call)
    note(step, error.code().name, error.details())
    return error


def unary():
    answer, call = method("unary_unary", "Unary").with_call(message(text), timeout=DEADLINE)
    assert answer == message(text)
    note("unary", call.code().name, call.trailing_metadata())
    assert method("unary_unary", "Unary")(b"", timeout=DEADLINE) == b""


def metadata():
    sent = (("x-one", "a"), ("x-one", "b"), ("x-many-bin", bytes(range(256))), ("x-blank", "a  b"))
    answer, call = method("unary_unary", "Metadata").with_call(b"", metadata=sent, timeout=DEADLINE)
    note("metadata", answer.decode(), call.initial_metadata(), call.trailing_metadata())


def packed():
    call = method("unary_unary", "Packed")
    # One that is worth packing.
    body = message(text.ljust(120))
    assert call(body, compression=grpc.Compression.Gzip, timeout=DEADLINE) == body
    note("packed")


def streams():
    note("down", *method("unary_stream", "Down")(b"number", timeout=DEADLINE))
    note("up", method("stream_unary", "Up")(iter([b"one", b"two", b"three"]), timeout=DEADLINE))


def turns():
    """Both sides by turns: what is sent next depends on what came."""
    waiting = queue.Queue()
    calls = method("stream_stream", "Turns")(iter(waiting.get, None), timeout=DEADLINE)
    for number in range(20):
        waiting.put(b"turn %d" % number)
        assert next(calls) == b"turn %d" % number
    waiting.put(None)
    note("turns", list(calls), calls.code().name)


def large():
    body = b"0123456789abcde\n" * 655360
    answer = method("unary_unary", "Unary")(body, timeout=DEADLINE)
    assert answer == body
    note("large", len(answer), hashlib.sha256(answer).hexdigest())
    pieces = [body[: 1024 * 1024]] * 10
    assert list(method("stream_stream", "Turns")(iter(pieces), timeout=DEADLINE)) == pieces
    note("pieces", len(pieces))


def errors():
    error = note_failure("refused", lambda: method("unary_unary", "Refused")(b"", timeout=DEADLINE))
    note("why", error.trailing_metadata())
    calls = method("unary_stream", "Cut")(b"first", timeout=DEADLINE)
    note("cut", next(calls))
    note_failure("cut", lambda: next(calls))
    note_failure("missing", lambda: method("unary_unary", "Missing")(b"", timeout=DEADLINE))


def cancel():
    calls = method("unary_stream", "Wait")(b"cancel", timeout=DEADLINE)
    note("waits", next(calls))
    calls.cancel()
    assert fails(lambda: next(calls)).code() == grpc.StatusCode.CANCELLED
    note("after", method("unary_unary", "Unary")(b"after", timeout=DEADLINE))


def deadline():
    calls = method("unary_stream", "Wait")(b"deadline", timeout=2)
    assert fails(lambda: list(calls)).code() == grpc.StatusCode.DEADLINE_EXCEEDED
    note("after", method("unary_unary", "Unary")(b"after", timeout=DEADLINE))


def together():
    call = method("unary_unary", "Together")
    asked = [call.future(b"%d" % number, timeout=DEADLINE) for number in range(CROWD)]
    assert [one.result() for one in asked] == [b"%d" % number for number in range(CROWD)]
    note("together", len(asked))


def unreachable():
    note_failure("unreachable", lambda: method("unary_unary", "Unary")(b"", timeout=DEADLINE))


for step in steps:
    globals()[step]()
channel.close()
note("done")
