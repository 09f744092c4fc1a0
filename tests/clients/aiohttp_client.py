"""Python aiohttp; arguments: a base URL, a text to send."""

import asyncio
import os
import ssl

import aiohttp

from transcript import base, done, new_stream, note, piece, pieces, text


async def chunks():
    for one in pieces():
        yield one


async def main():
    tls = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
    connector = aiohttp.TCPConnector(ssl=tls)
    timeout = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(
        connector=connector, timeout=timeout, trust_env=True
    ) as session:

        async def ask(step, method, path, fields=False, **options):
            async with session.request(method, base + path, **options) as answer:
                body = await answer.read()
                shown = answer.raw_headers if fields else ()
                note(step, f"{answer.status} {answer.reason}", body, shown)
                return answer, body

        for _ in range(3):
            assert (await ask("hello", "GET", "/hello"))[1] == b"hello"
        answer, _ = await ask("head", "HEAD", "/hello")
        assert answer.headers["Content-Length"] == "5"
        await ask("fields", "GET", "/fields", fields=True)
        await ask("none", "DELETE", "/none")
        await ask("missing", "GET", "/missing?a=b&c=d")
        assert (await ask("redirect", "GET", "/redirect"))[1] == b"hello"
        assert (await ask("post", "POST", "/echo", data=text.encode()))[1] == text.encode()
        assert (await ask("chunked", "POST", "/echo", data=chunks()))[1] == piece * 2
        _, echoed = await ask("expect", "POST", "/echo", data=piece, expect100=True)
        assert echoed == piece
        path, stream = new_stream()
        async with session.get(base + path) as answer:
            async for line in answer.content:
                if line.strip():
                    note("event", answer.status, line)
                    await ask("seen", "GET", f"/seen/{stream}/{line.decode().split()[1]}")
        _, large = await ask("large", "GET", "/large")
        assert (await ask("large put", "PUT", "/echo", data=large))[1] == large
        assert (await ask("chunks", "GET", "/chunks"))[1] == large
        await ask("close", "GET", "/close")


asyncio.run(main())
done()
