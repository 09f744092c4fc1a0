"""An echo server of `websockets`, for one port that it prints; arguments: none, or a certificate chain and its key."""

import asyncio
import logging
import ssl
import sys

from websockets.asyncio.server import serve


# Clients that break the protocol on purpose are no news.
logging.getLogger("websockets").setLevel(logging.CRITICAL)


async def echo(socket):
    async for message in socket:
        await socket.send(message)


async def main(chain=None, key=None):
    tls = None
    if chain is not None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(chain, key)
    async with serve(echo, "127.0.0.1", 0, ssl=tls, max_size=64 * 1024 * 1024) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()


asyncio.run(main(*sys.argv[1:]))
