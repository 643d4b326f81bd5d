"""`corollary doctor`."""

from __future__ import annotations

import os

from corollary.cli.session import out_console


def doctor() -> None:
    """What this machine has, and when and where the GPU suite last ran."""
    from corollary.arrays import namespace_for
    from corollary.run import gpu_suite
    from corollary.run.render import versions

    for name, number in versions().items():
        out_console.print(f"{name} {number}")
    out_console.print(f"cores {os.cpu_count()}")
    try:
        namespace_for("cuda")
        out_console.print("GPU: usable")
    except RuntimeError as error:
        out_console.print(f"GPU: {error}")
    out_console.print(gpu_suite.told())
