"""Runs the emulator for as long as its starter lives.

Standard input is a pipe from the starter that nothing is ever written to. It ends when the starter closes it or is
gone, however it went; then the whole process group goes too: the emulator and the functions that it runs. Nothing
is saved, so there is nothing to shut down first.
"""

import os
import shutil
import signal
import sys
import threading


def end_with_starter() -> None:
    sys.stdin.buffer.read()
    shutil.rmtree(os.environ["TMPDIR"], ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


if os.getpgrp() != os.getpid():
    sys.exit("emulator.py must lead a process group of its own, it kills its group")
threading.Thread(target=end_with_starter, daemon=True).start()

from ministack import app as emulator  # noqa: E402  (slow: the starter must be watched before)

import as_on_aws  # noqa: E402, F401  (mends the emulator)
import as_on_aws_mail  # noqa: E402, F401  (so does this)

serve = emulator.app


async def with_paths_as_sent(scope, receive, send):
    """API Gateway hands a REST API's path on as it was sent, so that `%2F` is no `/`; the emulator would decode it."""
    if scope["type"] == "http" and scope["path"].startswith("/_aws/execute-api/") and scope.get("raw_path"):
        scope = {**scope, "path": scope["raw_path"].decode("ascii")}
    await serve(scope, receive, send)


emulator.app = with_paths_as_sent
emulator.main()
