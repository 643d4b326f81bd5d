"""The power test tested: in a planted package, what is unguarded, guarded in name alone or only crashes is told."""

import json
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest

from corollary.testing.power.leaves import mapped, off_by_2_percent, paths, turned_by_2_percent, unchanged
from corollary.testing.power.patching import patched

PACKAGE = '''
"""Six public functions, a class, one private helper."""
import functools
from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["Line", "Pair", "area", "both", "crash", "flag", "forgotten", "kept", "lonely", "named", "vacuous", "zero"]

class Pair(NamedTuple):
    first: float
    second: float

@dataclass(frozen=True)
class Line:
    slope: float
    name: str = "line"
    def at(self, x: float) -> float:
        return self.slope * x
    @property
    def inverse(self) -> float:
        return 1 / self.slope
    @property
    def described(self) -> str:
        return self.name

class Steep(Line):
    pass

def area(r: float) -> float: return 3.0 * r * r
def both(x: float) -> Pair: return Pair(x, 2 * x)
def crash(x: float) -> float: return x
def flag(x: float) -> bool: return x > 0
def forgotten(x: float) -> float: return x
@functools.lru_cache
def kept(x: float) -> float: return x
def lonely(x: float) -> float: return x
def named(s: float) -> Line: return Line(s)
def vacuous(x: float) -> float: return x
def zero(x: float) -> float: return 0.0 * x
def _helper(x): return x
'''

TESTS = """
import math
import pytest
from hypothesis import given, strategies as st
import planted
from planted import area  # an early name: the patch must reach it
from corollary.testing import guards

AT_IMPORT = planted.lonely(1.0)

@guards(planted.area)
@given(st.floats(1, 2))
def test_area(r): assert math.isclose(area(r), 3 * r * r)

@guards(planted.both)
def test_only_the_first_of_both(): assert planted.both(1.0).first == 1.0

@guards(planted.crash)
def test_that_crashes():
    if planted.crash(1.0) != 1.0: raise ValueError("a later check met the error")

@guards(planted.kept)
def test_through_a_cache(): assert planted.kept(2.0) == 2.0

@guards(planted.lonely)
def test_that_looks_at_a_value_made_at_import(): assert AT_IMPORT == 1.0

@guards(planted.named, planted.Line)
@pytest.mark.parametrize("s", [1.0, 2.0])
def test_line(s):
    line = planted.named(s)
    assert line.at(3.0) == 3 * s and planted.Line(s).inverse == 1 / s

@guards(planted.vacuous, planted.area)
def test_that_cannot_fail(): assert planted.vacuous(1.0) > 0 or True

@guards(planted.vacuous)
def test_already_red(): assert planted.vacuous(1.0) == 7

@guards(planted.zero)
def test_zero(): assert planted.zero(1.0) == 0

def test_nothing_named(): assert planted.forgotten(1.0) == 1.0
"""


@pytest.fixture(scope="module")
def power(tmp_path_factory):
    """Run the power test on the planted project; returns its JSON and the text it printed."""
    folder = tmp_path_factory.mktemp("planted-project")
    (folder / "planted").mkdir()
    (folder / "planted" / "__init__.py").write_text(PACKAGE)
    (folder / "test_planted.py").write_text(TESTS)

    def run(*options):
        out = folder / "out.json"
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "corollary.testing.power", "--power", "planted", "--power-json", out,
             "-p", "no:cacheprovider", "--rootdir", folder, *options, folder],
            cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120,
        )  # fmt: skip
        return json.loads(out.read_text()), done

    return run


@pytest.fixture(scope="module")
def found(power):
    return power()


def test_the_functions_are_those_that_return_numbers(found):
    """No private helper, no bool, no str, no class without numbers; methods and properties of public classes."""
    names = "Line.at Line.inverse area both crash forgotten kept lonely named vacuous zero".split()
    assert found[0]["functions"] == names


def test_an_unguarded_function_is_reported(found):
    assert found[0]["unguarded"] == ["forgotten"]


def test_a_field_that_no_test_looks_at_is_reported_and_the_other_is_not(found):
    assert any(line.startswith("both.second off by 2 %") for line in found[0]["unnoticed"])
    assert not any(line.startswith("both.first") for line in found[0]["unnoticed"])


def test_noticed_through_early_names_caches_properties_and_fields(found):
    """`from planted import area`, an lru_cache filled before, Line.slope of a frozen dataclass, a property."""
    assert set(found[0]["noticed"]) == {"area", "both.first", "kept", "named.slope", "Line.at", "Line.inverse"}


def test_a_vacuous_guard_is_reported_even_where_another_test_notices(found):
    """`area` has a good guard beside; the mark on the test that cannot fail is still false."""
    assert any("test_that_cannot_fail is marked as a guard of area" in line for line in found[0]["vacuous"])
    assert any("test_that_cannot_fail is marked as a guard of vacuous" in line for line in found[0]["vacuous"])
    assert any(line.startswith("vacuous off by 2 %") for line in found[0]["unnoticed"])


