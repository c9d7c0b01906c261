"""Where draws can go as they arrive, instead of staying in memory: files that outlive a process."""

from sojourn_hmc.stores.contract import DrawStore, Layout
from sojourn_hmc.stores.numpy_store import NumpyStore
from sojourn_hmc.stores.zarr_store import ZarrStore

__all__ = ["DrawStore", "Layout", "NumpyStore", "ZarrStore"]
