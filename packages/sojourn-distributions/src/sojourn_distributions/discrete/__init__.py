"""Distributions on integers, a family per file."""

from sojourn_distributions.discrete.bernoulli import Bernoulli, BernoulliLogits, BernoulliProbs

__all__ = ["Bernoulli", "BernoulliLogits", "BernoulliProbs"]
