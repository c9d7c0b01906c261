"""A hand-written distribution for the tests: the package is independent of any distributions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest


@jax.tree_util.register_pytree_node_class
class NormalByHand:
    """Independent normal events of shape ``event_shape``; has the five parts and a density."""

    def __init__(self, loc=0.0, scale=1.0, event_dim=0, batch_shape=None, masked=None):
        self.loc, self.scale, self.masked = loc, scale, masked
        shape = np.broadcast_shapes(np.shape(loc), np.shape(scale))
        split = len(shape) - event_dim
        self.event_shape = shape[split:]
        self.batch_shape = shape[:split] if batch_shape is None else batch_shape

    def __call__(self, rng_key, sample_shape=()):
        shape = tuple(sample_shape) + self.batch_shape + self.event_shape
        return self.loc + self.scale * jax.random.normal(rng_key, shape)

    def expand(self, batch_shape):
        return NormalByHand(self.loc, self.scale, len(self.event_shape), batch_shape, self.masked)

    def mask(self, mask):
        if self.masked is not None:
            mask = mask & self.masked
        batch_shape = np.broadcast_shapes(self.batch_shape, np.shape(mask))
        return NormalByHand(self.loc, self.scale, len(self.event_shape), batch_shape, mask)

    def tree_flatten(self):
        return (self.loc, self.scale, self.masked), (self.batch_shape, self.event_shape)

    @classmethod
    def tree_unflatten(cls, shapes, children):
        new = object.__new__(cls)
        new.loc, new.scale, new.masked = children
        new.batch_shape, new.event_shape = shapes
        return new

    def log_prob(self, value):
        terms = -0.5 * ((value - self.loc) / self.scale) ** 2 - jnp.log(
            self.scale * np.sqrt(2 * np.pi)
        )
        terms = terms.sum(tuple(range(-len(self.event_shape), 0))) if self.event_shape else terms
        return terms if self.masked is None else jnp.where(self.masked, terms, 0.0)


@pytest.fixture(scope="session")
def normal():
    return NormalByHand


@pytest.fixture(autouse=True)
def _stack_is_left_clean():
    from sojourn_primitives.stack import active_handlers

    yield
    assert active_handlers() == ()
