"""Names that DNS does not answer: a command ends all the same."""

import os
import signal
import subprocess
import sys
from pathlib import Path

HANGING = """
import socket, sys, threading
def never(*args, **kwargs):
    print("asked", flush=True)
    threading.Event().wait()
socket.getaddrinfo = never
from tui.cli import main
sys.exit(main(["keys", "list"]))
"""


def test_ctrl_c_ends_a_command_whose_name_is_not_answered(tmp_path: Path) -> None:
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "LITELLM_TUI_URL": "https://llm.example.com",
        "LITELLM_TUI_API_KEY": "sk-lookup-0123456789",
    }
    with subprocess.Popen(
        [sys.executable, "-c", HANGING],
        env=env,
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as command:
        try:
            assert command.stdout is not None
            assert command.stdout.readline() == "asked\n"
            command.send_signal(signal.SIGINT)
            _, said = command.communicate(timeout=60)
        finally:
            command.kill()
    assert command.returncode != 0
    assert "Traceback" not in said
