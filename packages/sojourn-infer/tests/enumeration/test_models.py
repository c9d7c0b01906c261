"""Classical models with discrete sites against densities marginalised by hand, and gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.nn import logsumexp

import sojourn_distributions as dist
from sojourn_infer import log_density
from sojourn_infer.enumeration import config_enumerate, enum, infer_discrete
from sojourn_primitives import Vindex, handlers, markov, plate, sample
from sojourn_primitives.control_flow import scan

RNG = np.random.default_rng(7)
SUM = {"enumerate": "parallel"}


def simplex(*shape):
    return jnp.asarray(RNG.dirichlet(np.full(shape[-1], 2.0), shape[:-1]), "float32")


def agree(model, by_hand, params, *args):
    """Compare density and gradient of the params, of which sites are given the values."""

    def ours(params):
        return log_density(lambda *a: model(params, *a), args, {}, {})[0]

    def both(params):
        return jax.value_and_grad(ours)(params), jax.value_and_grad(by_hand)(params)

    (value, slope), (expected, expected_slope) = jax.jit(both)(params)
    np.testing.assert_allclose(value, expected, rtol=2e-5)
    for name in params:
        np.testing.assert_allclose(
            slope[name], expected_slope[name], rtol=1e-3, atol=1e-4, err_msg=name
        )


def normal(x, loc, scale=1.0):
    return dist.Normal(loc, scale).log_prob(x)


# --- plates ------------------------------------------------------------------------------------


def test_mixture():
    y = RNG.normal(size=5)

    def model(p):
        with plate("data", 5):
            z = sample("z", dist.Categorical(p["weights"]), infer=SUM)
            sample("y", dist.Normal(p["loc"][z], 1.0), obs=y)

    def by_hand(p):
        return logsumexp(jnp.log(p["weights"]) + normal(y[:, None], p["loc"]), axis=1).sum()

    agree(model, by_hand, {"weights": simplex(3), "loc": jnp.array([-1.0, 0.5, 3.0])})


def test_support_that_does_not_start_at_0():
    y = RNG.normal(size=4) + 5

    def model(p):
        with plate("data", 4):
            z = sample("z", dist.DiscreteUniform(3, 6), infer=SUM)
            sample("y", dist.Normal(p["slope"] * z, 1.0), obs=y)

    def by_hand(p):
        values = jnp.arange(3, 7)
        return logsumexp(normal(y[:, None], p["slope"] * values) - jnp.log(4.0), axis=1).sum()

    agree(model, by_hand, {"slope": jnp.array(1.2)})


def test_zero_inflated_counts():
    y = np.array([0, 0, 3, 1, 0])

    def model(p):
        with plate("data", 5):
            empty = sample("empty", dist.Bernoulli(p["gate"]), infer=SUM)
            sample("y", dist.Poisson(jnp.where(empty == 1, 1e-6, p["rate"])), obs=y)

    def by_hand(p):
        some = jnp.log1p(-p["gate"]) + dist.Poisson(p["rate"]).log_prob(y)
        none = jnp.log(p["gate"]) + dist.Poisson(1e-6).log_prob(y)
        return jnp.logaddexp(some, none).sum()

    agree(model, by_hand, {"gate": jnp.array(0.3), "rate": jnp.array(1.7)})


def test_dawid_skene_annotators():
    items, annotators = 4, 3
    y = RNG.integers(0, 3, (items, annotators))

    def model(p):
        with plate("item", items, dim=-2):
            c = sample("c", dist.Categorical(p["prevalence"]), infer=SUM)
            with plate("annotator", annotators, dim=-1):
                probs = Vindex(p["confusion"])[jnp.arange(annotators), c, :]
                sample("y", dist.Categorical(probs), obs=y)

    def by_hand(p):
        total = 0.0
        for i in range(items):
            terms = jnp.log(p["prevalence"])
            for j in range(annotators):
                terms = terms + jnp.log(p["confusion"][j, :, y[i, j]])
            total = total + logsumexp(terms)
        return total

    agree(model, by_hand, {"prevalence": simplex(3), "confusion": simplex(annotators, 3, 3)})


def test_annotators_who_sometimes_guess():
    """MACE (Hovy et al. 2013): discrete sites inside and outside of the inner plate."""
    items, annotators = 3, 2
    y = RNG.integers(0, 3, (items, annotators))

    def model(p):
        with plate("item", items, dim=-2):
            truth = sample("truth", dist.Categorical(jnp.ones(3) / 3), infer=SUM)
            with plate("annotator", annotators, dim=-1):
                guesses = sample("guesses", dist.Bernoulli(p["guessing"]), infer=SUM)
                known = jnp.where(truth[..., None] == jnp.arange(3), 0.98, 0.01)
                probs = jnp.where(guesses[..., None] == 0, known, p["habit"])
                sample("y", dist.Categorical(probs), obs=y)

    def by_hand(p):
        total = 0.0
        for i in range(items):
            terms = jnp.full(3, -jnp.log(3.0))
            for j in range(annotators):
                known = jnp.where(jnp.arange(3) == y[i, j], 0.98, 0.01)
                guess = p["guessing"][j] * p["habit"][j, y[i, j]]
                terms = terms + jnp.log((1 - p["guessing"][j]) * known + guess)
            total = total + logsumexp(terms)
        return total

    agree(model, by_hand, {"guessing": jnp.array([0.2, 0.6]), "habit": simplex(annotators, 3)})


def test_topics_of_documents_and_words():
    documents, words = 3, 4
    w = RNG.integers(0, 5, (words, documents))

    def model(p):
        with plate("document", documents, dim=-1):
            kind = sample("kind", dist.Categorical(p["kinds"]), infer=SUM)
            with plate("word", words, dim=-2):
                topic = sample("topic", dist.Categorical(p["topics"][kind]), infer=SUM)
                sample("w", dist.Categorical(p["vocabulary"][topic]), obs=w)

    def by_hand(p):
        by_kind = jnp.log(p["topics"] @ p["vocabulary"])[:, w].sum(1)  # kinds x documents
        return logsumexp(jnp.log(p["kinds"])[:, None] + by_kind, axis=0).sum()

    params = {"kinds": simplex(2), "topics": simplex(2, 3), "vocabulary": simplex(3, 5)}
    agree(model, by_hand, params)


def test_a_global_site_and_sites_of_two_plates_inside_of_it():
    x, y = RNG.normal(size=3), RNG.normal(size=2)

    def model(p):
        regime = sample("regime", dist.Bernoulli(p["prior"]), infer=SUM)
        with plate("a", 3):
            u = sample("u", dist.Categorical(p["u"][regime]), infer=SUM)
            sample("x", dist.Normal(p["loc"][u], 1.0), obs=x)
        with plate("b", 2):
            v = sample("v", dist.Bernoulli(0.2 + 0.5 * regime), infer=SUM)
            sample("y", dist.Normal(p["loc"][v + regime], 1.0), obs=y)

    def by_hand(p):
        terms = []
        for r in range(2):
            prior = jnp.log(jnp.where(r, p["prior"], 1 - p["prior"]))
            of_u = logsumexp(jnp.log(p["u"][r]) + normal(x[:, None], p["loc"]), axis=1).sum()
            q = 0.2 + 0.5 * r
            ones = jnp.log(q) + normal(y, p["loc"][1 + r])
            of_v = jnp.logaddexp(ones, jnp.log(1 - q) + normal(y, p["loc"][r])).sum()
            terms.append(prior + of_u + of_v)
        return logsumexp(jnp.stack(terms))

    params = {"prior": jnp.array(0.4), "u": simplex(2, 3), "loc": jnp.array([-1.0, 0.0, 2.0])}
    agree(model, by_hand, params)


def test_a_subsampled_plate_counts_marginals_and_scale_counts_terms():
    y = RNG.normal(size=2)
    chosen = np.array([4, 1])

    def model(p):
        with plate("data", 6, subsample_size=2) as i:
            z = sample("z", dist.Bernoulli(p["q"]), infer=SUM)
            with handlers.scale(scale=0.5):
                sample("y", dist.Normal(p["loc"][z] + 0.1 * i, 1.0), obs=y)

    def by_hand(p):
        prior = jnp.log(jnp.stack([1 - p["q"], p["q"]]))
        terms = prior + 0.5 * normal(y[:, None], p["loc"] + 0.1 * chosen[:, None])
        return 6 / 2 * logsumexp(terms, axis=1).sum()

    params = {"q": jnp.array(0.3), "loc": jnp.array([-1.0, 1.0])}
    agree(handlers.substitute(model, data={"data": chosen}), by_hand, params)


def test_masked_elements_leave_the_evidence_alone():
    y = np.array([0.3, np.nan, -1.0])
    seen = ~np.isnan(y)

    def model(p):
        with plate("data", 3), handlers.mask(mask=seen):
            z = sample("z", dist.Categorical(p["weights"]), infer=SUM)
            sample("y", dist.Normal(p["loc"][z], 1.0), obs=y)

    def by_hand(p):
        terms = jnp.log(p["weights"]) + normal(y[seen][:, None], p["loc"])
        return logsumexp(terms, axis=1).sum()

    agree(model, by_hand, {"weights": simplex(2), "loc": jnp.array([-1.0, 1.0])})


# --- chains ------------------------------------------------------------------------------------


def forward(initial, transitions, emissions):
    """Log evidence of a hidden Markov model; transitions (T - 1, K, K), emissions (T, K), logs."""
    state = initial + emissions[0]
    for transition, emission in zip(transitions, emissions[1:], strict=True):
        state = logsumexp(state[:, None] + transition, axis=0) + emission
    return logsumexp(state)


HMM = {"initial": simplex(3), "transition": simplex(3, 3), "loc": jnp.array([-1.0, 0.0, 2.0])}


def hmm_by_hand(y):
    def by_hand(p):
        transitions = jnp.broadcast_to(jnp.log(p["transition"]), (len(y) - 1, 3, 3))
        return forward(jnp.log(p["initial"]), transitions, normal(y[:, None], p["loc"]))

    return by_hand


@pytest.mark.parametrize(
    "reverse, chain", [(False, "sequential"), (True, "pairwise"), (True, "blocks")]
)
def test_hidden_markov_model_by_scan(reverse, chain):
    y = RNG.normal(size=6)

    def model(p):
        def step(carry, y):
            z, first = carry
            probs = jnp.where(first, p["initial"], p["transition"][z])
            z = sample("z", dist.Categorical(probs), infer={**SUM, "chain": chain})
            sample("y", dist.Normal(p["loc"][z], 1.0), obs=y)
            return (z, False), None

        scan(step, (0, True), y, reverse=reverse)

    agree(model, hmm_by_hand(y[::-1] if reverse else y), HMM)


def test_blocks_of_steps_need_memory_for_one_block():
    """Also where the transitions differ from step to step, and none is kept."""

    def temporary(steps, chain):
        def model(p, y):
            def step(z, y):
                logits = p["slope"][z] * y
                z = sample("z", dist.Categorical(logits=logits), infer={**SUM, "chain": chain})
                sample("y", dist.Normal(p["loc"][z], 1.0), obs=y)
                return z, None

            scan(step, 0, y)

        def density(p, y):
            return log_density(model, (p, y), {}, {})[0]

        p = {"slope": jnp.ones((8, 8)), "loc": jnp.arange(8.0)}
        program = jax.jit(jax.value_and_grad(density)).lower(p, jnp.ones(steps)).compile()
        return program(p, jnp.ones(steps)), program.memory_analysis().temp_size_in_bytes

    (value, slope), much = temporary(2500, "sequential")
    (same_value, same_slope), little = temporary(2500, "blocks")
    np.testing.assert_allclose(same_value, value, rtol=1e-5)
    for name in slope:
        np.testing.assert_allclose(same_slope[name], slope[name], rtol=1e-3, atol=1e-2)
    assert little < much / 10


def test_hidden_markov_model_by_markov():
    y = RNG.normal(size=6)

    def model(p):
        z = None
        for t in markov(range(len(y))):
            probs = p["initial"] if z is None else p["transition"][z]
            z = sample(f"z_{t}", dist.Categorical(probs), infer=SUM)
            assert z.ndim <= 3  # two dims in turn, and one that waits
            sample(f"y_{t}", dist.Normal(p["loc"][z], 1.0), obs=y[t])

    agree(model, hmm_by_hand(y), HMM)


def test_a_markov_context_that_reaches_back_too_far_is_noticed():
    def model(p):
        z = [0, 0]
        for t in markov(range(5)):
            z.append(sample(f"z_{t}", dist.Categorical(p["transition"][z[-2]]), infer=SUM))

    with pytest.raises(ValueError, match=r"Missing a plate statement .* larger history"):
        log_density(model, (HMM,), {}, {})


@pytest.mark.parametrize("use", ["markov", "scan"])
def test_history_of_two(use):
    """The state depends on the last two; the first two of them are given by what stands before."""
    y = RNG.normal(size=5)
    table = simplex(2, 2, 2)

    def model(p):
        def next_state(name, before, y, observed):
            z = sample(name, dist.Categorical(Vindex(p["table"])[before[0], before[1]]), infer=SUM)
            sample(observed, dist.Normal(p["loc"][z], 1.0), obs=y)
            return before[1], z

        if use == "scan":
            scan(lambda c, y: (next_state("z", c, y, "y"), None), (0, 1), y, history=2)
            return
        state = (0, 1)
        for t in markov(range(len(y)), history=2):
            state = next_state(f"z_{t}", state, y[t], f"y_{t}")

    def by_hand(p):
        state = jnp.full((2, 2), -1e9).at[0, 1].set(0.0)
        for value in y:
            state = logsumexp(state[:, :, None] + jnp.log(p["table"]), axis=0)
            state = state + normal(value, p["loc"])
        return logsumexp(state)

    agree(model, by_hand, {"table": table, "loc": jnp.array([-1.0, 1.0])})


def test_a_carry_that_reaches_back_too_far_is_refused():
    def sums(total, _):
        return total + sample("z", dist.Bernoulli(0.5), infer=SUM), None

    with pytest.raises(ValueError, match=r"'z' of 2 steps before, but history=1"):
        log_density(
            lambda: scan(lambda c, x: ((c[1], sums(0, x)[0]), None), (0, 0), None, 4), (), {}, {}
        )
    with pytest.raises(ValueError, match=r"'z' of 2 steps before, but history=1"):
        log_density(lambda: scan(sums, 0, None, length=4), (), {}, {})
    grows = lambda c, x: (jnp.concatenate([c, c]), sums(0, x)[0])  # noqa: E731
    with pytest.raises(TypeError, match="other shapes or types after each step"):
        enum(lambda: scan(grows, jnp.zeros(1), None, length=9), -1)()


def test_capture_recapture():
    """Cormack-Jolly-Seber: who is seen first is alive then; the dead stay dead."""
    seen = np.array([[1, 0, 1, 0, 0], [0, 1, 1, 1, 0], [0, 0, 1, 0, 1]])
    first = seen.argmax(1)

    def model(p):
        def step(carry, x):
            alive, known = carry
            seen, survival = x
            with plate("animal", 3):
                # Before it is seen first an animal is alive; what is not seen then says nothing.
                survives = jnp.where(known, survival * alive, 1.0)
                alive = sample("alive", dist.Bernoulli(survives), infer=SUM)
                with handlers.mask(mask=known):
                    sample("seen", dist.Bernoulli(p["capture"] * alive), obs=seen)
            return (alive, known | (seen == 1)), None

        start = (jnp.ones(3, int), jnp.asarray(seen[:, 0] == 1))
        scan(step, start, (jnp.asarray(seen.T[1:]), p["survival"]))

    def by_hand(p):
        total = 0.0
        for animal in range(3):
            rest = (
                0.0  # log probability of what is seen after step t of an animal that is alive at t
            )
            for t in range(4, first[animal], -1):
                survives, dies = jnp.log(p["survival"][t - 1]), jnp.log1p(-p["survival"][t - 1])
                if seen[animal, t]:
                    rest = survives + jnp.log(p["capture"]) + rest
                    continue
                unseen = survives + jnp.log1p(-p["capture"]) + rest
                again = seen[animal, t:].any()
                rest = unseen if again else jnp.logaddexp(unseen, dies)
            total = total + rest
        return total

    agree(model, by_hand, {"survival": jnp.array([0.6, 0.8, 0.7, 0.5]), "capture": jnp.array(0.4)})


def test_sequences_of_different_lengths_with_states_before_and_after_the_scan():
    y = RNG.normal(size=(4, 2))
    lengths = np.array([3, 4])

    def model(p):
        regime = sample("regime", dist.Bernoulli(0.3), infer=SUM)
        with plate("sequence", 2):
            z0 = sample("z0", dist.Categorical(p["initial"]), infer=SUM)

            def step(z, x):
                y, t = x
                with handlers.mask(mask=t < lengths):
                    z = sample("z", dist.Categorical(p["transition"][z]), infer=SUM)
                    drift = sample("drift", dist.Bernoulli(0.4), infer=SUM)
                    sample("y", dist.Normal(p["loc"][z] + drift + regime, 1.0), obs=y)
                return z, None

            last, _ = scan(step, z0, (y[1:], jnp.arange(1, 4)))
            sample("end", dist.Normal(p["loc"][last], 1.0), obs=y[0])

    def by_hand(p):
        per_regime = []
        for r in range(2):
            total = jnp.log(jnp.array([0.7, 0.3]))[r]
            for n in range(2):
                state = jnp.log(p["initial"])
                for t in range(1, 4):
                    if t >= lengths[n]:
                        state = jnp.broadcast_to(logsumexp(state) - jnp.log(3.0), (3,))
                        continue
                    state = logsumexp(state[:, None] + jnp.log(p["transition"]), axis=0)
                    state = state + jnp.logaddexp(
                        jnp.log(0.6) + normal(y[t, n], p["loc"] + r),
                        jnp.log(0.4) + normal(y[t, n], p["loc"] + 1 + r),
                    )
                total = total + logsumexp(state + normal(y[0, n], p["loc"]))
            per_regime.append(total)
        return logsumexp(jnp.stack(per_regime))

    agree(model, by_hand, HMM)


def test_states_with_a_single_value_and_scans_that_follow_each_other():
    """The second scan goes on from the last state of the first."""
    y = RNG.normal(size=6)

    def model(p):
        def step(carry, y):
            z, only = carry
            z = sample("z", dist.Categorical(p["transition"][z]), infer=SUM)
            only = sample("only", dist.Categorical(jnp.ones((1, 1))[only]), infer=SUM)
            sample("y", dist.Normal(p["loc"][z] + only, 1.0), obs=y)
            return (z, only), None

        z0 = sample("z0", dist.Categorical(p["initial"]), infer=SUM)
        sample("y0", dist.Normal(p["loc"][z0], 1.0), obs=y[0])
        carry, _ = scan(step, (z0, 0), y[1:3])
        with handlers.scope(prefix="later"):
            scan(step, carry, y[3:])

    agree(model, hmm_by_hand(y), HMM)


def test_two_coupled_chains_with_a_carry_of_data():
    """A factorial hidden Markov model whose emission also depends on the value before."""
    y = RNG.normal(size=5)

    def model(p):
        def step(carry, y):
            a, b, before = carry
            a = sample("a", dist.Categorical(p["transition"][a]), infer=SUM)
            b = sample("b", dist.Bernoulli(0.2 + 0.6 * b), infer=SUM)
            sample("y", dist.Normal(p["loc"][a] + b + 0.5 * before, 1.0), obs=y)
            return (a, b, y), None

        scan(step, (1, 0, 0.0), y)

    def by_hand(p):
        q = jnp.log(jnp.array([[0.8, 0.2], [0.2, 0.8]]))
        joint = jnp.log(p["transition"])[:, None, :, None] + q[None, :, None, :]
        joint = joint.reshape(6, 6)
        before = np.concatenate([[0.0], y[:-1]])
        loc = (p["loc"][:, None] + jnp.arange(2)).reshape(6)
        emissions = normal(y[:, None], loc + 0.5 * before[:, None])
        return forward(joint[2], jnp.broadcast_to(joint, (4, 6, 6)), emissions)

    agree(model, by_hand, HMM)


def test_thousands_of_steps_keep_their_digits():
    y = RNG.normal(size=3000)

    def model(p):
        def step(z, y):
            z = sample("z", dist.Categorical(p["transition"][z]), infer=SUM)
            sample("y", dist.Normal(p["loc"][z], 1.0), obs=y)
            return z, None

        scan(step, 0, y)

    value = jax.jit(lambda p: log_density(model, (p,), {}, {})[0])(HMM)
    transition, loc = np.asarray(HMM["transition"], float), np.asarray(HMM["loc"], float)
    state, expected = np.eye(3)[0], 0.0
    for x in y:
        state = state @ transition * np.exp(-0.5 * (x - loc) ** 2) / np.sqrt(2 * np.pi)
        expected += np.log(state.sum())
        state /= state.sum()
    np.testing.assert_allclose(value, expected, rtol=2e-6)


# --- handlers ----------------------------------------------------------------------------------


def test_marks_handlers_and_explicit_dims_give_the_same():
    y = RNG.normal(size=3)

    def model(marked):
        with plate("data", 3):
            z = sample("z", dist.Bernoulli(0.3), infer=SUM if marked else None)
            sample("y", dist.Normal(z, 1.0), obs=y)

    def density(model, *args):
        return log_density(model, args, {}, {})[0]

    expected = density(model, True)
    np.testing.assert_allclose(density(config_enumerate(model), False), expected)
    np.testing.assert_allclose(density(enum(config_enumerate(model), -4), False), expected)
    with pytest.raises(ValueError, match=r"plate 'data' \(size 3\) uses dim -1 .* -2 or less"):
        density(enum(config_enumerate(model), -1), False)
    with pytest.raises(ValueError, match="first_available_dim"):
        enum(model, 0)


def test_given_values_are_not_summed_over():
    def model():
        z = sample("z", dist.Bernoulli(0.3), infer=SUM)
        w = sample("w", dist.Bernoulli(0.2 + 0.5 * z), infer=SUM)
        sample("y", dist.Normal(z + w, 1.0), obs=0.4)

    def by_hand(z):
        ones = 0.2 + 0.5 * z
        prior = np.log([0.7, 0.3])[z]
        return prior + np.logaddexp(
            np.log(ones) + normal(0.4, z + 1), np.log(1 - ones) + normal(0.4, z)
        )

    for z in (0, 1):
        inside = handlers.condition(model, data={"z": z})
        np.testing.assert_allclose(log_density(inside, (), {}, {})[0], by_hand(z), rtol=1e-5)
        np.testing.assert_allclose(
            log_density(enum(model), (), {}, {"z": z})[0], by_hand(z), rtol=1e-5
        )


def test_too_many_sites_say_what_to_do():
    def model():
        for i in range(70):
            sample(f"z_{i}", dist.Bernoulli(0.5), infer=SUM)

    with pytest.raises(ValueError, match=r"'z_60': no dim is left .* plate.* markov"):
        log_density(model, (), {}, {})


def test_infer_discrete_needs_values_of_what_is_between_discrete_sites_and_data():
    def model():
        z = sample("z", dist.Bernoulli(0.5), infer=SUM)
        x = sample("x", dist.Normal(z, 1.0))
        sample("y", dist.Normal(x, 1.0), obs=0.3)

    with pytest.raises(ValueError, match=r"latent site 'x' depends on a discrete .* 'y' dep"):
        handlers.seed(infer_discrete(model), rng_seed=0)()
    with pytest.raises(ValueError, match="temperature must be 1"):
        infer_discrete(model, temperature=0.5)
