"""The example of the README runs as it stands."""

import re
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"


@pytest.mark.checkout
@pytest.mark.filterwarnings("ignore:.*transitions diverged")
def test_example_runs(capsys):
    names = {}
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    exec(example, names)
    shapes = {site: values.shape for site, values in names["mcmc"].get_samples().items()}
    assert shapes == {"mu": (2000,), "tau": (2000,), "z": (2000, 8), "theta": (2000, 8)}
    assert "Number of divergences" in capsys.readouterr().out
