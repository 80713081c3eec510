"""Files of Debian packages that are not installed: fetched by apt-get into a folder and unpacked
there. Nothing of the host changes; which files are wanted is the caller's."""

import re
import subprocess
from pathlib import Path

from . import HostError

FETCH_LIMIT = 600  # seconds
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
KERNEL = "linux-image-amd64"
EXACT_DEPENDENCY = re.compile(r"^Depends: (linux-image-\S+) \(= (\S+)\)$", re.MULTILINE)
VERSION = re.compile(r"^Version: (\S+)$", re.MULTILINE)


def run_apt(*command, folder=None):
    """What a command prints; HostError with its words when it fails."""
    try:
        return subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, check=True, timeout=FETCH_LIMIT,
                              env={"PATH": PATH, "LC_ALL": "C"}).stdout
    except FileNotFoundError:
        raise HostError(f"{command[0]} is missing: packages can only be fetched on Debian") from None
    except subprocess.TimeoutExpired:
        raise HostError(f"{' '.join(command)}: no end after {FETCH_LIMIT} s") from None
    except subprocess.CalledProcessError as error:
        raise HostError(f"{' '.join(command)} failed (is the network there? is apt's list of "
                        f"packages fresh? `apt-get update`):\n{error.stderr.strip()}") from None


def describe(package):
    """apt's record of the version that would be installed."""
    try:
        return run_apt("apt-cache", "show", "--no-all-versions", package)
    except HostError as error:
        raise HostError(f"apt knows no package {package}: its list is empty (`apt-get update`) or "
                        f"this is not Debian\n{error}") from None


def version_in(record, package):
    """The version that a record of apt's names."""
    found = VERSION.search(record)
    if not found:
        raise HostError(f"apt offers no version of {package}: `apt-get update`")
    return found[1]


def current_version(package):
    """The version of a package that would be installed."""
    return version_in(describe(package), package)


def kernel_in(record):
    """(package, version) that the record of linux-image-amd64 stands for."""
    found = EXACT_DEPENDENCY.search(record)
    if not found:
        raise HostError(f"apt's record of {KERNEL} names no kernel: is this Debian?")
    return found.groups()


def current_kernel():
    """The package of Debian's current kernel and its version."""
    return kernel_in(describe(KERNEL))


def unpacked(package, version, cache):
    """The folder that holds a package's files, fetched and unpacked at the first call. The cache
    keeps the one version."""
    folder = Path(cache) / f"{package}_{version.replace(':', '%3a')}"
    if not folder.exists():
        partial = folder.with_suffix(".partial")
        run_apt("rm", "-rf", str(partial))
        partial.mkdir(parents=True)
        run_apt("apt-get", "download", f"{package}={version}", folder=partial)
        archives = list(partial.glob("*.deb"))
        if len(archives) != 1:
            raise HostError(f"apt-get download {package}: {len(archives)} files came")
        run_apt("dpkg-deb", "-x", str(archives[0]), str(partial))
        archives[0].unlink()
        partial.rename(folder)
    return folder
