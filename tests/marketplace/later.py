"""`swarm-market` at a later time: `python -m tests.marketplace.later SECONDS serve …`.

A chain of one's own can be put forward by a week; the machine cannot. So the one clock that the
marketplace has is put forward with it.
"""

from __future__ import annotations

import sys

from marketplace import clock

if __name__ == "__main__":
    present, ahead_s = clock.now_s, int(sys.argv[1])
    clock.now_s = lambda: present() + ahead_s
    from marketplace.cli import main

    main(sys.argv[2:])
