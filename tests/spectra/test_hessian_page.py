"""The page on Hessians runs as it stands, but for the width of its network."""

import re
from pathlib import Path

import numpy as np

PAGE = Path(__file__).resolve().parents[2] / "docs" / "hessians.md"


def test_the_code_of_the_page_runs(capsys):
    """With 20 neurons for 970; the first block's trace, density and eigenvalues are right, the bar is drawn."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    names: dict = {}
    assert len(blocks) == 2
    exec(blocks[0], names)
    eigenvalues = np.linalg.eigvalsh(np.diag(names["d"]) + 1e-3 * np.outer(names["u"], names["u"]))
    np.testing.assert_allclose(names["top"].values, eigenvalues[[-1, -2]], rtol=1e-8)
    estimate = names["density"].trace(lambda x: np.log(1 + x))
    assert estimate.low <= np.log1p(eigenvalues).sum() <= estimate.high
    assert "970, 970" in blocks[1]
    exec(blocks[1].replace("970, 970", "20, 20"), names)
    assert names["hessian"].size == 64 * 20 + 20 * 20 + 20 * 10 + 50
    assert "8 probes of 40 steps, 8 at a time" in (told := capsys.readouterr().err) and "] 320/320, " in told
    low, high = names["density"].edges
    assert low < 0 < high and names["density"].resolution > 0
