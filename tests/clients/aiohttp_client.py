"""Python aiohttp through the proxy; arguments: a base URL, a text to send."""

import asyncio
import os
import ssl
import sys

import aiohttp

base, text = sys.argv[1:]
large = b"0123456789abcde\n" * 65536


async def twice():
    yield large
    yield large


async def main():
    tls = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
    connector = aiohttp.TCPConnector(ssl=tls)
    async with aiohttp.ClientSession(connector=connector, trust_env=True) as session:
        for _ in range(2):
            async with session.get(f"{base}/hello") as answer:
                assert await answer.text() == "hello"
        async with session.head(f"{base}/hello") as answer:
            assert answer.headers["Content-Length"] == "5"
        async with session.get(f"{base}/redirect") as answer:
            assert await answer.text() == "hello"
        async with session.post(f"{base}/echo", data=text.encode()) as answer:
            assert await answer.text() == text
        async with session.post(f"{base}/echo", data=twice()) as answer:
            assert await answer.read() == large * 2
        async with session.get(f"{base}/events") as answer:
            events = [line async for line in answer.content if line.strip()]
        assert events == [b"data: 0\n", b"data: 1\n", b"data: 2\n"], events
        async with session.get(f"{base}/missing") as answer:
            assert answer.status == 404


asyncio.run(main())
print("done")
