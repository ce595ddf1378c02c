"""Why a model is not in the cache: the reasons that the operator shows, and the errors that carry them."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from tidegate_worker.failure import Failure
from tidegate_worker.reasons import NO_SPACE
from tidegate_worker.reasons import NOT_WRITABLE as NOT_WRITABLE_OF_POD

NOT_FOUND = "ModelNotFound"
FORBIDDEN = "ModelForbidden"
UNREACHABLE = "ModelUnreachable"
MISMATCH = "ChecksumMismatch"
FULL = "CacheFull"
NOT_WRITABLE = "CacheNotWritable"
BAD_ARGUMENT = "BadArgument"
FAILED = "InitContainerFailed"  # what the operator says of a step that tells no cause

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_RIGHT = (errno.EACCES, errno.EPERM, errno.EROFS)


class FillError(Exception):
    """A model that cannot be fetched or kept; ``reason`` is one of this module's, the text one sentence."""

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason

    @property
    def failure(self) -> Failure:
        """The same in the form of a termination message."""
        return Failure(self.reason, str(self))


@contextmanager
def named(place: str) -> Iterator[None]:
    """Within it an OSError of the cache's volume is a FillError that names ``place``."""
    try:
        yield
    except OSError as error:
        raise _volume_error(error, place) from error


@contextmanager
def named_of_pod(folder: str) -> Iterator[None]:
    """Within it an OSError is told as the engine tells it: the folder is the pod's own, not the cache."""
    try:
        yield
    except OSError as error:
        meaning = NO_SPACE if error.errno in _NO_SPACE else NOT_WRITABLE_OF_POD
        said = f"{folder} cannot be written by user {os.getuid()}: {error.strerror or error}"
        raise FillError(meaning.reason, f"{said}. {meaning.advice}") from error


def _volume_error(error: OSError, place: str) -> FillError:
    if error.errno in _NO_SPACE:
        return FillError(
            FULL, f"{place} has no space left; enlarge it, or set a smaller spec.cache.sizeLimit"
        )
    if error.errno in _NO_RIGHT:
        return FillError(
            NOT_WRITABLE,
            f"user {os.getuid()}, group {os.getgid()} cannot write to {place} ({error.strerror}); make that "
            "user the owner of the folder",
        )
    return FillError(NOT_WRITABLE, f"{place}: {error.strerror or error} ({error.filename})")
