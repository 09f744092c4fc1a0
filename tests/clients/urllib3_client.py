"""Python urllib3 through the proxy; arguments: a base URL, a text to send."""

import os
import sys

import urllib3

base, text = sys.argv[1:]
proxy = urllib3.ProxyManager(os.environ["HTTP_PROXY"], ca_certs=os.environ["SSL_CERT_FILE"])
assert proxy.request("GET", f"{base}/hello").data == b"hello"
assert proxy.request("GET", f"{base}/hello").data == b"hello"
assert proxy.request("HEAD", f"{base}/hello").headers["Content-Length"] == "5"
assert proxy.request("GET", f"{base}/redirect").data == b"hello"
assert proxy.request("POST", f"{base}/echo", body=text.encode()).data == text.encode()
large = b"0123456789abcde\n" * 65536
answer = proxy.request("POST", f"{base}/echo", body=iter([large, large]), chunked=True)
assert answer.data == large * 2
answer = proxy.request("GET", f"{base}/events", preload_content=False)
events = [line for line in b"".join(answer.stream()).split(b"\n") if line]
assert events == [b"data: 0", b"data: 1", b"data: 2"], events
assert proxy.request("GET", f"{base}/missing").status == 404
print("done")
