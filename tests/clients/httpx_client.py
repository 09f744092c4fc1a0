"""Python httpx; arguments: a base URL, a text to send."""

import httpx

from transcript import base, done, new_stream, note, piece, pieces, text

with httpx.Client(follow_redirects=True, timeout=60) as client:

    def ask(step, method, path, fields=False, **options):
        answer = client.request(method, base + path, **options)
        shown = answer.headers.raw if fields else ()
        note(step, f"{answer.status_code} {answer.reason_phrase}", answer.content, shown)
        return answer

    for _ in range(3):
        assert ask("hello", "GET", "/hello").text == "hello"
    assert ask("head", "HEAD", "/hello").headers["Content-Length"] == "5"
    ask("fields", "GET", "/fields", fields=True)
    ask("none", "DELETE", "/none")
    ask("missing", "GET", "/missing?a=%2F&b=c")
    assert ask("redirect", "GET", "/redirect").text == "hello"
    assert ask("post", "POST", "/echo", content=text.encode()).text == text
    assert ask("chunked", "POST", "/echo", content=pieces()).content == piece * 2
    path, stream = new_stream()
    with client.stream("GET", base + path) as answer:
        for line in answer.iter_lines():
            if line:
                note("event", answer.status_code, line.encode())
                ask("seen", "GET", f"/seen/{stream}/{line.split()[1]}")
    large = ask("large", "GET", "/large").content
    assert ask("large put", "PUT", "/echo", content=large).content == large
    assert ask("chunks", "GET", "/chunks").content == large
    ask("close", "GET", "/close")
done()
