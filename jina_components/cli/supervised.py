"""A command that ends with the process that started it, however that ends: when its standard input is closed.

    python -m jina_components.cli.supervised finetune run docs/ --to tuned

It is interrupted then, as by Ctrl-C, so that work which can be gone on with is put down.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

# Seconds to put work down in.
_GRACE = 25.0


def watch() -> None:
    """Wait for the end of standard input; then interrupt this process, and end it where that is of no use."""
    while os.read(0, 1024):  # not of `sys.stdin`, whose lock a thread that waits would keep at the end
        pass
    if hasattr(signal, "pthread_kill"):  # so that it wakes the main thread, whatever that waits for
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:
        signal.raise_signal(signal.SIGINT)
    time.sleep(_GRACE)
    os._exit(130)


if __name__ == "__main__":
    threading.Thread(target=watch, daemon=True).start()
    from jina_components.cli.main import main

    sys.exit(main(sys.argv[1:]))
