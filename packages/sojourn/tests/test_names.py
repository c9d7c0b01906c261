"""Every name stands where programs look for it, and is the object of the package it is from."""

import importlib
import inspect
import pkgutil

import pytest

import sojourn
import sojourn_distributions
import sojourn_hmc
import sojourn_infer
import sojourn_primitives

MODULES = ["sojourn"] + [
    module.name
    for module in pkgutil.walk_packages(sojourn.__path__, "sojourn.")
    if not module.name.endswith("_version")
]

NAMES = {
    "sojourn": "deterministic factor get_mask param plate plate_stack prng_key sample subsample "
    "enable_validation validation_enabled enable_x64 set_host_device_count set_platform",
    "sojourn.primitives": "CondIndepStackFrame Messenger apply_stack deterministic factor param "
    "plate plate_stack prng_key sample subsample",
    "sojourn.handlers": "block condition do infer_config lift mask replay scale scope seed "
    "substitute trace uncondition",
    "sojourn.infer": "BarkerMH HMC MCMC NUTS Predictive SA init_to_feasible init_to_mean "
    "init_to_median init_to_sample init_to_uniform init_to_value log_density log_likelihood",
    "sojourn.infer.gibbs": "CustomGibbs DiscreteGibbs Gibbs GibbsState discrete_latent_sites",
    "sojourn.infer.hmc_gibbs": "DiscreteHMCGibbs HMCGibbs HMCGibbsState",
    "sojourn.infer.mixed_hmc": "MixedHMC MixedHMCState",
    "sojourn.infer.mcmc": "MCMC MCMCKernel",
    "sojourn.infer.hmc": "HMC NUTS HMCState",
    "sojourn.infer.sa": "SA SAAdaptState SAState",
    "sojourn.infer.barker": "BarkerMH BarkerMHState",
    "sojourn.infer.initialization": "init_to_feasible init_to_mean init_to_median init_to_sample "
    "init_to_uniform init_to_value",
    "sojourn.infer.util": "Predictive compute_log_probs constrain_fn find_valid_initial_params "
    "get_potential_fn initialize_model log_density log_likelihood potential_energy transform_fn "
    "unconstrain_fn",
    "sojourn.infer.reparam": "CircularReparam DiscreteCosineReparam ExplicitReparam HaarReparam "
    "LocScaleReparam ProjectedNormalReparam Reparam TransformReparam UnitJacobianReparam",
    "sojourn.contrib.funsor": "config_enumerate enum infer_config infer_discrete log_density "
    "markov plate plate_to_enum_plate trace",
    "sojourn.diagnostics": "effective_sample_size hpdi print_summary split_gelman_rubin summary",
    "sojourn.distributions": "Beta Dirichlet Exponential Gamma HalfCauchy HalfNormal LKJCholesky "
    "LogNormal MultivariateNormal Normal StudentT TruncatedNormal Uniform biject_to",
    "sojourn.distributions.constraints": "positive real simplex unit_interval",
    "sojourn.distributions.transforms": "AffineTransform ExpTransform biject_to",
    "sojourn.util": "enable_x64 set_host_device_count set_platform",
}


@pytest.mark.parametrize("module", NAMES)
def test_names_stand_at_their_paths(module):
    imported = importlib.import_module(module)
    for name in NAMES[module].split():
        assert hasattr(imported, name), name


@pytest.mark.parametrize("module", MODULES)
def test_public_names_exist(module):
    try:
        imported = importlib.import_module(module)
    except ImportError as error:
        if "pip install 'sojourn[" not in str(error):
            raise
        pytest.skip(str(error))
    if not hasattr(imported, "__all__"):
        public = {name: value for name, value in vars(imported).items() if name[0] != "_"}
        assert [name for name, value in public.items() if not inspect.ismodule(value)] == []
        return
    assert len(set(imported.__all__)) == len(imported.__all__)
    for name in imported.__all__:
        assert hasattr(imported, name), name


@pytest.mark.parametrize(
    "here, there",
    [
        (sojourn.distributions, sojourn_distributions),
        (sojourn.distributions.constraints, sojourn_distributions.constraints),
        (sojourn.distributions.transforms, sojourn_distributions.transforms),
        (sojourn.handlers, sojourn_primitives.handlers),
    ],
)
def test_whole_modules_are_offered_again(here, there):
    for name in there.__all__:
        if not inspect.ismodule(getattr(there, name)):
            assert getattr(here, name) is getattr(there, name), name


def test_objects_are_not_copies():
    assert sojourn.sample is sojourn_primitives.sample
    assert sojourn.infer.NUTS is sojourn_infer.NUTS
    assert sojourn.infer.MCMC is sojourn_hmc.MCMC
    assert sojourn.diagnostics.SamplingWarning is sojourn_hmc.SamplingWarning
