"""Convergence, Gaussian outputs, and the readout that breaks gradient independence (not a figure of the paper)."""

from __future__ import annotations

import numpy as np

from corollary.claims import Figure
from corollary.figures import yang2019 as pictures
from corollary.paper_repro.yang2019.deviation import (
    WIDTHS,
    attention_kernel,
    cnn_kernel,
    deviations,
    mlp_kernel,
    resnet_kernel,
    rnn_kernel,
)
from corollary.paper_repro.yang2019.gaussian import attention_gaussian, rnn_gaussian, values
from corollary.paper_repro.yang2019.independence import DEPENDENT, INDEPENDENT, SQUARES, mean_readout, random_readout
from corollary.paper_repro.yang2019.setting import limit

BINS = np.linspace(-3.5, 3.5, 22)


def tables(data):
    """Root mean squares with standard errors; outputs in units of the limit's standard deviation; squared gradients."""
    spread = {"network": [], "n": [], "rms": [], "se": []}
    for name in deviations:
        for point, arrays in data[name]:
            square = arrays["deviation"] ** 2
            root = float(np.sqrt(square.mean()))
            spread["network"].append(name)
            spread["n"].append(point["n"])
            spread["rms"].append(root)
            spread["se"].append(float(square.std(ddof=1) / np.sqrt(len(square)) / (2 * root)))
    outputs = {"network": [], "x": [], "density": [], "se": []}
    for name in values:
        ((_, arrays),) = data[f"f {name}"]
        z = arrays["f"] / limit(name).nngp[0, 0] ** 0.5
        counts, _ = np.histogram(z, BINS)
        unit = len(z) * (BINS[1] - BINS[0])
        outputs["network"] += [name] * len(counts)
        outputs["x"] += list((BINS[1:] + BINS[:-1]) / 2)
        outputs["density"] += list(counts / unit)
        outputs["se"] += list(np.sqrt(np.maximum(counts, 1)) / unit)
    squares = {"readout": [], "n": [], "mean": [], "se": []}
    for label, name in (("readout: mean", "mean"), ("readout: random", "random"), ("mean, back by a copy", "copy")):
        for point, arrays in data["squares"]:
            squares["readout"].append(label)
            squares["n"].append(point["n"])
            squares["mean"].append(float(arrays[name].mean()))
            squares["se"].append(float(arrays[name].std(ddof=1) / np.sqrt(len(arrays[name]))))
    theory = {"name": ["$1/2 + 1/2\\pi$", "$1/2$, independence"], "value": [DEPENDENT, INDEPENDENT]}
    return {"deviation": spread, "outputs": outputs, "squares": squares, "theory": theory}


figure_1 = Figure(
    number="1",
    title="Tangent kernels against width, outputs, and squared gradients (not a figure of the paper)",
    experiments={**deviations, **{f"f {name}": e for name, e in values.items()}, "squares": SQUARES},
    tables=tables,
    draw=pictures.convergence,
    replicates={
        scale: {**dict.fromkeys([*deviations, "squares"], few), **{f"f {name}": many for name in values}}
        for scale, few, many in (("smoke", 128, 1024), ("laptop", 400, 4096), ("paper", 4096, 8192))
    },
    parameters=[
        ("widths n", "none given", {k: ", ".join(map(str, v)) for k, v in WIDTHS.items()}),
        ("inputs", "none given", "2 sequences of 4 tokens, 3 channels"),
    ],
    claims=[mlp_kernel, cnn_kernel, resnet_kernel, rnn_kernel, attention_kernel, rnn_gaussian, attention_gaussian,
            mean_readout, random_readout],
)  # fmt: skip
