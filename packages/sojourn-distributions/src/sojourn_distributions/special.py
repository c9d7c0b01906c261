"""Those functions of `jax.scipy.special` that consist of many operations, traced once per type.

JAX writes them out operation by operation at every call, which takes milliseconds in a traced
model; compiled functions are traced once for arguments of a type and shape and then only called.
What is a single operation already (`gammaln`, `digamma`, `erf`, ...) is imported from JAX.
"""

from __future__ import annotations

import jax
from jax.scipy import special

__all__ = [
    "entr",
    "log_ndtr",
    "logit",
    "logsumexp",
    "ndtr",
    "ndtri",
    "xlog1py",
    "xlogy",
]

entr = jax.jit(special.entr)
log_ndtr = jax.jit(special.log_ndtr)
logit = jax.jit(special.logit)
logsumexp = jax.jit(special.logsumexp, static_argnames=("axis", "keepdims", "return_sign"))
ndtr = jax.jit(special.ndtr)
ndtri = jax.jit(special.ndtri)
xlog1py = jax.jit(special.xlog1py)
xlogy = jax.jit(special.xlogy)
