"""Densities of models, first values, predictions, from `sojourn_infer`."""

from sojourn_infer import (
    ModelInfo,
    ParamInfo,
    Predictive,
    compute_log_probs,
    constrain_fn,
    find_valid_initial_params,
    get_potential_fn,
    initialize_model,
    log_density,
    log_likelihood,
    potential_energy,
    transform_fn,
    unconstrain_fn,
)

__all__ = [
    "ModelInfo",
    "ParamInfo",
    "Predictive",
    "compute_log_probs",
    "constrain_fn",
    "find_valid_initial_params",
    "get_potential_fn",
    "initialize_model",
    "log_density",
    "log_likelihood",
    "potential_energy",
    "transform_fn",
    "unconstrain_fn",
]
