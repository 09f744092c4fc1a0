#!/usr/bin/env python3
"""The command line of the original, `python3 clawsec-monitor.py start|stop|status|threats`, for scripts that call it.

Runs the `clawsec` of CLAWSEC_BIN, of this folder, of the build beside it, or of PATH, with the same arguments.
"""

import os
import shutil
import sys


def find_clawsec() -> str | None:
    """The first program that is there."""
    here = os.path.dirname(os.path.realpath(__file__))
    places = [
        os.environ.get("CLAWSEC_BIN"),
        os.path.join(here, "clawsec"),
        os.path.join(here, "..", "target", "release", "clawsec"),
    ]
    for place in filter(None, places):
        if os.path.isfile(place) and os.access(place, os.X_OK):
            return place
    return shutil.which("clawsec")


def main() -> int:
    program = find_clawsec()
    if program is None:
        print(
            "clawsec-monitor.py: no clawsec found; build it (make build), install it (make install), "
            "or name it in CLAWSEC_BIN",
            file=sys.stderr,
        )
        return 127
    os.execv(program, ["clawsec", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
