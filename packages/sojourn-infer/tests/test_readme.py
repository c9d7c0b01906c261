"""The examples of the README run as they stand."""

import re
from pathlib import Path

import numpy as np
import pytest

README = Path(__file__).parent.parent / "README.md"


@pytest.mark.checkout
@pytest.mark.filterwarnings("ignore:.*transitions diverged")
def test_examples_run(capsys):
    names = {}
    for example in re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL):
        exec(example, names)
    assert names["mcmc"].get_samples(group_by_chain=True)["mean"].shape == (4, 500)
    assert "mean" in capsys.readouterr().out
    potential = names["setup"].potential({"mean": 1.0, "scale": np.log(2.0)})
    np.testing.assert_allclose(potential, -(names["density"] + np.log(2)), rtol=1e-5)
