"""How a WebSocket of `websockets` ends for who says nothing; arguments: `server` and perhaps a certificate chain and
its key, or `client` and a URL, which is asked for through the proxy of HTTPS_PROXY, if that is set.

A server prints its port first, a client that it is connected. Both print the code of the close that came."""

import asyncio
import os
import ssl
import sys

from websockets.asyncio.client import connect
from websockets.asyncio.server import serve


async def server(chain=None, key=None):
    tls = None
    if chain is not None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(chain, key)
    over = asyncio.Event()

    async def echo(socket):
        async for message in socket:
            await socket.send(message)
        print(socket.close_code, flush=True)
        over.set()

    async with serve(echo, "127.0.0.1", 0, ssl=tls) as listening:
        print(listening.sockets[0].getsockname()[1], flush=True)
        await over.wait()


async def client(url):
    tls = ssl.create_default_context() if url.startswith("wss:") else None
    async with connect(url, proxy=os.environ.get("HTTPS_PROXY"), ssl=tls) as socket:
        await socket.send("hello")
        assert await socket.recv() == "hello"
        print("connected", flush=True)
        async for _ in socket:
            pass
        print(socket.close_code, flush=True)


asyncio.run({"server": server, "client": client}[sys.argv[1]](*sys.argv[2:]))
