"""Draw with a checkpoint, in one process or in several, and be killed on the way if so asked.

`test_processes.py` starts this script with the path of the checkpoint or "", a file for the draws,
and which process is killed when: its number, the phase, and after how many looks at it.
"""

import os
import signal
import sys

import jax
import jax.numpy as jnp
import numpy as np

from sojourn_hmc import MCMC, BarkerMH

path, result, *killed = sys.argv[1:]
looks = 0


def callback(view):
    global looks
    if killed and jax.process_index() == int(killed[0]) and view.phase == killed[1]:
        looks += 1
        if looks > int(killed[2]):
            os.kill(os.getpid(), signal.SIGKILL)


mcmc = MCMC(
    BarkerMH(potential_fn=lambda z: jnp.sum(jnp.exp(z["x"]) - z["x"])),
    num_warmup=60,
    num_samples=90,
    num_chains=3,
    progress_rate=10,
    progress_bar=False,
    report=False,
)
mcmc.run(
    jax.random.key(3),
    init_params={"x": np.linspace(-1, 1, 6, dtype=np.float32).reshape(3, 2)},
    extra_fields=("accept_prob",),
    callback=callback,
    checkpoint=path or None,
    checkpoint_every=0.0,
)
np.savez(
    f"{result}-{jax.process_index()}",
    samples=mcmc.get_samples(group_by_chain=True)["x"],
    accept_prob=mcmc.get_extra_fields(group_by_chain=True)["accept_prob"],
    state=mcmc.last_state.z["x"],
    transitions=mcmc.last_state.i,
)
