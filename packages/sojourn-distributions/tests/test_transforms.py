"""Every transform is inverted by its inverse, and its log Jacobian is that of autodiff."""

import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.fft
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sojourn_distributions import biject_to, constraints, transforms

BLOCKS = constraints.cat(
    [constraints.simplex, constraints.independent(constraints.positive, 1)],
    dim=-1,
    lengths=[3, 2],
)
# A constraint and the length of the unconstrained argument of its transform (None: a number).
ONTO = [
    (constraints.real, None),
    (constraints.positive, None),
    (constraints.nonnegative, None),
    (constraints.softplus_positive, None),
    (constraints.unit_interval, None),
    (constraints.interval(-2.0, 3.0), None),
    (constraints.open_interval(-2.0, 3.0), None),
    (constraints.circular, None),
    (constraints.greater_than(1.0), None),
    (constraints.greater_than_eq(1.0), None),
    (constraints.less_than(-1.0), None),
    (constraints.less_than_eq(-1.0), None),
    (constraints.independent(constraints.positive, 1), 3),
    (constraints.real_vector, 3),
    (constraints.simplex, 3),
    (constraints.ordered_vector, 4),
    (constraints.positive_ordered_vector, 4),
    (constraints.zero_sum(1), 3),
    (constraints.lower_cholesky, 6),
    (constraints.softplus_lower_cholesky, 6),
    (constraints.scaled_unit_lower_cholesky, 6),
    (constraints.corr_cholesky, 6),
    (constraints.corr_matrix, 6),
    (constraints.positive_definite, 6),
    (constraints.positive_semidefinite, 6),
    (
        constraints.independent(constraints.interval(np.float32([-1.0, 0.0, 2.0]), 2.5), 1),
        3,
    ),
    (constraints.l1_ball, 3),
    (constraints.log_weights, 3),
    (constraints.complex, 2),
    (BLOCKS, 4),
]
every_constraint = pytest.mark.parametrize(
    "constraint, length", ONTO, ids=[repr(row[0]).split("(")[0] for row in ONTO]
)


def free_coordinates(constraint, y):
    """As many numbers of y as determine it, on which the Jacobian is taken."""
    kind = repr(constraint)
    if constraint is BLOCKS:
        return jnp.delete(y, 2)
    if jnp.iscomplexobj(y):
        return jnp.stack([y.real, y.imag])
    if kind.startswith("simplex"):
        return y[:-1]
    if kind.startswith("zero_sum"):
        # An orthonormal basis of the plane: lengths, not coordinates, are preserved.
        basis = np.linalg.svd(np.ones((1, y.shape[-1])))[2][1:]
        return basis @ y
    if kind.startswith(("corr",)):
        return y[np.tril_indices(y.shape[-1], -1)]
    if y.ndim == 2:
        return y[np.tril_indices(y.shape[-1])]
    return y


def coordinates(length):
    finite = st.floats(-3.0, 3.0, width=32)
    return finite if length is None else arrays(np.float64, length, elements=finite)


@every_constraint
def test_laws_of_biject_to(constraint, length, precision, jit):
    transform = biject_to(constraint)
    single = precision > 1e-6

    @jit
    def evaluate(x):
        y = transform(x)
        jacobian = jax.jacfwd(lambda x: free_coordinates(constraint, transform(x)))(x)
        log_det = jnp.log(abs(jacobian)) if length is None else jnp.linalg.slogdet(jacobian)[1]
        return y, transform.inv(y), transform.log_abs_det_jacobian(x, y), log_det

    @settings(max_examples=15 if single else 40, deadline=None, derandomize=True, database=None)
    @given(coordinates(length))
    def check(x):
        y, back, stated, derived = evaluate(np.asarray(x, jnp.result_type(float)))
        if not single:  # a matrix near the edge may fail its check for the rounding of float32
            assert np.all(constraint(y))
        assert y.shape == transform.forward_shape(np.shape(x))
        assert transform.inverse_shape(y.shape) == np.shape(x)
        # An argument of 3 leaves little of a stick: the inverse and the determinant lose digits.
        tolerance = 2e-2 if single else 1e-6
        np.testing.assert_allclose(back, x, rtol=tolerance, atol=tolerance)
        tolerance = 2e-3 if single else 1e-8
        np.testing.assert_allclose(stated, derived, rtol=tolerance, atol=tolerance)

    check()


