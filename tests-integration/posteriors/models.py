"""Eight posteriors of posteriordb, written as a user writes models, with posteriordb's names.

Arguments are named as the data in the files of `data/`. "Flat" is density 1 on the stated support.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp

import sojourn
import sojourn.distributions as dist
from sojourn.distributions import constraints


def eight_schools(J, sigma, y=None):
    """Effects of coaching in eight schools, non-centred."""
    mu = sojourn.sample("mu", dist.Normal(0, 5))
    tau = sojourn.sample("tau", dist.HalfCauchy(5))
    with sojourn.plate("school", J):
        z = sojourn.sample("z", dist.Normal(0, 1))
        theta = sojourn.deterministic("theta", mu + tau * z)
        sojourn.sample("y", dist.Normal(theta, sigma), obs=y)


def eight_schools_centered(J, sigma, y=None):
    """The same posterior, in the parameterisation whose funnel NUTS cannot enter."""
    mu = sojourn.sample("mu", dist.Normal(0, 5))
    tau = sojourn.sample("tau", dist.HalfCauchy(5))
    with sojourn.plate("school", J):
        theta = sojourn.sample("theta", dist.Normal(mu, tau))
        sojourn.sample("y", dist.Normal(theta, sigma), obs=y)


def kidscore_momiq(mom_iq, kid_score=None):
    """Linear regression with two strongly correlated coefficients."""
    beta = sojourn.sample("beta", dist.ImproperUniform(constraints.real, (), (2,)))
    sigma = sojourn.sample("sigma", dist.HalfCauchy(2.5))
    with sojourn.plate("child", len(mom_iq)):
        mean = beta[0] + beta[1] * mom_iq
        sojourn.sample("kid_score", dist.Normal(mean, sigma), obs=kid_score)


def logearn_interaction(height, male, log_earn=None):
    """Linear regression with an interaction, flat priors and no centring."""
    beta = sojourn.sample("beta", dist.ImproperUniform(constraints.real, (), (4,)))
    sigma = sojourn.sample("sigma", dist.ImproperUniform(constraints.positive, (), ()))
    with sojourn.plate("person", len(height)):
        mean = beta[0] + beta[1] * height + beta[2] * male + beta[3] * height * male
        sojourn.sample("log_earn", dist.Normal(mean, sigma), obs=log_earn)


def gp_regr(x, y=None):
    """Gaussian process regression; the variance on the diagonal is sigma itself."""
    rho = sojourn.sample("rho", dist.Gamma(25, 4))
    alpha = sojourn.sample("alpha", dist.HalfNormal(2))
    sigma = sojourn.sample("sigma", dist.HalfNormal(1))
    distance = x[:, None] - x
    covariance = alpha**2 * jnp.exp(-0.5 * (distance / rho) ** 2) + sigma * jnp.eye(len(x))
    sojourn.sample("y", dist.MultivariateNormal(covariance_matrix=covariance), obs=y)


def ar(K, y):
    """Autoregression of order K, given the first K values."""
    alpha = sojourn.sample("alpha", dist.Normal(0, 10))
    with sojourn.plate("lag", K):
        beta = sojourn.sample("beta", dist.Normal(0, 10))
    sigma = sojourn.sample("sigma", dist.HalfCauchy(2.5))
    mean = alpha + sum(beta[k] * y[K - 1 - k : len(y) - 1 - k] for k in range(K))
    with sojourn.plate("time", len(y) - K):
        sojourn.sample("y", dist.Normal(mean, sigma), obs=y[K:])


def hmm(y):
    """Hidden Markov chain of two states, summed out by the forward algorithm."""
    theta1 = sojourn.sample("theta1", dist.ImproperUniform(constraints.simplex, (), (2,)))
    theta2 = sojourn.sample("theta2", dist.ImproperUniform(constraints.simplex, (), (2,)))
    mu = sojourn.sample("mu", dist.ImproperUniform(constraints.positive_ordered_vector, (), (2,)))
    sojourn.factor("prior_mu", dist.Normal(np.array([3.0, 10.0]), 1.0).log_prob(mu).sum())

    log_transition = jnp.log(jnp.stack([theta1, theta2]))
    log_emission = dist.Normal(mu, 1.0).log_prob(y[:, None])

    def forward(log_alpha, emission):
        return logsumexp(log_alpha[:, None] + log_transition, axis=0) + emission, None

    log_alpha, _ = jax.lax.scan(forward, log_emission[0], log_emission[1:])
    sojourn.factor("y", logsumexp(log_alpha))


def gauss_mix(y):
    """Mixture of two Gaussians with ordered means."""
    mu = sojourn.sample("mu", dist.ImproperUniform(constraints.ordered_vector, (), (2,)))
    sojourn.factor("prior_mu", dist.Normal(0.0, 2.0).log_prob(mu).sum())
    with sojourn.plate("component", 2):
        sigma = sojourn.sample("sigma", dist.HalfNormal(2))
    theta = sojourn.sample("theta", dist.Beta(5, 5))
    log_weight = jnp.stack([jnp.log(theta), jnp.log1p(-theta)])
    with sojourn.plate("observation", len(y)):
        terms = log_weight + dist.Normal(mu, sigma).log_prob(y[:, None])
        sojourn.factor("y", logsumexp(terms, axis=-1))


STEPS_PER_YEAR = 20


def lotka_volterra(y_init, y, ts):
    """Hares and lynxes, by classical Runge-Kutta steps; observed at the end of each year."""
    prior_mean, prior_sd = np.array([1.0, 0.05, 1.0, 0.05]), np.array([0.5, 0.05, 0.5, 0.05])
    theta = sojourn.sample("theta", dist.TruncatedNormal(prior_mean, prior_sd, low=0.0).to_event(1))
    species = sojourn.plate("species", 2)
    with species:
        z_init = sojourn.sample("z_init", dist.LogNormal(np.log(10.0), 1.0))
        sigma = sojourn.sample("sigma", dist.LogNormal(-1.0, 1.0))

    def velocity(z):
        u, v = z
        return jnp.stack([(theta[0] - theta[1] * v) * u, (-theta[2] + theta[3] * u) * v])

    def step(z, _):
        h = 1.0 / STEPS_PER_YEAR
        k1 = velocity(z)
        k2 = velocity(z + h / 2 * k1)
        k3 = velocity(z + h / 2 * k2)
        k4 = velocity(z + h * k3)
        return z + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4), None

    def year(z, _):
        z, _ = jax.lax.scan(step, z, length=STEPS_PER_YEAR)
        return z, z

    _, z = jax.lax.scan(year, z_init, length=len(ts))
    with species:
        sojourn.sample("y_init", dist.LogNormal(jnp.log(z_init), sigma), obs=y_init)
        with sojourn.plate("year", len(ts)):
            sojourn.sample("y", dist.LogNormal(jnp.log(z), sigma), obs=y)
