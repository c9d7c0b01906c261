"""Pathfinder: normal approximations along paths to a mode, as starts for chains.

Source: Zhang, Carpenter, Gelman, Vehtari 2022, "Pathfinder: parallel quasi-Newton variational
inference" (JMLR 23(306)).
"""

from sojourn_hmc.pathfinding.paths import Pathfinder, pathfinder

__all__ = ["Pathfinder", "pathfinder"]
