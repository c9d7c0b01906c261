"""Plated elimination and chains against a sum over every joint assignment."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sojourn_distributions.numerics import log_sum_exp
from sojourn_infer.enumeration.chains import Chain, Part
from sojourn_infer.enumeration.elimination import Problem, draw_all, log_marginal
from sojourn_infer.enumeration.factors import Draw, Factor, Variable

PLATES = {"a": 2, "b": 2, "c": 3}


class Joint:
    """The joint table of all copies of all variables of a plated problem, one axis for each."""

    def __init__(self, problem, plate_sizes=PLATES):
        self.plate_sizes = plate_sizes
        self.plates_of = problem.plates_of
        sizes = {v: n for f in problem.factors for v, n in f.sizes().items()}
        self.copies = [(v, at) for v in sizes for at in self.elements(problem.plates_of[v])]
        self.shape = [sizes[v] for v, _ in self.copies]
        self.table = np.zeros(self.shape)
        for factor in problem.factors:
            for element in self.elements(factor.plates):
                axes = self.axes(factor, element)
                part = np.asarray(factor.table, float)[(..., *(i for _, i in element))]
                part = np.transpose(part, np.argsort(axes))
                shape = [n if i in axes else 1 for i, n in enumerate(self.shape)]
                self.table = self.table + part.reshape(shape)

    def elements(self, plates):
        return itertools.product(*([(p, i) for i in range(self.plate_sizes[p])] for p in plates))

    def axes(self, factor, element):
        """Axes of the joint table that belong to one element of a factor."""
        return [
            next(i for i, (u, at) in enumerate(self.copies) if u == v and set(at) <= set(element))
            for v in factor.variables
        ]

    def log_sum(self):
        return np.logaddexp.reduce(self.table.ravel())

    def marginals(self, factor):
        """The probability of each entry of a factor, summed over nothing but other variables."""
        p = np.exp(self.table - self.log_sum())
        result = np.zeros(factor.table.shape)
        for element in self.elements(factor.plates):
            axes = self.axes(factor, element)
            others = tuple(set(range(len(self.shape))) - set(axes))
            part = np.transpose(np.sum(p, others), np.argsort(np.argsort(axes)))
            result[(..., *(i for _, i in element))] = part
        return result

    def positions(self, draws):
        """Index into the joint table of drawn values; leading axes of the draws are kept."""
        found = []
        for v, at in self.copies:
            where = dict(at)
            found.append(draws[v].positions[(..., *(where[p] for p in draws[v].plates))])
        return tuple(np.asarray(x) for x in found)


@st.composite
def problems(draw):
    """Few variables in random plates, and random factors among them, in all of their plates."""
    plates = draw(st.sampled_from([("a",), ("a", "b"), ("c",)]))
    names = draw(st.integers(1, 3))
    plates_of, sizes = {}, {}
    for i in range(names):
        v = Variable(f"v{i}")
        plates_of[v] = frozenset(draw(st.sets(st.sampled_from(plates))))
        sizes[v] = draw(st.integers(2, 3)) if len(plates_of[v]) < 2 else 2
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    factors = []
    for v in plates_of:
        others = draw(st.sets(st.sampled_from(sorted(plates_of))))
        variables = tuple(dict.fromkeys([v, *sorted(others)]))
        own = frozenset().union(*(plates_of[u] for u in variables))
        more = draw(st.sets(st.sampled_from(plates), max_size=1))
        where = tuple(sorted(own | more))
        shape = [sizes[u] for u in variables] + [PLATES[p] for p in where]
        factors.append(Factor(jnp.asarray(rng.normal(size=shape)), variables, where))
    return Problem(tuple(factors), (), plates_of, {})


def _with_tables(problem, tables):
    factors = [f._replace(table=t) for f, t in zip(problem.factors, tables, strict=True)]
    return problem._replace(factors=tuple(factors))


@settings(max_examples=12, deadline=None, derandomize=True)
@given(problem=problems())
def test_marginal_gradient_and_mode_equal_enumeration(problem):
    joint = Joint(problem)
    if len(joint.copies) > 9:
        return
    tables = [f.table for f in problem.factors]
    density = jax.value_and_grad(lambda t: log_marginal(_with_tables(problem, t)))
    if not _is_tractable(problem):
        with pytest.raises(ValueError, match="meet in a site of both"):
            density(tables)
        return
    value, gradient = density(tables)
    np.testing.assert_allclose(value, joint.log_sum(), rtol=1e-5)
    for factor, slopes in zip(problem.factors, gradient, strict=True):
        np.testing.assert_allclose(slopes, joint.marginals(factor), atol=2e-5)
    mode = joint.positions(draw_all(problem, None, 0))
    np.testing.assert_allclose(joint.table[mode], joint.table.max(), rtol=1e-5)


def _is_tractable(problem):
    """Whether no two variables, each in a plate that the other lacks, stay connected.

    The pattern that Obermeyer et al. 2019 forbid: a path between the two through factors and
    variables that all lie in the plates of both.
    """
    for u, w in itertools.permutations(problem.plates_of, 2):
        a, b = problem.plates_of[u], problem.plates_of[w]
        if not (a - b and b - a):
            continue
        inside = [f for f in problem.factors if a | b <= set(f.plates)]
        reached = {u}
        for _ in inside:
            for f in inside:
                # a path goes on through variables that each element has for itself
                if any(v == u or a | b <= problem.plates_of[v] for v in reached & {*f.variables}):
                    reached |= set(f.variables)
        if w in reached:
            return False
    return True


def test_draws_have_the_joint_law():
    rng = np.random.default_rng(1)
    u, v, w = Variable("u"), Variable("v"), Variable("w")
    table = lambda *shape: jnp.asarray(rng.normal(size=shape) * 1.5, "float32")  # noqa: E731
    problem = Problem(
        (
            Factor(table(2), (u,), ()),
            Factor(table(2, 3, 2), (u, v), ("a",)),
            Factor(table(3, 2, 2, 2), (v, w), ("a", "b")),
        ),
        (),
        {u: frozenset(), v: frozenset("a"), w: frozenset("ab")},
        {},
    )
    joint = Joint(problem)
    number = 20_000
    keys = jax.random.split(jax.random.key(0), number)
    indices = jax.jit(
        jax.vmap(lambda key: {d: x.positions for d, x in draw_all(problem, key, 1).items()})
    )(keys)
    draws = {d: Draw(indices[d], tuple(sorted(problem.plates_of[d]))) for d in indices}
    counts = np.zeros(joint.shape)
    np.add.at(counts, joint.positions(draws), 1)
    p = np.exp(joint.table - joint.log_sum())
    expected = p * number
    chi2 = np.sum((counts - expected) ** 2 / expected)
    cells = p.size
    assert chi2 < cells + 5 * np.sqrt(2 * cells)


def test_subsampled_plates_count_their_marginals_several_times():
    rng = np.random.default_rng(2)
    u, v = Variable("u"), Variable("v")
    top, inner = rng.normal(size=2), rng.normal(size=(2, 3, 2))
    problem = Problem(
        (
            Factor(jnp.asarray(top), (u,), ()),
            Factor(jnp.asarray(inner), (u, v), ("a",)),
        ),
        (),
        {u: frozenset(), v: frozenset("a")},
        {"a": 2.5},
    )
    each = np.logaddexp.reduce(inner, 1)
    expected = np.logaddexp.reduce(top + 2.5 * each.sum(1))
    np.testing.assert_allclose(log_marginal(problem), expected, rtol=1e-5)


def test_variables_of_different_plates_that_meet_are_refused_by_name():
    u, w = Variable("u"), Variable("w")
    factors = (Factor(jnp.zeros((2, 3, 2, 2)), (u, w), ("a", "b")),)
    problem = Problem(factors, (), {u: frozenset("a"), w: frozenset("b")}, {})
    with pytest.raises(ValueError, match=r"'u' in plate 'a' and 'w' in plate 'b' meet"):
        log_marginal(problem)


def test_impossible_rows_have_no_nan_gradient():
    table = jnp.array([[-jnp.inf, -jnp.inf], [0.0, 1.0]])
    value, gradient = jax.value_and_grad(lambda t: jnp.sum(log_sum_exp(t, (1,))[1:]))(table)
    assert np.isfinite(value) and np.all(np.isfinite(gradient))
    assert np.isneginf(log_sum_exp(table, (1,))[0])
    assert np.isnan(log_sum_exp(jnp.array([0.0, jnp.nan]), (0,)))


# --- chains ------------------------------------------------------------------------------------


def chain_and_unrolled(rng, steps, history, plates):
    """A chain of two coupled sites with a local one, and the same problem step by step.

    z depends on its last ``history`` values, w on its last one and z, the local x on both; and
    all steps depend on g outside. The steps share one factor.
    """
    first = history
    own = (2,) * len(plates)
    table = lambda *shape: jnp.asarray(rng.normal(size=shape), "float32")  # noqa: E731
    lag = lambda site, a: Variable(site, lag=a)  # noqa: E731
    z = [lag("z", a) for a in range(history, -1, -1)]
    time = "time"
    g = Variable("g")
    rest = steps - first
    shared = Factor(table(*[2] * (history + 1), *own), tuple(z), plates)
    by_step = [
        Factor(
            table(2, 2, 2, rest, *own), (lag("w", 1), lag("z", 0), lag("w", 0)), (time, *plates)
        ),
        Factor(table(2, 2, rest, *own), (lag("x", 0), lag("w", 0)), (time, *plates)),
        Factor(table(2, 2, *own), (lag("x", 0), lag("z", 0)), plates),
        Factor(table(2, 2, rest, *own), (g, lag("z", 0)), (time, *plates)),
        Factor(table(2, rest), (g,), (time,)),
    ]
    state = (*[lag("z", a) for a in range(1, history + 1)], lag("w", 1))
    chain = Chain((shared, *by_step), state, first, rest, time)
    start = [Factor(table(2), (g,), ())]
    for s in range(first):
        v = [Variable("z", step=s), Variable("w", step=s)]
        before = [Variable("z", step=s - 1)] if s else []
        start.append(Factor(table(*[2] * len(before), 2, 2, *own), (*before, *v), plates))
    end = Factor(
        table(2, 2, *own), (Variable("z", step=steps - 1), Variable("w", step=steps - 1)), plates
    )
    unrolled = [*start, end]
    for factor in chain.factors:
        for s in range(rest):
            variables = tuple(
                v if v.lag is None else Variable(v.site, step=first + s - v.lag)
                for v in factor.variables
            )
            part = factor.table
            if time in factor.plates:
                part = jnp.take(part, s, len(variables))
            unrolled.append(Factor(part, variables, tuple(p for p in factor.plates if p != time)))
    scanned = Problem((*start, end), (chain,), {}, {})
    plates_of = {v: frozenset() for v in [g]}
    for site in "zwx":
        for s in range(steps):
            plates_of[Variable(site, step=s)] = frozenset(plates)
        for a in range(history + 1):
            plates_of[Variable(site, lag=a)] = frozenset((*plates, time))
    return scanned._replace(plates_of=plates_of), Problem(tuple(unrolled), (), plates_of, {})


@pytest.mark.parametrize(
    "steps, history, plates", [(4, 1, ()), (3, 1, ("n",)), (4, 2, ()), (2, 1, ("n",))]
)
def test_a_chain_equals_its_unrolled_steps(steps, history, plates):
    scanned, unrolled = chain_and_unrolled(np.random.default_rng(steps), steps, history, plates)
    joint = Joint(unrolled, {"n": 2})

    def both(scale):
        at = [
            Problem(
                tuple(f._replace(table=scale * f.table) for f in p.factors),
                tuple(
                    c._replace(factors=tuple(f._replace(table=scale * f.table) for f in c.factors))
                    for c in p.chains
                ),
                p.plates_of,
                {},
            )
            for p in (scanned, unrolled)
        ]
        return log_marginal(at[0]), log_marginal(at[1])

    if history == 1:
        chains = tuple(chain._replace(how="pairwise") for chain in scanned.chains)
        pairwise = log_marginal(scanned._replace(chains=chains))
        np.testing.assert_allclose(pairwise, joint.log_sum(), rtol=1e-5)
    values, slopes = jax.jit(lambda s: jax.jvp(both, (s,), (1.0,)))(1.0)
    np.testing.assert_allclose(values[0], joint.log_sum(), rtol=1e-5)
    np.testing.assert_allclose(values[1], joint.log_sum(), rtol=1e-5)
    np.testing.assert_allclose(slopes[0], slopes[1], rtol=1e-4)
    mode = _by_step(draw_all(scanned, None, 0), scanned.chains[0])
    np.testing.assert_allclose(joint.table[joint.positions(mode)], joint.table.max(), rtol=1e-5)


def _in_blocks(chain):
    """The same chain, its factors computed a part at a time."""

    def time_axis(f):
        return len(f.variables) + f.plates.index(chain.time)

    def factors_of(tables):
        parts = iter(tables)
        return tuple(
            f._replace(table=jnp.moveaxis(next(parts), 0, time_axis(f)))
            if chain.time in f.plates
            else f
            for f in chain.factors
        )

    moving = [f for f in chain.factors if chain.time in f.plates]
    tables = [jnp.moveaxis(f.table, time_axis(f), 0) for f in moving]
    return chain._replace(how="blocks", part=Part(tables, factors_of))


@pytest.mark.parametrize(
    "steps, history, plates", [(3, 1, ()), (11, 1, ("n",)), (14, 2, ()), (5, 2, ("n",))]
)
def test_a_chain_in_blocks_equals_the_steps_one_after_the_other(steps, history, plates):
    problem, _ = chain_and_unrolled(np.random.default_rng(steps), steps, history, plates)
    (chain,) = problem.chains

    def marginal(tables, how):
        factors = [f._replace(table=t) for f, t in zip(chain.factors, tables, strict=True)]
        own = chain._replace(factors=tuple(factors))
        return log_marginal(problem._replace(chains=(_in_blocks(own) if how else own,)))

    tables = [f.table for f in chain.factors]
    value, slopes = jax.jit(jax.value_and_grad(lambda t: marginal(t, True)))(tables)
    expected, expected_slopes = jax.jit(jax.value_and_grad(lambda t: marginal(t, False)))(tables)
    np.testing.assert_allclose(value, expected, rtol=1e-5)
    for slope, other in zip(slopes, expected_slopes, strict=True):
        np.testing.assert_allclose(slope, other, rtol=1e-4, atol=1e-5)


def _by_step(draws, chain):
    """Values at lag 0 of all steps, as those of each step's own variable."""
    found = {v: d for v, d in draws.items() if v.lag is None}
    for v, d in draws.items():
        if v.lag == 0:
            assert d.plates[0] == chain.time
            for s in range(chain.steps):
                step = Variable(v.site, step=chain.first + s)
                found[step] = Draw(d.positions[s], d.plates[1:])
    return found