# Whose log Jacobian is read off an output that is 0 or infinite for an argument of 1e4.
UNDERFLOW = (
    constraints.corr_matrix,
    constraints.positive_definite,
    constraints.positive_semidefinite,
    constraints.positive_ordered_vector,
)


@every_constraint
def test_extreme_arguments(constraint, length, jit):
    transform = biject_to(constraint)

    @jit
    @jax.value_and_grad
    def log_det(x):
        return jnp.sum(transform.log_abs_det_jacobian(x, transform(x)))

    @jit
    @jax.value_and_grad
    def sum_of(x):
        return jnp.sum(jnp.abs(transform(x)))

    for size in (30.0,) if constraint in UNDERFLOW else (30.0, 1e4):
        signs = np.array([1.0, -1.0, -1.0, 1.0, 1.0, -1.0], np.float32)
        for x in (size, -size) if length is None else (size * signs[:length], -size * signs):
            x = np.asarray(x, np.float32)[..., :length] if length else np.float32(x)
            if constraint != constraints.corr_matrix:
                assert all(np.isfinite(part).all() for part in log_det(x))
            y_sum, gradient = sum_of(x)
            assert not np.isnan(y_sum)
            if np.isfinite(y_sum):
                assert np.isfinite(gradient).all()


@every_constraint
def test_shapes_of_batches(constraint, length):
    transform = biject_to(constraint)
    shape = (2, 3) if length is None else (2, 3, length)
    x = jax.ShapeDtypeStruct(shape, np.float32)
    y = jax.eval_shape(transform, x)
    assert y.shape == transform.forward_shape(shape)
    assert jax.eval_shape(transform.inv, y).shape == shape
    assert transform.inv.forward_shape(y.shape) == shape
    log_det = jax.eval_shape(transform.log_abs_det_jacobian, x, y)
    assert log_det.shape == (2, 3)
    assert log_det.dtype == np.float32
    assert y.dtype == (np.complex64 if constraint == constraints.complex else np.float32)
    mapped = jax.eval_shape(jax.vmap(jax.vmap(transform)), x)
    assert mapped.shape == y.shape


@every_constraint
def test_domain_and_codomain(constraint, length):
    transform = biject_to(constraint)
    assert transform.domain.event_dim == (0 if length is None else 1)
    assert transform.codomain.event_dim == constraint.event_dim
    assert transform.inv.domain == transform.codomain
    assert transform.inv.codomain == transform.domain


@every_constraint
def test_is_a_pytree_that_equals_its_copy(constraint, length):
    transform = biject_to(constraint)
    copy = jax.tree.unflatten(jax.tree.structure(transform), jax.tree.leaves(transform))
    assert copy == transform
    assert hash(copy) == hash(transform)
    assert pickle.loads(pickle.dumps(transform)) == transform
    assert transform != transforms.AffineTransform(0.0, 1.0)


WITHOUT = [
    constraints.boolean,
    constraints.positive_integer,
    constraints.nonnegative_integer,
    constraints.integer_interval(0, 2),
    constraints.integer_greater_than(0),
    constraints.multinomial(3),
    constraints.dependent,
    # No continuous bijection with a vector space exists, or its length cannot be told.
    constraints.sphere,
    constraints.positive_definite_circulant_vector,
]


@pytest.mark.parametrize("constraint", WITHOUT, ids=repr)
def test_no_transform_onto_a_discrete_or_closed_set(constraint):
    with pytest.raises(NotImplementedError, match="no transform onto the constraint"):
        biject_to(constraint)


def test_a_users_constraint_can_be_registered():
    class Even(constraints.Constraint):
        pass

    with pytest.raises(NotImplementedError):
        biject_to(Even())
    registry = transforms.ConstraintRegistry()

    @registry.register(Even)
    def onto_even(constraint):
        return transforms.IdentityTransform()

    assert registry(Even()) == transforms.IdentityTransform()
    registry.register(Even(), lambda constraint: transforms.ExpTransform())
    assert registry(Even()) == transforms.ExpTransform()


