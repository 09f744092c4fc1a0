"""Python requests through the proxy; arguments: a base URL, a text to send."""

import sys

import requests

base, text = sys.argv[1:]
with requests.Session() as session:
    assert session.get(f"{base}/hello").text == "hello"
    assert session.get(f"{base}/hello").text == "hello"
    assert session.head(f"{base}/hello").headers["Content-Length"] == "5"
    assert session.get(f"{base}/redirect").text == "hello"
    assert session.post(f"{base}/echo", data=text.encode()).text == text
    large = b"0123456789abcde\n" * 65536
    assert session.post(f"{base}/echo", data=iter([large, large])).content == large * 2
    with session.get(f"{base}/events", stream=True) as answer:
        events = [line for line in answer.iter_lines() if line]
    assert events == [b"data: 0", b"data: 1", b"data: 2"], events
    assert session.get(f"{base}/missing").status_code == 404
print("done")
