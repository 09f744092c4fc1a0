"""Python requests; arguments: a base URL, a text to send."""

import requests

from transcript import base, done, new_stream, note, piece, pieces, text

with requests.Session() as session:

    def ask(step, method, path, fields=False, **options):
        answer = session.request(method, base + path, timeout=60, **options)
        shown = answer.raw.headers.items() if fields else ()
        note(step, f"{answer.status_code} {answer.reason}", answer.content, shown)
        return answer

    for _ in range(3):
        assert ask("hello", "GET", "/hello").text == "hello"
    assert ask("head", "HEAD", "/hello").headers["Content-Length"] == "5"
    ask("fields", "GET", "/fields", fields=True)
    ask("none", "DELETE", "/none")
    ask("missing", "GET", "/missing?a=%2F&b=c")
    assert ask("redirect", "GET", "/redirect").text == "hello"
    assert ask("post", "POST", "/echo", data=text.encode()).text == text
    assert ask("chunked", "POST", "/echo", data=pieces()).content == piece * 2
    path, stream = new_stream()
    with session.get(base + path, stream=True, timeout=60) as answer:
        for line in answer.iter_lines():
            if line:
                note("event", answer.status_code, line)
                ask("seen", "GET", f"/seen/{stream}/{line.decode().split()[1]}")
    large = ask("large", "GET", "/large").content
    assert ask("large put", "PUT", "/echo", data=large).content == large
    assert ask("chunks", "GET", "/chunks").content == large
    ask("close", "GET", "/close")
done()
