"""Draw in one process or in several, and write down what each has in the end.

`test_processes.py` starts this script; it needs a folder as its argument.
"""

import sys
import threading

import jax
import jax.numpy as jnp
import numpy as np

from sojourn_hmc import MCMC, BarkerMH

compiled = []
jax.monitoring.register_event_duration_secs_listener(
    lambda event, seconds, **details: (
        compiled.append(event) if event == "/jax/core/compile/backend_compile_duration" else None
    )
)
kernel = BarkerMH(potential_fn=lambda z: jnp.sum(jnp.exp(z["x"]) - z["x"]))
start = {"x": np.linspace(-1, 1, 10, dtype=np.float32).reshape(5, 2)}


def run(num_samples=20, stop_when=None, **settings):
    mcmc = MCMC(
        kernel,
        num_warmup=10,
        num_samples=num_samples,
        num_chains=5,
        progress_bar=False,
        report=False,
        **settings,
    )
    mcmc.run(
        jax.random.key(3),
        init_params=start,
        extra_fields=("accept_prob",),
        stop_when=stop_when,
    )
    return mcmc


def settle():
    for thread in threading.enumerate():
        if thread.name.startswith("compile"):
            thread.join()


mcmc = run()
samples = np.asarray(mcmc.get_samples(group_by_chain=True)["x"])
accept_prob = np.asarray(mcmc.get_extra_fields(group_by_chain=True)["accept_prob"])
mcmc.post_warmup_state = mcmc.last_state
mcmc.run(mcmc.post_warmup_state.rng_key)
more = np.asarray(mcmc.get_samples(group_by_chain=True)["x"])

settle()
compiled.clear()
run(num_samples=33)
settle()
again = len(compiled)

# Processes may stop after different numbers of draws; what all have drawn is kept.
wanted = 5 + 3 * jax.process_index()
stopped = run(num_samples=2000, stop_when=lambda view: view.num_draws >= wanted, progress_rate=1)
assert not stopped.is_complete

few = MCMC(kernel, num_warmup=1, num_samples=1, num_chains=1, progress_bar=False)
try:
    few.run(jax.random.key(0), init_params={"x": start["x"][0]})
    refused = ""
except ValueError as error:
    refused = str(error)

np.savez(
    f"{sys.argv[1]}/{jax.process_index()}-of-{jax.process_count()}.npz",
    samples=samples,
    accept_prob=accept_prob,
    more=more,
    stopped=stopped.get_samples(group_by_chain=True)["x"],
    state=mcmc.last_state.z["x"],
    again=again,
    refused=refused,
    description=mcmc.placement.description,
)
