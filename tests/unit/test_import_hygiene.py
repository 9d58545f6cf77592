"""What a start imports is chosen: `--help` next to nothing, the commands no Textual and no charts."""

import os
import subprocess
import sys

import pytest

import tui.cli

DRAWING = {"textual", "rich", "plotext"}
HEAVY = DRAWING | {"httpx", "pydantic", "asyncio", "typing", "pathlib", "shutil", "subprocess", "ssl"}


def imported(*args: str, rc: int = 0) -> set[str]:
    """The modules that `python -m tui ARGS` has loaded when it ends."""
    code = (
        "import sys, runpy\n"
        "sys.argv = ['litellm-tui', *sys.argv[1:]]\n"
        "try: runpy.run_module('tui', run_name='__main__', alter_sys=True)\n"
        "except SystemExit as done: code = done.code\n"
        "print(code, *sys.modules, file=sys.stderr)\n"
    )
    env = {name: value for name, value in os.environ.items() if not name.startswith("LITELLM")}
    done = subprocess.run(
        [sys.executable, "-c", code, *args],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
        env={**env, "XDG_CONFIG_HOME": "/nonexistent"},
        check=True,
    )
    status, *modules = done.stderr.splitlines()[-1].split()
    assert int(status) == rc
    return set(modules)


def packages(modules: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules}


def plain_python() -> set[str]:
    """What is there without us: a site's .pth files may import things of their own, and runpy does."""
    code = "import sys, runpy, argparse, pkgutil; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(("args", "rc"), [(["--help"], 0), (["--version"], 0), (["usage", "--help"], 0), ([], 2)])
def test_help_loads_next_to_nothing(args: list[str], rc: int) -> None:
    loaded = imported(*args, rc=rc)
    assert "tui.cli" in loaded
    assert (packages(loaded) & HEAVY) - packages(plain_python()) == set()
    own = {name for name in loaded if name.startswith("tui.")}
    # what is said on stderr comes past the redaction
    assert own - {"tui.gateway", "tui.gateway.redaction"} <= {"tui.cli", "tui.__main__", "tui.complaints"}


@pytest.mark.parametrize("args", [["doctor"], ["keys", "list"], ["models", "list"], ["usage"], ["usage", "--json"]])
def test_no_command_loads_textual_or_the_charts(args: list[str]) -> None:
    loaded = imported(*args, "--demo")
    assert "tui.demo.server" in loaded, "the command has really run"
    assert packages(loaded) & DRAWING == set()
    assert not [name for name in loaded if name.startswith(("tui.app", "tui.screens", "tui.widgets", "tui.charts"))]


def test_the_check_would_see_it() -> None:
    code = "import sys, tui.app; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert packages(set(done.stdout.split())) >= {"textual", "rich"}
    assert tui.cli.COMMANDS
