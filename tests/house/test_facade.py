"""`import corollary` costs nothing: every name is loaded on first use."""

import json
import subprocess
import sys


def test_import_corollary_loads_no_other_package(root):
    """Neither SciPy, SymPy nor matplotlib, nor NumPy, nor a module of our own besides the facade."""
    program = """if True:
        import json, sys
        before = set(sys.modules)
        import corollary
        print(json.dumps(sorted(set(sys.modules) - before)))
    """
    out = subprocess.run(
        [sys.executable, "-c", program], cwd=root / "src", capture_output=True, text=True, check=True, timeout=60
    )
    loaded = json.loads(out.stdout)
    assert [name for name in loaded if name.split(".")[0] not in sys.stdlib_module_names] == ["corollary"]
