"""The first posterior: sample the eight schools, print their summary and draw them."""

from pathlib import Path

import arviz_plots
import jax
import matplotlib
import numpy as np

import sojourn
import sojourn.distributions as dist
from sojourn.infer import MCMC, NUTS

OUTPUT = Path(__file__).resolve().parent.parent / "quickstart-output"
SCHOOLS = ["A", "B", "C", "D", "E", "F", "G", "H"]
# Effects of coaching on test scores and their standard errors: Rubin (1981), Estimation in parallel
# randomized experiments, table 1.
EFFECTS = np.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])
ERRORS = np.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])


def eight_schools(J, sigma, y=None):
    """Each school's effect is drawn from a common population, written non-centred."""
    mu = sojourn.sample("mu", dist.Normal(0, 5))
    tau = sojourn.sample("tau", dist.HalfCauchy(5))
    with sojourn.plate("J", J):
        theta_raw = sojourn.sample("theta_raw", dist.Normal(0, 1))
        theta = sojourn.deterministic("theta", mu + tau * theta_raw)
        sojourn.sample("obs", dist.Normal(theta, sigma), obs=y)


def draw(mcmc: MCMC, folder: Path) -> list[Path]:
    """Draw traces and intervals of the posterior and return the pictures' paths."""
    matplotlib.use("Agg")  # pictures go to files, so that no display is needed
    data = mcmc.to_datatree(coords={"J": SCHOOLS})
    folder.mkdir(exist_ok=True)
    plots = {
        "trace.png": arviz_plots.plot_trace_dist(
            data, var_names=["mu", "tau"], backend="matplotlib"
        ),
        "intervals.png": arviz_plots.plot_forest(
            data, var_names=["mu", "tau", "theta"], combined=True, backend="matplotlib"
        ),
    }
    for name, plot in plots.items():
        plot.savefig(folder / name)
    return [folder / name for name in plots]


def main() -> None:
    """Sample, print, draw."""
    # Smaller steps than by default (0.8): near tau = 0 the posterior is sharply curved.
    kernel = NUTS(eight_schools, target_accept_prob=0.9)
    mcmc = MCMC(kernel, num_warmup=1000, num_samples=1000, num_chains=4)
    mcmc.run(jax.random.key(0), len(SCHOOLS), ERRORS, y=EFFECTS)
    mcmc.print_summary()
    for path in draw(mcmc, OUTPUT):
        print(f"Drawn: {path}")


if __name__ == "__main__":
    main()
