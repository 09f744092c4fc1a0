"""`websockets` through the proxy, or without one where HTTPS_PROXY is unset; arguments: a URL, a text to send.

Prints over how many connections it sent the text, as one message and as many, which came back each time.
"""

import asyncio
import os
import ssl
import sys

from websockets.asyncio.client import connect
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory as Deflate

url, text = sys.argv[1:]
large = "".join(f"line {n} of something that compresses well\n" for n in range(20_000))
noise = os.urandom(1024 * 1024)
variants = [
    {"compression": None},
    {"compression": "deflate"},
    {
        "compression": None,
        "extensions": [
            Deflate(server_no_context_takeover=True, client_no_context_takeover=True),
        ],
    },
    {
        "compression": None,
        "extensions": [Deflate(server_max_window_bits=9, client_max_window_bits=9)],
    },
]


async def echoed(socket, message):
    await socket.send(message)
    return await socket.recv()


async def exercise(variant):
    tls = ssl.create_default_context() if url.startswith("wss:") else None
    proxy = os.environ.get("HTTPS_PROXY")
    options = {"proxy": proxy, "ssl": tls, "max_size": 64 * 1024 * 1024, **variant}
    async with connect(url, **options) as socket:
        assert await echoed(socket, "hello") == "hello"
        assert await echoed(socket, "") == ""
        assert await echoed(socket, text) == text
        assert await echoed(socket, large) == large
        assert await echoed(socket, noise) == noise
        pieces = [large[start : start + 997] for start in range(0, 100_000, 997)]
        assert await echoed(socket, iter(pieces)) == "".join(pieces)
        for start in range(0, len(text), 5):
            assert await echoed(socket, text[start : start + 5]) == text[start : start + 5]
        await (await socket.ping(b"are you there"))
        await socket.close(1000, "done")
        assert socket.close_code == 1000, socket.close_code


async def main():
    for variant in variants:
        await exercise(variant)
    print(len(variants))


asyncio.run(main())
