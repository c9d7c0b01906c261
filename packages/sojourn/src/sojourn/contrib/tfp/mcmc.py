"""TensorFlow Probability's kernels under `MCMC`: `TFPKernel`, and a class for each of them."""

from sojourn.contrib.tfp.kernel import TFPKernel, TFPKernelState, mcmc

__all__ = [
    "HamiltonianMonteCarlo",
    "MetropolisAdjustedLangevinAlgorithm",
    "NoUTurnSampler",
    "RandomWalkMetropolis",
    "ReplicaExchangeMC",
    "SliceSampler",
    "TFPKernel",
    "TFPKernelState",
    "UncalibratedHamiltonianMonteCarlo",
    "UncalibratedLangevin",
    "UncalibratedRandomWalk",
]


class HamiltonianMonteCarlo(TFPKernel):
    """TFP's Hamiltonian Monte Carlo: ``step_size``, ``num_leapfrog_steps``."""

    kernel_class = mcmc.HamiltonianMonteCarlo


class MetropolisAdjustedLangevinAlgorithm(TFPKernel):
    """TFP's Langevin algorithm with a Metropolis correction: ``step_size``, ``volatility_fn``."""

    kernel_class = mcmc.MetropolisAdjustedLangevinAlgorithm


class NoUTurnSampler(TFPKernel):
    """TFP's No-U-Turn Sampler: ``step_size``, ``max_tree_depth``, ``unrolled_leapfrog_steps``."""

    kernel_class = mcmc.NoUTurnSampler


class RandomWalkMetropolis(TFPKernel):
    """TFP's random walk with a Metropolis correction: ``new_state_fn``, by default unit normal."""

    kernel_class = mcmc.RandomWalkMetropolis


class ReplicaExchangeMC(TFPKernel):
    """TFP's parallel tempering: ``inverse_temperatures``, ``make_kernel_fn``.

    Examples
    --------
    Two modes that a single chain would not cross:

    >>> import jax, jax.numpy as jnp
    >>> from sojourn.contrib.tfp.mcmc import ReplicaExchangeMC
    >>> from sojourn.infer import MCMC
    >>> from tensorflow_probability.substrates import jax as tfp
    >>> def make_kernel(target_log_prob_fn):
    ...     step_size = jnp.array([[0.3], [0.8], [2.0]])  # (len(inverse_temperatures), 1)
    ...     return tfp.mcmc.HamiltonianMonteCarlo(target_log_prob_fn, step_size, 3)
    >>> kernel = ReplicaExchangeMC(
    ...     potential_fn=lambda x: -jnp.logaddexp(-2 * (x - 4) ** 2, -2 * (x + 4) ** 2),
    ...     inverse_temperatures=jnp.array([1.0, 0.2, 0.04]),
    ...     make_kernel_fn=make_kernel,
    ... )
    >>> mcmc = MCMC(kernel, num_warmup=100, num_samples=1000, progress_bar=False, report=False)
    >>> mcmc.run(jax.random.key(0), init_params=4.0)
    >>> bool(0.3 < (mcmc.get_samples() > 0).mean() < 0.7)
    True
    """

    kernel_class = mcmc.ReplicaExchangeMC


class SliceSampler(TFPKernel):
    """TFP's slice sampler along random directions: ``step_size``, ``max_doublings``."""

    kernel_class = mcmc.SliceSampler


class UncalibratedHamiltonianMonteCarlo(TFPKernel):
    """TFP's trajectories of HMC, under its ``MetropolisHastings``."""

    kernel_class = mcmc.UncalibratedHamiltonianMonteCarlo


class UncalibratedLangevin(TFPKernel):
    """TFP's Langevin proposal, under its ``MetropolisHastings``."""

    kernel_class = mcmc.UncalibratedLangevin


class UncalibratedRandomWalk(TFPKernel):
    """TFP's random walk proposal, under its ``MetropolisHastings``."""

    kernel_class = mcmc.UncalibratedRandomWalk
