"""Runs the emulator until its parent process ends.

Standard input is a pipe from the parent process, which never writes to it. The pipe closes when the parent process closes
it or ends, even when it is killed. Then the whole process group ends: the emulator and the functions that it runs.

The emulator keeps no state, unless EVENTPULSE_SAVED_MARK names a file. Then it saves its state before it ends and creates
that file, which marks the saved state as complete.
"""

import os
import shutil
import signal
import sys
import threading
import time
from pathlib import Path

SAVED_MARK = os.environ.get("EVENTPULSE_SAVED_MARK")
# Seconds that the emulator has to save its state.
SAVE_TIMEOUT = 60


def end_group() -> None:
    shutil.rmtree(os.environ["TMPDIR"], ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


def end_with_parent() -> None:
    sys.stdin.buffer.read()
    if SAVED_MARK:
        # The emulator saves its state on this signal; then `main` returns.
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(SAVE_TIMEOUT)
    end_group()


if os.getpgrp() != os.getpid():
    sys.exit("emulator.py must lead its own process group, because it kills the group")
threading.Thread(target=end_with_parent, daemon=True).start()

from ministack import app as emulator  # noqa: E402  (the import takes seconds: the parent process is watched before)

import as_on_aws  # noqa: E402, F401  (patches the emulator)
import as_on_aws_identity  # noqa: E402, F401  (patches the emulator)
import as_on_aws_mail  # noqa: E402, F401  (patches the emulator)

serve = emulator.app


async def with_raw_paths(scope, receive, send):
    """Passes the undecoded path to REST APIs, as API Gateway does: `%2F` is not `/`. The emulator would decode it."""
    if scope["type"] == "http" and scope["path"].startswith("/_aws/execute-api/") and scope.get("raw_path"):
        scope = {**scope, "path": scope["raw_path"].decode("ascii")}
    await serve(scope, receive, send)


emulator.app = with_raw_paths
emulator.main()
if SAVED_MARK:
    Path(SAVED_MARK).touch()
end_group()
