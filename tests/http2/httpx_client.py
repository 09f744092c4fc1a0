"""httpx with HTTP/2 alone; arguments: a base URL, the names of steps. What is to be sent is in TEXT. The steps run on
one client, through the proxy of the environment if there is one; each prints what it got, and `done` stands at the
end."""

import asyncio
import gzip
import hashlib
import os
import ssl
import sys

import httpx

base, *steps = sys.argv[1:]
text = os.environ.get("TEXT", "").encode()
piece = b"0123456789abcde\n" * 16384
CROWD = 100


class OnlyHttp2(ssl.SSLContext):
    """Behind a proxy httpcore offers both protocols, also to those who want one."""

    def set_alpn_protocols(self, _):
        super().set_alpn_protocols(["h2"])


def note(step, *words):
    print(step, *words, flush=True)


def new_client(tls=OnlyHttp2, **options):
    context = tls(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(os.environ["SSL_CERT_FILE"])
    options = {"http1": False, "http2": True, "timeout": 60, "verify": context} | options
    return httpx.AsyncClient(**options)


async def pieces():
    yield piece
    yield piece


async def ask(client, step, method, path, **options):
    answer = await client.request(method, base + path, **options)
    body = answer.content
    note(step, answer.http_version, answer.status_code, len(body), hashlib.sha256(body).hexdigest())
    return answer


async def plain(client):
    for _ in range(3):
        assert (await ask(client, "hello", "GET", "/hello")).text == "hello"
    assert (await ask(client, "head", "HEAD", "/hello")).headers["Content-Length"] == "5"
    await ask(client, "none", "DELETE", "/none")
    await ask(client, "unmodified", "GET", "/unmodified", headers={"If-None-Match": '"one"'})
    await ask(client, "missing", "GET", "/missing?a=%2F&b=c")
    answer = await ask(client, "fields", "GET", "/fields", headers={"X-One": "1"})
    note("fields", answer.text, answer.headers.get_list("Set-Cookie"))


async def post(client):
    assert (await ask(client, "post", "POST", "/echo", content=text)).content == text
    assert (await ask(client, "pieces", "POST", "/echo", content=pieces())).content == piece * 2
    headers = {"Content-Encoding": "gzip"}
    answer = await ask(client, "zipped", "POST", "/zipped", content=gzip.compress(text), headers=headers)
    assert answer.content == text


async def large(client):
    answer = await ask(client, "large", "GET", "/large")
    assert (await ask(client, "echo", "PUT", "/echo", content=answer.content)).content == answer.content


async def events(client):
    async with client.stream("GET", f"{base}/events/httpx") as answer:
        async for line in answer.aiter_lines():
            if line:
                note("event", line)
                await ask(client, "seen", "GET", f"/seen/httpx/{line.split()[1]}")


async def together(client):
    path = f"/together/httpx/{CROWD}"
    await asyncio.gather(*(ask(client, "together", "GET", path) for _ in range(CROWD)))


async def both(_):
    """HTTP/1.1 is offered as well."""
    async with new_client(tls=ssl.SSLContext, http1=True) as client:
        await ask(client, "both", "GET", "/hello")


async def unasked(_):
    """HTTP/2 is spoken whatever was agreed on, as httpx does behind a proxy."""
    async with new_client(tls=ssl.SSLContext) as client:
        await ask(client, "unasked", "GET", "/hello")


async def main():
    async with new_client() as client:
        for step in steps:
            await globals()[step](client)
    note("done")


asyncio.run(main())
