"""python -m samebits: the program of the wheel."""

import os
import shutil
import sys
import sysconfig


def program() -> str | None:
    """The one that was installed with this package, or the one that the shell finds."""
    beside = os.path.join(sysconfig.get_path("scripts"), "samebits")
    return beside if os.path.exists(beside) else shutil.which("samebits")


def main() -> None:
    found = program()
    if found is None:
        sys.exit("samebits: the program is not where the package's scripts are, and not on the PATH")
    os.execv(found, [found, *sys.argv[1:]])


main()
