"""Python urllib3; arguments: a base URL, a text to send."""

import os

import urllib3

from transcript import base, done, new_stream, note, piece, pieces, text

# A proxied clear request gets these two from urllib3 itself, in front: a direct one has them here.
headers = {"Accept": "*/*", "Host": urllib3.util.parse_url(base).netloc}
trusted = os.environ["SSL_CERT_FILE"]
proxy = os.environ.get("HTTP_PROXY")
if proxy:
    pool = urllib3.ProxyManager(proxy, ca_certs=trusted, maxsize=2, headers=headers)
else:
    pool = urllib3.PoolManager(ca_certs=trusted, maxsize=2, headers=headers)


def ask(step, method, path, fields=False, **options):
    answer = pool.request(method, base + path, timeout=60, **options)
    shown = answer.headers.items() if fields else ()
    note(step, f"{answer.status} {answer.reason}", answer.data, shown)
    return answer


for _ in range(3):
    assert ask("hello", "GET", "/hello").data == b"hello"
assert ask("head", "HEAD", "/hello").headers["Content-Length"] == "5"
ask("fields", "GET", "/fields", fields=True)
ask("none", "DELETE", "/none")
ask("missing", "GET", "/missing?a=%2F&b=c")
assert ask("redirect", "GET", "/redirect").data == b"hello"
assert ask("post", "POST", "/echo", body=text.encode()).data == text.encode()
assert ask("chunked", "POST", "/echo", body=pieces(), chunked=True).data == piece * 2
path, stream = new_stream()
answer = pool.request("GET", base + path, preload_content=False, timeout=60)
for event in answer.stream():
    note("event", answer.status, event)
    ask("seen", "GET", f"/seen/{stream}/{event.decode().split()[1]}")
large = ask("large", "GET", "/large").data
assert ask("large put", "PUT", "/echo", body=large).data == large
assert ask("chunks", "GET", "/chunks").data == large
ask("close", "GET", "/close")
done()