# Transforms that biject_to does not reach, with an argument.
OTHERS = [
    (transforms.AffineTransform(1.0, -2.0), 0.3),
    (transforms.PowerTransform(3.0), 0.7),
    (transforms.PowerTransform(-0.5), 0.7),
    (transforms.SimplexToOrderedTransform(0.4), np.array([0.2, 0.5, 0.3])),
    (transforms.PermuteTransform(np.array([2, 0, 1])), np.array([1.0, 2.0, 3.0])),
    (
        transforms.LowerCholeskyAffine(np.ones(2), np.array([[2.0, 0.0], [1.0, 0.5]])),
        np.array([1.0, 2.0]),
    ),
    (transforms.ReshapeTransform((2, 2), (4,)), np.arange(4.0)),
    (transforms.ComposeTransform([]), 0.3),
    (
        transforms.ComposeTransform(
            [transforms.OrderedTransform(), transforms.AffineTransform(0.0, np.array([1.0, 2.0]))]
        ),
        np.array([0.5, 1.0]),
    ),
]


@pytest.mark.parametrize("transform, x", OTHERS, ids=lambda value: type(value).__name__)
def test_laws_of_the_others(transform, x, x64, jit):
    onto_simplex = transform.domain == constraints.simplex

    def flat(free):
        if onto_simplex:
            free = jnp.append(free, 1 - free.sum())
        return jnp.ravel(transform(free.reshape(np.shape(x))))

    @jit
    def evaluate(x):
        y = transform(x)
        jacobian = jax.jacfwd(flat)(jnp.ravel(x)[:-1] if onto_simplex else jnp.ravel(x))
        stated = transform.log_abs_det_jacobian(x, y)
        return y, transform.inv(y), stated, transform.inv.log_abs_det_jacobian(y, x), jacobian

    y, back, stated, inverse_stated, jacobian = evaluate(x)
    np.testing.assert_allclose(back, x, rtol=1e-10)
    assert np.shape(y) == transform.forward_shape(np.shape(x))
    assert transform.inverse_shape(np.shape(y)) == np.shape(x)
    log_det = np.linalg.slogdet(jacobian)[1]
    np.testing.assert_allclose(stated, log_det, atol=1e-10)
    np.testing.assert_allclose(inverse_stated, -log_det, atol=1e-10)


FOURIER_SHAPES = [(1,), (5,), (6,), (2, 3, 4)]


@pytest.mark.parametrize("shape", FOURIER_SHAPES, ids=str)
def test_fourier_transform(shape, precision, jit):
    transform = transforms.RealFastFourierTransform(shape, len(shape))
    x = np.random.default_rng(0).normal(size=(2, *shape))

    def free(x):
        """Real and imaginary parts, of each pair of conjugate frequencies once."""
        y = transform(x.reshape(shape))
        parts = []
        for k in np.ndindex(y.shape):
            conjugate = tuple(-i % n for i, n in zip(k, shape, strict=True))
            if k <= conjugate or conjugate[-1] >= y.shape[-1]:
                parts.append(y[k].real)
                if k != conjugate:
                    parts.append(y[k].imag)
        return jnp.stack(parts)

    @jit
    def evaluate(x):
        y = transform(x)
        stated = transform.log_abs_det_jacobian(x, y)
        return y, transform.inv(y), stated, jax.jacfwd(free)(x[0].ravel())

    y, back, stated, jacobian = evaluate(x)
    axes = tuple(range(-len(shape), 0))
    np.testing.assert_allclose(y, np.fft.rfftn(x, axes=axes), atol=precision)
    np.testing.assert_allclose(back, x, atol=precision)
    assert y.shape == transform.forward_shape(x.shape) == transform.inv.inverse_shape(x.shape)
    assert transform.inverse_shape(y.shape) == x.shape
    assert transform.codomain.event_dim == len(shape)
    assert stated.dtype == jnp.result_type(float)
    log_det = np.linalg.slogdet(jacobian)[1]
    np.testing.assert_allclose(stated, [log_det] * 2, rtol=precision, atol=precision)


