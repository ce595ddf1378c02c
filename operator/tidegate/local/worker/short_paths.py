"""A short name for a worker's folder of temporary files, where its own path is too long for sockets in it.

The short name is a link in a folder of this user alone. What is written still lies in the state folder, on
its disk. A link in that one leads back, so that whoever removes the folder finds its short name too.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

# A socket's path has 107 bytes (sockaddr_un, unix(7)). The longest name that vLLM 0.32 puts into TMPDIR is a
# slash and a UUID (get_open_zmq_ipc_path), 37; Python's fork server needs 32 (arbitrary_address).
LONGEST: Final = 107 - 37
_LINK: Final = "t"
_BACK: Final = ".short"
_TRIES: Final = 8  # at a name that nobody has; each has 32 bits of chance


def shorten(folder: Path, runtime_folder: str) -> None:
    """Gives the folder a short name where it needs one and has none; ``runtime_folder``: the user's own
    (XDG_RUNTIME_DIR), empty where there is none. OSError where no such name can be made."""
    if len(os.fsencode(folder)) <= LONGEST or short_name(folder) is not None:
        return
    remove_short_name(folder)  # of one that is no good any more
    for place in _places(runtime_folder):
        with suppress(OSError):
            _link(folder, place)
            return
    raise OSError(
        f"{folder} is too long for sockets in it ({len(os.fsencode(folder))} bytes, at most {LONGEST}), and "
        "neither XDG_RUNTIME_DIR nor /tmp takes a shorter name; name another folder with --state"
    )


def short_name(folder: Path) -> Path | None:
    """The folder's short name, if it has one that leads to it."""
    with suppress(OSError):
        link = (folder / _BACK).readlink() / _LINK
        if _is_ours(link.parent) and link.readlink() == folder:
            return link
    return None


def remove_short_name(folder: Path) -> None:
    """Before the folder itself is removed. Whatever else lies where its short name should stays."""
    back = folder / _BACK
    with suppress(OSError):
        holder = back.readlink()
        if _is_ours(holder):
            with suppress(FileNotFoundError):
                if (holder / _LINK).readlink() == folder:
                    (holder / _LINK).unlink()
            holder.rmdir()
    with suppress(OSError):
        back.unlink()


def _places(runtime_folder: str) -> Iterator[Path]:
    """A runtime folder is this user's alone, and nobody clears it of what is old."""
    for name in (runtime_folder, "/tmp"):  # noqa: S108  in it a folder of our own with a name by chance
        if name.startswith("/") and len(os.fsencode(name)) <= LONGEST - len("/tidegate-01234567/t"):
            yield Path(name)


def _link(folder: Path, place: Path) -> None:
    """First the way back, then what it leads to: nothing is left without it, whenever this ends."""
    for _ in range(_TRIES):
        holder = place / f"tidegate-{secrets.token_hex(4)}"
        (folder / _BACK).symlink_to(holder)
        try:
            holder.mkdir(mode=0o700)
            (holder / _LINK).symlink_to(folder)
        except FileExistsError:  # another's: the next name
            (folder / _BACK).unlink()
        except OSError:
            remove_short_name(folder)
            raise
        else:
            return
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(place))


def _is_ours(holder: Path) -> bool:
    """Whether it is a folder of this user's: in /tmp anybody may have made one of that name."""
    found = holder.lstat()
    return holder.is_dir() and not holder.is_symlink() and found.st_uid == os.getuid()
