"""Python httpx through the proxy; arguments: a base URL, a text to send."""

import sys

import httpx

base, text = sys.argv[1:]
large = b"0123456789abcde\n" * 65536


def twice():
    yield large
    yield large


with httpx.Client(follow_redirects=True, timeout=30) as client:
    assert client.get(f"{base}/hello").text == "hello"
    assert client.get(f"{base}/hello").text == "hello"
    assert client.head(f"{base}/hello").headers["Content-Length"] == "5"
    assert client.get(f"{base}/redirect").text == "hello"
    assert client.post(f"{base}/echo", content=text.encode()).text == text
    assert client.post(f"{base}/echo", content=twice()).content == large * 2
    with client.stream("GET", f"{base}/events") as answer:
        events = [line for line in answer.iter_lines() if line]
    assert events == ["data: 0", "data: 1", "data: 2"], events
    assert client.get(f"{base}/missing").status_code == 404
print("done")