def test_a_crash_is_no_evidence(found):
    """An exception that is not an assertion may come from the planted error's consequences anywhere."""
    (line,) = [line for line in found[0]["unnoticed"] if line.startswith("crash ")]
    assert "crashed" in line and "ValueError in call: a later check met the error" in line


def test_a_guard_that_fails_without_any_change_is_reported_and_not_used(found):
    assert len(found[0]["broken"]) == 1 and "test_already_red does not pass unchanged" in found[0]["broken"][0]


def test_a_value_made_at_import_guards_nothing(found):
    assert "lonely: no test that names it, and passes, calls it and gets a number" in found[0]["unnoticed"]


def test_a_number_that_is_always_zero_is_reported(found):
    assert "zero is 0 wherever its guards see it: a factor would not show" in found[0]["unnoticed"]


def test_it_prints_its_findings_and_fails(found):
    _, done = found
    assert done.returncode != 0 and "unguarded: 1" in done.stdout and "  forgotten" in done.stdout


def test_shares_are_disjoint_and_cover_all_and_exemptions_are_left_alone(power, found):
    whole = found[0]["functions"]
    shares = [power("--power-share", f"{i}/3")[0] for i in range(3)]
    assert sorted(name for s in shares for name in s["chosen"]) == whole
    assert all(s["unguarded"] == ["forgotten"] for s in shares)
    spared = power("--power-exempt", "both.second", "--power-exempt", "forgotten", "--power-only", "both")[0]
    assert spared["functions"] == ["both"] and not spared["unnoticed"] and not spared["unguarded"]


def test_a_share_that_is_none_is_one_clear_error(power):
    _, done = power("--power-share", "3/3")
    assert "--power-share 3/3: expected I/K with 0 <= I < K" in done.stdout + done.stderr


def test_each_leaf_is_changed_alone():
    """Floats, arrays, Fractions, fields and items; counts only where they are the result itself."""
    value = {"a": (1.0, np.ones(2)), "n": 5, "f": Fraction(1, 2)}
    assert [p for p, _ in paths(value)] == ["['a'][0]", "['a'][1]", "['f']"]
    changed = mapped(value, off_by_2_percent("['a'][1]"))
    assert changed["a"][0] == 1.0 and np.all(changed["a"][1] == 1.02) and changed["n"] == 5
    assert mapped(value, off_by_2_percent("['f']"))["f"] == Fraction(51, 100)
    assert mapped(3, off_by_2_percent("")) == 4 and mapped(100, off_by_2_percent("")) == 102
    assert mapped(True, off_by_2_percent("")) is True
    same = mapped(value, unchanged)
    assert same["a"][1] is not value["a"][1] and np.array_equal(same["a"][1], value["a"][1])


def test_a_direction_is_turned_by_2_percent_and_keeps_its_length():
    u = np.array([[0.6, 0.8, 0.0], [1.0, 2.0, 3.0]])
    turned = mapped(u, turned_by_2_percent(""))
    np.testing.assert_allclose(np.linalg.norm(turned, axis=1), np.linalg.norm(u, axis=1), rtol=1e-15)
    assert np.linalg.norm(turned[0] - u[0]) == pytest.approx(2 * np.sin(0.01), rel=1e-12)


def test_a_patch_leaves_no_trace_and_reaches_closures_and_defaults():
    """Defaults, keyword-only defaults, a closure and the signature are there during and after the patch."""
    outer = 10.0

    def f(a, b=2.0, *, c=3.0):
        return outer * (a + b + c)

    before = f.__code__, f.__defaults__, f.__kwdefaults__, dict(vars(f))
    import inspect

    with patched(f, lambda original, args, kwargs: -original(*args, **kwargs)):
        assert f(1.0) == -60.0 and f(1.0, b=0.0, c=0.0) == -10.0
        assert list(inspect.signature(f).parameters) == ["a", "b", "c"]
    assert f(1.0) == 60.0 and (f.__code__, f.__defaults__, f.__kwdefaults__, dict(vars(f))) == before
    with pytest.raises(ZeroDivisionError), patched(f, lambda original, args, kwargs: 1 / 0):
        f(1.0)
    assert f(1.0) == 60.0


def test_a_limit_that_rings_between_the_phases_of_a_test_ends_that_test_only():
    """On a busy machine the alarm may find pytest's own code: the guard is too slow, and the trial goes on."""
    from corollary.testing.power.trial import Guard, TooSlow, Trial

    def late() -> str:
        raise TooSlow("longer than 2 s")

    trial = Trial.__new__(Trial)
    trial.caches, trial.sessions = [], set()
    assert trial._run(Guard("a", "a", late, [], baseline="passed")) == "TooSlow: longer than 2 s"
    assert trial._run(Guard("a", "a", lambda: "red", [], baseline="passed")) == "red"
