#!/usr/bin/env python3
"""Records the README's first finding: runs its commands against an origin of its own, and draws what they
print as an SVG.

    scripts/record-session.py target/release/clawsec deploy/first-finding.svg
"""

import html
import http.server
import pathlib
import subprocess
import sys
import tempfile
import threading

WIDTH_CHARS, CHAR_PX, LINE_PX, MARGIN_PX = 104, 8.4, 19, 18
# Only what the example of AWS's own documentation shows, put together here.
KEY = "AKIA" + "IOSFODNN7EXAMPLE"


class Origin(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "3")
        self.end_headers()
        self.wfile.write(b"ok\n")

    def log_message(self, *_):
        pass


def wrapped(text):
    for line in text.splitlines():
        while len(line) > WIDTH_CHARS:
            yield line[:WIDTH_CHARS]
            line = "    " + line[WIDTH_CHARS:]
        yield line


def session(binary, folder):
    origin = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Origin)
    threading.Thread(target=origin.serve_forever, daemon=True).start()
    config = folder / "config.json"
    config.write_text(
        '{"proxy_port": 0, "gateway_local_port": 0, "admin_addr": null, "log_dir": "%s"}' % (folder / "log")
    )
    url = f"http://127.0.0.1:{origin.server_port}/"
    commands = [
        ["run", "--", "curl", "-s", url, "-H", f"X-Demo: {KEY}"],
        ["threats", "--limit", "1"],
    ]
    for arguments in commands:
        shown = " ".join(f"'{word}'" if " " in word else word for word in arguments)
        yield "command", f"$ clawsec {shown}"
        with_config = [arguments[0], "--config", str(config), *arguments[1:]]
        done = subprocess.run(
            [binary, *with_config], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for line in wrapped(done.stdout.replace(str(folder / "log"), "/tmp/clawsec")):
            yield "output", line
        yield "output", ""
    origin.shutdown()


def drawing(lines):
    height = 2 * MARGIN_PX + LINE_PX * len(lines)
    width = 2 * MARGIN_PX + WIDTH_CHARS * CHAR_PX
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}" role="img" '
        'aria-label="A key that curl sends is found">'
    )
    yield "<style>text{font:14px ui-monospace,Menlo,Consolas,monospace;white-space:pre}</style>"
    yield '<rect width="100%" height="100%" rx="8" fill="#16181d"/>'
    for number, (kind, line) in enumerate(lines):
        colour = {"command": "#7ee787", "output": "#d6dae2"}[kind]
        baseline = MARGIN_PX + LINE_PX * (number + 1) - 5
        yield f'<text x="{MARGIN_PX}" y="{baseline}" fill="{colour}" xml:space="preserve">{html.escape(line)}</text>'
    yield "</svg>"


def main():
    binary, target = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        lines = list(session(str(pathlib.Path(binary).resolve()), pathlib.Path(folder)))
    pathlib.Path(target).write_text("\n".join(drawing(lines)) + "\n")


main()
