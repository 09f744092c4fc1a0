"""What the Python clients share: their arguments, the bodies that they send, and the transcript that they print."""

import hashlib
import sys

base, text = sys.argv[1:]
piece = b"0123456789abcde\n" * 16384
streams = 0


def pieces():
    yield piece
    yield piece


def note(step, status, body=b"", fields=()):
    """One line a step: what a client got that the proxy could have changed."""
    print(step, status, len(body), hashlib.sha256(body).hexdigest(), *fields)


def new_stream():
    """The path of a stream of events, and its name."""
    global streams
    streams += 1
    return f"/events/{streams}", str(streams)


def done():
    print("done")
