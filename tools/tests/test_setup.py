"""tools/setup, without installing anything: forged distributions and package lists."""

import os
import subprocess

import pytest

from conftest import TOOLS

DPKG = """#!/bin/sh
shift 3
for package; do [ "$package" = "$ABSENT" ] || echo "$package installed"; done
"""
APT = """#!/bin/sh
echo "$@" >>"$CALLS"
[ "$1" != install ] || exit "${APT_STATUS:-0}"
"""


@pytest.fixture
def setup(tmp_path):
    """Calls tools/setup with stand-ins for dpkg-query and apt-get first in PATH."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name, text in (("dpkg-query", DPKG), ("apt-get", APT), ("id", "#!/bin/sh\necho 0\n")):
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)

    def call(what, release="ID=debian\nVERSION_ID=12\n", **changes):
        (tmp_path / "os-release").write_text(release)
        environment = {"PATH": f"{tools}:{os.environ['PATH']}", "CALLS": str(tmp_path / "calls"),
                       "OS_RELEASE": str(tmp_path / "os-release"), **changes}
        done = subprocess.run([str(TOOLS / "setup"), what], env=environment, capture_output=True,
                              text=True, timeout=20, check=False)
        calls = tmp_path / "calls"
        return done, calls.read_text().splitlines() if calls.exists() else []
    return call


@pytest.mark.parametrize("what", ["run", "iso", "check", "lint"])
def test_nothing_missing_installs_nothing(setup, what):
    done, calls = setup(what)
    assert (done.returncode, done.stdout, calls) == (0, "", [])


@pytest.mark.parametrize("release", ["ID=debian\nVERSION_ID=13\n",
                                     'ID=ubuntu\nVERSION_ID="24.04"\n'])
def test_missing_package_is_said_and_installed(setup, release):
    done, calls = setup("run", release, ABSENT="bochs")
    assert done.returncode == 0
    assert "installing" in done.stdout and "bochs" in done.stdout
    assert calls == ["update", "install -y --no-install-recommends bochs"]


def test_failed_installation_is_an_error(setup):
    done, _ = setup("run", ABSENT="xorriso", APT_STATUS="100")
    assert done.returncode == 1
    assert "apt-get failed" in done.stderr


@pytest.mark.parametrize("release", ["ID=fedora\nVERSION_ID=40\n", "ID=debian\nVERSION_ID=11\n", ""])
def test_other_distributions_get_the_list(setup, release):
    done, calls = setup("run", release)
    assert done.returncode == 1
    assert "qemu-system-x86" in done.stderr
    assert calls == []


def test_unknown_purpose_is_refused(setup):
    assert setup("everything")[0].returncode == 2
