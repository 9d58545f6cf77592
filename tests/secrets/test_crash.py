"""What a crash says: where, and nothing of the values. One way out for all of Python's own words."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.secrets.conftest import Canary
from tests.terminal.conftest import Start, start  # noqa: F401

ROOT = Path(__file__).parents[2]
# Deep in a worker of the app, with the secret in the locals, in the message, in a chained error and in a note
CRASH = """
import sys
from tui.gateway.redaction import remember
from tui.screens.keys import KeysScreen
secret = SECRET
remember(secret)
def deep(secret, depth=5):
    local = {"key": secret}
    if depth:
        return deep(secret, depth - 1)
    try:
        raise ValueError(f"inner {secret}")
    except ValueError as inner:
        error = RuntimeError(f"deep failure with Bearer {secret}")
        error.add_note(f"noted {secret}")
        raise error from inner
def action_reverse(self):
    self.run_worker(work(), HOW)
async def work():
    deep(secret)
KeysScreen.action_reverse = action_reverse
from tui.cli import main
sys.exit(main(["--demo"]))
"""
HOW = {"worker": "exclusive=True", "thread": "thread=True"}


@pytest.mark.parametrize("how", HOW)
def test_a_crash_in_the_app_has_no_values(canary: Canary, tmp_path: Path, start: Start, how: str) -> None:  # noqa: F811
    code = CRASH.replace("SECRET", repr(canary.secret)).replace("HOW", HOW[how])
    env = {"PYTHONPATH": str(ROOT), "LITELLM_TUI_DEBUG": "1"}
    with (tmp_path / "stderr").open("wb") as stderr:
        app = start(command=(sys.executable, "-c", code), env=env, stderr=stderr.fileno())
    app.see("Keys")
    app.press("S")
    assert app.ended() == 1
    said = (tmp_path / "stderr").read_text() + app.text()
    assert "stopped because of an error of its own" in said
    assert "deep failure" in said and "in deep" in said, "it still says where"
    for each in (said, "".join(said.split()), bytes(app.sent)):
        canary.check(each, "what the crash left")
    assert "'key':" not in said and "depth = " not in said and "╭" not in said, "no locals, no frames of rich's"


# Each of the ways by which Python says something itself
COMPLAINTS = {
    "traceback": "raise RuntimeError(s)",
    "warning": "import warnings; warnings.warn(s)",
    "logging": "import logging; logging.error('failed with %s', s)",
    "logged traceback": "import logging\ntry: 1 / 0\nexcept Exception: logging.getLogger('x').exception(s)",
    "thread": "import threading\ndef f(): raise ValueError(s)\n"
    "t = threading.Thread(target=f, name=s); t.start(); t.join()",
    "finaliser": "class A:\n    def __del__(self): raise ValueError(s)\nA()",
    "at exit": "import atexit\ndef f(): raise ValueError(s)\natexit.register(f)",
    "task": "import asyncio\nasync def f(): raise ValueError(s)\n"
    "async def g():\n    t = asyncio.ensure_future(f()); await asyncio.sleep(0.01); del t\nasyncio.run(g())",
    "loop": "import asyncio\nasync def g():\n    asyncio.get_running_loop().call_exception_handler({'message': s})\n"
    "asyncio.run(g())",
    "never awaited": "async def f(x): pass\nf.__qualname__ = s\nf(1)",
    "exit": "import sys; sys.exit(s)",
    "pieces": "import sys\nprint('Bearer', s, file=sys.stderr)\nfor c in s: sys.stderr.write(c)",
    "no line end": "import sys\nsys.stderr.write(s)",
    "argparse": "from tui.cli import main; main([s + ' ', '--zzz', s])",
}


@pytest.mark.parametrize("way", COMPLAINTS)
@pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "bare"])
def test_all_of_pythons_own_words_pass_one_place(canary: Canary, way: str, guarded: bool) -> None:
    """Without the guard the same words do show it: the test can fail."""
    code = f"s = {canary.secret!r}\n"
    if guarded:
        code += "from tui.complaints import guard; guard()\nfrom tui.gateway.redaction import remember; remember(s)\n"
    done = subprocess.run(
        [sys.executable, "-c", code + COMPLAINTS[way]],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "always"},
        capture_output=True,
        timeout=60,
    )
    assert done.stderr
    if guarded or way == "argparse":
        canary.check(done.stderr, f"stderr of {way}")
        assert b"redacted" in done.stderr or way == "argparse"
    else:
        with pytest.raises(AssertionError):
            canary.check(done.stderr, f"stderr of {way}")
