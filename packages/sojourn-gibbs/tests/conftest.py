"""Tests share chains that run at once, and native loops, which halve the time to compile."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # `chains` lies beside the tests

from sojourn_hmc import native_loops

native_loops.enable()
