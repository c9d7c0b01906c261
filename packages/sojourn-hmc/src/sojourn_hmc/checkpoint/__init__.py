"""Checkpoints: a run on disk, from which another process goes on to the same draws."""

from sojourn_hmc.checkpoint.checkpoint import Checkpoint, exists
from sojourn_hmc.checkpoint.fingerprint import fingerprint
from sojourn_hmc.files import CheckpointError

__all__ = ["Checkpoint", "CheckpointError", "exists", "fingerprint"]
