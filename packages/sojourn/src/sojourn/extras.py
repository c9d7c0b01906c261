"""What a part of the package says when the optional package that it wraps is not installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["needs"]


@contextmanager
def needs(package: str, extra: str) -> Iterator[None]:
    """Name the extra to install where the imports inside do not find a package.

    Parameters
    ----------
    package : str
        Name under which it is imported. An ImportError of another cause is left as it is.
    extra : str
        The extra of `sojourn` that brings it.

    Raises
    ------
    ImportError
        With the command to run, if ``package`` cannot be found.

    Examples
    --------
    >>> with needs("no_such_package", extra="plots"):
    ...     import no_such_package
    Traceback (most recent call last):
        ...
    ImportError: no_such_package is not installed: pip install 'sojourn[plots]'
    """
    try:
        yield
    except ImportError as error:
        if error.name is None or error.name.partition(".")[0] != package:
            raise
        raise ImportError(
            f"{package} is not installed: pip install 'sojourn[{extra}]'", name=package
        ) from error
