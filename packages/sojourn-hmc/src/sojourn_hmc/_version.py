"""The version of this package, the same in all of Sojourn's packages."""

__version__ = "0.1.0.dev0"
