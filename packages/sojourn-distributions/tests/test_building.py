"""Building distributions from plain numbers leaves JAX asleep."""

import jax
import jax.numpy as jnp
import numpy as np


def test_building_compiles_nothing_and_creates_no_array(cases):
    compiled = []

    def listen(event, duration, **_):
        if event == "/jax/core/compile/backend_compile_duration":
            compiled.append(event)

    jax.clear_caches()  # once: what an earlier test compiled would not be compiled again
    before = len(jax.live_arrays())
    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        for case in cases:
            d = case.make()
            wrapped = d.expand((2, 3, *d.batch_shape)).mask(np.ones(3, bool)).to_event(1)
            _ = repr(wrapped), wrapped.support, wrapped.is_discrete, d.get_args()
            if d.has_enumerate_support:
                d.enumerate_support()
            assert (len(jax.live_arrays()), compiled) == (before, []), str(case)
        jnp.zeros(17) + 1  # the listener listens
        assert compiled
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
