"""requests, which speaks HTTP/1.1; arguments: a base URL, the names of steps. What is to be sent is in TEXT. Each step
has a session of its own, through the proxy of the environment if there is one; each prints what it got, and `done` stands
at the end."""

import hashlib
import os
import sys

import requests

base, *steps = sys.argv[1:]
text = os.environ.get("TEXT", "").encode()
piece = b"0123456789abcde\n" * 16384


def ask(session, step, method, path, **options):
    options = {"timeout": 60, "verify": os.environ["SSL_CERT_FILE"]} | options
    answer = session.request(method, base + path, **options)
    body = answer.content
    version = answer.raw.version
    print(step, version, answer.status_code, len(body), hashlib.sha256(body).hexdigest(), flush=True)
    assert version == 11
    return answer


def session(session):
    assert ask(session, "hello", "GET", "/hello").text == "hello"
    assert ask(session, "head", "HEAD", "/hello").headers["Content-Length"] == "5"
    assert ask(session, "post", "POST", "/echo", data=text).content == text
    # Of unknown length: in chunks.
    assert ask(session, "pieces", "POST", "/echo", data=iter([piece, piece])).content == piece * 2
    assert len(ask(session, "large", "GET", "/large").content) == 10 * 1024 * 1024
    assert ask(session, "trailers", "GET", "/trailers").content == b"body"


def goodbye(session):
    for _ in range(3):
        assert ask(session, "goaway", "GET", "/goaway").text == "the last"
        assert ask(session, "after", "GET", "/hello").text == "hello"


for step in steps:
    with requests.Session() as opened:
        globals()[step](opened)
print("done")
