"""Other coordinates for latent sites, from `sojourn_infer`."""

from sojourn_infer.reparam import *  # noqa: F403
from sojourn_infer.reparam import __all__ as __all__
