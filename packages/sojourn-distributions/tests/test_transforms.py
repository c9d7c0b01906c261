"""Every transform is inverted by its inverse, and its log Jacobian is that of autodiff."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sojourn_distributions import biject_to, constraints, transforms

# A transform, the length of its unconstrained argument (None: a number), whether it has a Jacobian
# between spaces of equal dimension.
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
]
every_constraint = pytest.mark.parametrize(
    "constraint, length", ONTO, ids=[repr(row[0]).split("(")[0] for row in ONTO]
)


def free_coordinates(constraint, y):
    """As many numbers of y as determine it, on which the Jacobian is taken."""
    kind = repr(constraint)
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
def test_laws_of_biject_to(constraint, length, x64):
    transform = biject_to(constraint)

    @jax.jit
    def evaluate(x):
        y = transform(x)
        jacobian = jax.jacfwd(lambda x: free_coordinates(constraint, transform(x)))(x)
        log_det = jnp.log(abs(jacobian)) if length is None else jnp.linalg.slogdet(jacobian)[1]
        return y, transform.inv(y), transform.log_abs_det_jacobian(x, y), log_det

    @settings(max_examples=40, deadline=None, derandomize=True, database=None)
    @given(coordinates(length))
    def check(x):
        y, back, stated, derived = evaluate(np.asarray(x, np.float64))
        assert np.all(constraint(y))
        assert y.shape == transform.forward_shape(np.shape(x))
        assert transform.inverse_shape(y.shape) == np.shape(x)
        np.testing.assert_allclose(back, x, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(stated, derived, rtol=1e-8, atol=1e-8)

    check()


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
    assert log_det.dtype == y.dtype == np.float32


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


@pytest.mark.parametrize("constraint", [constraints.boolean, constraints.positive_integer])
def test_no_transform_onto_a_discrete_set(constraint):
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
def test_laws_of_the_others(transform, x, x64):
    y = transform(x)
    np.testing.assert_allclose(transform.inv(y), x, rtol=1e-10)
    assert np.shape(y) == transform.forward_shape(np.shape(x))
    assert transform.inverse_shape(np.shape(y)) == np.shape(x)

    def flat(free):
        if transform.domain == constraints.simplex:
            free = jnp.append(free, 1 - free.sum())
        return jnp.ravel(transform(free.reshape(np.shape(x))))

    free = np.ravel(x)[:-1] if transform.domain == constraints.simplex else np.ravel(x)
    log_det = jnp.linalg.slogdet(jax.jacfwd(flat)(free))[1]
    np.testing.assert_allclose(transform.log_abs_det_jacobian(x, y), log_det, atol=1e-10)
    np.testing.assert_allclose(transform.inv.log_abs_det_jacobian(y, x), -log_det, atol=1e-10)


FOURIER_SHAPES = [(1,), (2,), (5,), (6,), (2, 3), (3, 4), (2, 3, 4)]


@pytest.mark.parametrize("shape", FOURIER_SHAPES, ids=str)
def test_fourier_transform(shape, precision):
    transform = transforms.RealFastFourierTransform(shape, len(shape))
    x = np.random.default_rng(0).normal(size=(2, *shape))
    y = transform(x)
    axes = tuple(range(-len(shape), 0))
    np.testing.assert_allclose(y, np.fft.rfftn(x, axes=axes), atol=precision)
    np.testing.assert_allclose(transform.inv(y), x, atol=precision)
    assert y.shape == transform.forward_shape(x.shape) == transform.inv.inverse_shape(x.shape)
    assert transform.inverse_shape(y.shape) == x.shape
    assert transform.codomain.event_dim == len(shape)

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

    log_det = jnp.linalg.slogdet(jax.jacfwd(free)(x[0].ravel()))[1]
    stated = transform.log_abs_det_jacobian(x, y)
    assert stated.dtype == jnp.result_type(float)
    np.testing.assert_allclose(stated, [log_det] * 2, rtol=precision, atol=precision)


@pytest.mark.parametrize("length", [1, 2, 5, 6])
def test_packing_of_fourier_coefficients(length, precision):
    transform = transforms.PackRealFastFourierCoefficientsTransform((length,))
    x = np.random.default_rng(0).normal(size=(3, length))
    y = transform(x)
    # A spectrum of a real vector: it survives going there and back.
    spectrum = np.fft.rfft(np.fft.irfft(y, length))
    np.testing.assert_allclose(y, spectrum, atol=precision)
    np.testing.assert_array_equal(transform.inv(y), jnp.asarray(x))
    np.testing.assert_array_equal(y.real, jnp.asarray(x)[:, : length // 2 + 1])
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


def test_extreme_arguments_stay_inside_in_float32():
    for constraint, x in (
        (constraints.unit_interval, np.float32([-200.0, 200.0])),
        (constraints.simplex, np.float32([60.0, -60.0, 0.0])),
        (constraints.corr_cholesky, np.float32([8.0, -8.0, 8.0])),
    ):
        transform = biject_to(constraint)
        y = transform(x)
        assert np.all(constraint(y))
        assert np.all(np.isfinite(transform.log_abs_det_jacobian(x, y)))
    unit = biject_to(constraints.unit_interval)(np.float32([-200.0, 200.0]))
    assert np.all((unit > 0) & (unit < 1))


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
