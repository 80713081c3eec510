"""What the tests of the Python parts share: the image of endings.c, and runs that leave no trace
in the build folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TOOLS))

FLAGS = ("-m32 -ffreestanding -fno-pic -fno-pie -no-pie -fno-stack-protector -fcf-protection=none "
         "-O1 -g -Wall -Wextra -Werror -nostdlib -static "
         "-Wl,--build-id=none,-z,max-page-size=4096,--no-warn-rwx-segments,-T").split()


@pytest.fixture(scope="session")
def endings(tmp_path_factory):
    """The image that ends as it is told: a folder with endings.elf, to be used as BUILD."""
    folder = tmp_path_factory.mktemp("endings")
    tests = TOOLS / "tests"
    *flags, script = FLAGS
    subprocess.run([os.environ.get("CC", "gcc"), *flags, f"{script},{tests}/endings.lds",
                    "-o", str(folder / "endings.elf"), str(tests / "endings.c")], check=True)
    return folder


@pytest.fixture
def build(endings, tmp_path, monkeypatch):
    """A build folder of the test's own that holds only endings.elf."""
    (tmp_path / "endings.elf").symlink_to(endings / "endings.elf")
    monkeypatch.setenv("BUILD", str(tmp_path))
    return tmp_path


@pytest.fixture
def run(build):
    """Calls tools/run.py: run("--on", "tcg", ..., env={}) gives the completed process."""
    def call(*arguments, **changes):
        return subprocess.run([sys.executable, str(TOOLS / "run.py"), *arguments],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=120, env={**os.environ, **changes})
    return call