@pytest.mark.parametrize("length", [1, 5, 6])
def test_packing_of_fourier_coefficients(length, precision, jit):
    transform = transforms.PackRealFastFourierCoefficientsTransform((length,))
    x = np.random.default_rng(0).normal(size=(3, length)).astype(jnp.result_type(float))
    y, back = jit(lambda x: (transform(x), transform.inv(transform(x))))(x)
    # A spectrum of a real vector: it survives going there and back.
    spectrum = np.fft.rfft(np.fft.irfft(y, length))
    np.testing.assert_allclose(y, spectrum, atol=precision)
    np.testing.assert_array_equal(back, x)
    np.testing.assert_array_equal(np.real(y), x[:, : length // 2 + 1])
    assert y.shape == transform.forward_shape(x.shape)
    assert transform.inverse_shape(y.shape) == x.shape
    np.testing.assert_array_equal(transform.log_abs_det_jacobian(x, y), np.zeros(3))


def test_fourier_transforms_of_unknown_or_wrong_length():
    fourier = transforms.RealFastFourierTransform()
    packing = transforms.PackRealFastFourierCoefficientsTransform()
    assert fourier.forward_shape((2, 7)) == packing.forward_shape((2, 7)) == (2, 4)
    assert fourier.inverse_shape((2, 4)) == (2, 6)
    with pytest.raises(ValueError, match="the inverse needs the length"):
        packing.inv(np.ones(4))
    with pytest.raises(ValueError, match=r"expected a shape that ends in \(6,\), got \(5,\)"):
        transforms.RealFastFourierTransform((6,))(np.ones(5))
    with pytest.raises(ValueError, match=r"expected a shape that ends in \(4,\), got \(5,\)"):
        transforms.PackRealFastFourierCoefficientsTransform((6,)).inv(np.ones(5))
    with pytest.raises(ValueError, match="must have transform_ndims=1"):
        transforms.RealFastFourierTransform((3, 4))
    with pytest.raises(ValueError, match="acts on vectors"):
        transforms.PackRealFastFourierCoefficientsTransform((3, 4))


cosine, haar = transforms.DiscreteCosineTransform, transforms.HaarTransform
WAVES = [
    (cosine(), (7,)),
    (cosine(-2, smooth=1.5), (4, 3)),
    (cosine(smooth=1.0), (1,)),
    (haar(), (5,)),
    (haar(-2, flip=True), (6, 2)),
    (haar(flip=True), (1,)),
]


@pytest.mark.parametrize("transform, shape", WAVES, ids=lambda value: type(value).__name__)
def test_laws_of_waves(transform, shape, x64, jit):
    @jit
    def evaluate(x):
        y = transform(x)
        jacobian = jax.jacfwd(lambda x: transform(x.reshape(shape)).ravel())(x.ravel())
        return y, transform.inv(y), jacobian

    @settings(max_examples=20, deadline=None, derandomize=True, database=None)
    @given(arrays(np.float64, shape, elements=st.floats(-100.0, 100.0, width=32)))
    def check(x):
        y, back, jacobian = evaluate(x)
        np.testing.assert_allclose(back, x, rtol=1e-10, atol=1e-9)
        np.testing.assert_allclose(np.linalg.slogdet(jacobian)[1], 0.0, atol=1e-10)
        if isinstance(transform, transforms.DiscreteCosineTransform):
            expected = scipy.fft.dct(x, axis=transform.dim, norm="ortho")
            weights = (np.arange(shape[transform.dim]) + 0.5) ** transform.smooth
            weights /= np.exp(np.log(weights).mean())
            weights = weights.reshape((-1,) + (1,) * (-transform.dim - 1))
            np.testing.assert_allclose(y, expected * weights, rtol=1e-10, atol=1e-9)
        else:  # orthonormal
            np.testing.assert_allclose(jacobian @ jacobian.T, np.eye(x.size), atol=1e-12)

    check()
    single = jax.ShapeDtypeStruct((3, *shape), np.float32)
    assert jax.eval_shape(transform, single).dtype == np.float32
    log_det = jax.eval_shape(transform.log_abs_det_jacobian, single, single)
    assert log_det.dtype == np.float32
    assert log_det.shape == single.shape[: transform.dim]
    assert transform.domain.event_dim == transform.codomain.event_dim == -transform.dim
    with pytest.raises(ValueError, match="dim must be negative"):
        type(transform)(0)


def test_haar_pairs_neighbours_from_one_end_or_the_other(jit):
    x = np.array([1.0, 4.0, 9.0, 16.0, 25.0])
    # Pairs (1, 4), (9, 16) and 25 over; or from the end (25, 16), (9, 4) and 1 over.
    forward = [15.0, -10.0, -3 / 2**0.5, -7 / 2**0.5, 25.0]
    np.testing.assert_allclose(jit(haar())(x), forward, rtol=1e-5)
    backward = [27.0, 14.0, 9 / 2**0.5, 5 / 2**0.5, 1.0]
    np.testing.assert_allclose(jit(haar(flip=True))(x), backward, rtol=1e-5)


def test_blocks_along_an_event_and_along_the_batch(jit):
    simplex, ordered = transforms.StickBreakingTransform(), transforms.OrderedTransform()
    inside = transforms.CatTransform([simplex, ordered], dim=-1, lengths=[2, 3])
    x = np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32)
    y, back, log_det = jit(
        lambda x: (y := inside(x), inside.inv(y), inside.log_abs_det_jacobian(x, y))
    )(x)
    first, last = jit(lambda x: (simplex(x[:, :2]), ordered(x[:, 2:])))(x)
    np.testing.assert_allclose(y, np.concatenate([first, last], axis=-1), rtol=1e-6)
    np.testing.assert_allclose(back, x, rtol=1e-4, atol=1e-5)
    assert inside.forward_shape((4, 5)) == (4, 6) and inside.inverse_shape((4, 6)) == (4, 5)
    assert inside.codomain.lengths == (3, 3) and np.all(inside.codomain(y))
    terms = jit(
        lambda x, y: (
            simplex.log_abs_det_jacobian(x[:, :2], y[:, :3]),
            ordered.log_abs_det_jacobian(x[:, 2:], y[:, 3:]),
        )
    )(x, y)
    np.testing.assert_allclose(log_det, sum(terms), rtol=1e-6)

    stacked = transforms.CatTransform([ordered, transforms.ExpTransform()], dim=0, lengths=[3, 1])

    @jit
    def evaluate(x):
        y, intermediates = stacked.call_with_intermediates(x)
        return y, stacked.log_abs_det_jacobian(x, y, intermediates)

    y, log_det = evaluate(x)
    np.testing.assert_allclose(y[3], np.exp(x[3]), rtol=1e-6)
    expected = np.append(x[:3, 1:].sum(-1), x[3].sum())
    np.testing.assert_allclose(log_det, expected, rtol=1e-5)

    scalars = transforms.CatTransform([transforms.ExpTransform(), transforms.IdentityTransform()])
    np.testing.assert_allclose(
        scalars.log_abs_det_jacobian(np.array([0.3, 2.0]), scalars(np.array([0.3, 2.0]))), [0.3, 0]
    )
    factors = biject_to(constraints.cat([constraints.lower_cholesky] * 2))
    assert factors.forward_shape((2, 6)) == (2, 3, 3)
    image = jax.eval_shape(factors, np.zeros((2, 6)))
    assert image.shape == (2, 3, 3)
    assert jax.eval_shape(factors.inv, image).shape == factors.inverse_shape((2, 3, 3)) == (2, 6)


def test_blocks_that_do_not_fit_are_refused():
    exp = transforms.ExpTransform()
    with pytest.raises(ValueError, match="2 transforms but 1 lengths"):
        transforms.CatTransform([exp, exp], lengths=[2])
    with pytest.raises(ValueError, match=r"expected length 2 .* got shape \(3,\)"):
        transforms.CatTransform([exp, exp])(np.ones(3))
    with pytest.raises(ValueError, match="keep the number of dimensions"):
        transforms.CatTransform([exp, transforms.LowerCholeskyTransform()], dim=-1)
    with pytest.raises(ValueError, match="at least one"):
        transforms.CatTransform([])


def test_unpacking_a_vector():
    def unpack(x):
        return {"a": x[..., :2], "b": x[..., 2]}

    def pack(tree):
        return jnp.concatenate([tree["a"], tree["b"][..., None]], axis=-1)

    transform = transforms.UnpackTransform(unpack, pack)
    x = np.arange(6.0).reshape(2, 3)
    y = jax.jit(transform)(x)
    np.testing.assert_array_equal(y["b"], [2.0, 5.0])
    np.testing.assert_array_equal(transform.inv(y), x)
    np.testing.assert_array_equal(transform.log_abs_det_jacobian(x, y), np.zeros(2))
    assert jax.tree.leaves(transform) == []
    assert transform == transforms.UnpackTransform(unpack, pack)
    assert transform != transforms.UnpackTransform(unpack)
    with pytest.raises(NotImplementedError, match="unless it is given pack_fn"):
        transforms.UnpackTransform(unpack).inv(y)
    with pytest.raises(NotImplementedError, match="no single shape"):
        transform.forward_shape((3,))
    with pytest.raises(ValueError, match="its length must be 2"):
        transforms.ComplexTransform()(np.ones(3))


def test_inverse_at_the_edge_is_finite(jit):
    for constraint, y in (
        (constraints.simplex, [1.0, 0.0, 0.0]),
        (constraints.l1_ball, [1.0, 0.0, 0.0]),
        (constraints.corr_cholesky, [[1.0, 0.0], [1.0, 0.0]]),
    ):
        transform = biject_to(constraint)
        x, image = jit(lambda y, t=transform: (t.inv(y), t(t.inv(y))))(np.array(y, np.float32))
        assert np.isfinite(x).all()
        np.testing.assert_allclose(image, y, atol=1e-3)


def test_intermediates_spare_nothing_of_the_result():
    transform = biject_to(constraints.interval(1.0, 4.0))
    y, intermediates = transform.call_with_intermediates(0.7)
    np.testing.assert_allclose(
        transform.log_abs_det_jacobian(0.7, y, intermediates),
        transform.log_abs_det_jacobian(0.7, y),
        rtol=1e-6,
    )


def test_codomain_of_an_affine_map_follows_its_domain():
    affine = transforms.AffineTransform
    assert affine(1.0, 2.0).codomain == constraints.real
    assert affine(1.0, 2.0, constraints.positive).codomain == constraints.greater_than(1.0)
    assert affine(1.0, -2.0, constraints.positive).codomain == constraints.less_than(1.0)
    reflected = affine(1.0, -2.0, constraints.unit_interval)
    assert reflected.codomain == constraints.interval(-1.0, 1.0)


def test_sign_of_monotone_maps():
    assert transforms.AffineTransform(0.0, -2.0).sign == -1
    assert (
        transforms.ComposeTransform(
            [transforms.ExpTransform(), transforms.AffineTransform(0.0, -2.0)]
        ).sign
        == -1
    )
    with pytest.raises(NotImplementedError, match="not a monotone map"):
        _ = transforms.OrderedTransform().sign


def test_extreme_arguments_stay_inside_in_float32(jit):
    for constraint, x in (
        (constraints.unit_interval, np.float32([-200.0, 200.0])),
        (constraints.simplex, np.float32([60.0, -60.0, 0.0])),
        (constraints.corr_cholesky, np.float32([8.0, -8.0, 8.0])),
        (constraints.l1_ball, np.float32([60.0, -60.0, 0.0])),
    ):
        y = jit(biject_to(constraint))(x)
        assert np.all(constraint(y))
        if constraint == constraints.unit_interval:
            assert np.all((y > 0) & (y < 1))


def test_abs_transform_maps_back_to_the_nonnegative():
    transform = transforms.AbsTransform()
    assert transform(-2.0) == 2.0
    assert transform.inv(2.0) == 2.0


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="does not fill a lower triangle"):
        biject_to(constraints.lower_cholesky)(np.zeros(5))
    with pytest.raises(ValueError, match="their sizes differ"):
        transforms.ReshapeTransform((2, 3), (5,))
    with pytest.raises(ValueError, match="expected a shape that ends in"):
        transforms.ReshapeTransform((2, 3), (6,)).forward_shape((5,))
    with pytest.raises(ValueError, match="must be a matrix"):
        transforms.LowerCholeskyAffine(np.zeros(2), np.ones(2))
