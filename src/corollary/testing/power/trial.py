"""One trial: run the guards unchanged, then once for each number of each function, and say which went unnoticed."""

from __future__ import annotations

import contextlib
import importlib
import pkgutil
import signal
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from corollary.testing.power.leaves import mapped, off_by_2_percent, paths, turned_by_2_percent, unchanged
from corollary.testing.power.patching import caches, patched
from corollary.testing.power.targets import Target, plain_function, walk

FINE = ("passed", "skipped")
LEAST_SECONDS = 2.0


@dataclass
class Guard:
    """A test (one node) or a derivation. `run()` gives "passed", "red" or the reason why it says nothing."""

    name: str
    group: str  # the test function without its parameters: what carries the mark
    run: Callable[[], str]
    marks: list[frozenset[str]]  # one set of target names per thing named: several for a class
    seconds: float = 0.0
    baseline: str = ""

    @property
    def targets(self) -> set[str]:
        return {name for mark in self.marks for name in mark}


class Trial:
    """Guards, targets and what came out. Errors are sentences; `run()` returns plain data."""

    def __init__(
        self, items: Sequence[pytest.Item], seen: dict[str, BaseException], *, package: str, share: tuple[int, int],
        only: str, skip: Sequence[str], turn: Sequence[str], exempt: Sequence[str], derivations: str,
    ):  # fmt: skip
        self.seen, self.turn, self.exempt = seen, set(turn), set(exempt)
        self.sessions = {item.session for item in items}
        self.every = [t for t in walk(package, skip=skip) if t.name not in self.exempt and t.name.startswith(only)]
        self.chosen = {t.name: t for t in self.every[share[0] :: share[1]]}
        self.tests = [g for g in map(self._guard_of, items) if g.targets]
        self.derived = list(_derivations(derivations, self._named)) if derivations else []
        roots = {package.partition(".")[0]} | {_module(item).partition(".")[0] for item in items}
        self.caches = caches(roots)
        self.leaves: dict[tuple[str, str], set[str]] = {}  # (guard, target) → paths that a factor would change
        self.zeros: dict[str, set[str]] = defaultdict(set)  # target → paths seen as 0
        self.noticed: dict[str, str] = {}
        self.crashed: dict[str, list[str]] = defaultdict(list)
        self.proved: set[tuple[str, str]] = set()  # (group, target): this mark is no decoration

    def run(self) -> dict[str, Any]:
        guarded = {name for g in [*self.tests, *self.derived] for name in g.targets}
        unguarded = [t.name for t in self.every if t.name not in guarded]
        at_work = [g for g in self.tests if g.targets & set(self.chosen)]
        for guard in at_work:
            self._baseline(guard)
        broken = [f"{g.name} does not pass unchanged: {g.baseline}" for g in at_work if g.baseline not in FINE]
        unnoticed = [line for t in self.chosen.values() if t.name not in unguarded for line in self._try(t)]
        vacuous = list(self._decorations(at_work))
        again = {name for name in self.noticed.values()}
        for guard in [g for g in [*at_work, *self.derived] if g.name in again]:
            if (outcome := self._run(guard)) != "passed":
                broken.append(f"{guard.name} does not pass any more after the planted errors: {outcome}")
        return {
            "functions": [t.name for t in self.every], "chosen": sorted(self.chosen), "unguarded": unguarded,
            "unnoticed": unnoticed, "vacuous": vacuous, "broken": broken, "noticed": self.noticed,
        }  # fmt: skip

    # The tests and what they name.

    def _guard_of(self, item: pytest.Item) -> Guard:
        named = [f for mark in item.iter_markers("guards") for f in mark.args]
        group = item.nodeid.partition("[")[0]
        return Guard(item.nodeid, group, lambda: self._run_test(item), self._named(named))

    def _named(self, things: Sequence[Any]) -> list[frozenset[str]]:
        """A class names all its targets; a method that several classes inherit names it on each of them."""

        def targets(thing: Any) -> frozenset[str]:
            if isinstance(thing, type):
                return frozenset(t.name for t in self.every if t.owner is thing)
            function = plain_function(thing)
            return frozenset(t.name for t in self.every if t.function is function)

        return [mark for mark in map(targets, things) if mark]

    def _run_test(self, item: pytest.Item) -> str:
        self.seen.clear()
        reports = runtestprotocol(item, log=False, nextitem=None)  # None: fixtures of all scopes are made anew
        if any(r.skipped for r in reports):
            return "skipped"
        if all(r.passed for r in reports):
            return "passed"
        when, error = next(iter(self.seen.items()))
        return "red" if when == "call" and is_assertion(error) else f"{type(error).__name__} in {when}: {error}"[:200]

    def _run(self, guard: Guard) -> str:
        for cache in self.caches:
            cache.cache_clear()
        # a wrong formula can keep a solver from ever converging; where there is a baseline, that is long enough
        try:
            with time_limit(max(LEAST_SECONDS, 5 * guard.seconds) if guard.baseline else 600.0):
                return guard.run()
        except TooSlow as error:  # it rang in pytest's own code, such as between a test's phases
            for session in self.sessions:
                with contextlib.suppress(Exception):
                    session._setupstate.teardown_exact(None)
            return f"TooSlow: {error}"

    # Before any change.

    def _baseline(self, guard: Guard) -> None:
        """Run with every result rebuilt unchanged, noting which numbers of which target the guard lets it see."""
        by_function: dict[int, list[Target]] = defaultdict(list)
        for name in guard.targets & set(self.chosen):
            by_function[id(self.chosen[name].function)].append(self.chosen[name])
            self.leaves[guard.name, name] = set()
        started = time.perf_counter()
        with contextlib.ExitStack() as stack:
            for targets in by_function.values():
                stack.enter_context(patched(targets[0].function, self._recorder(guard, targets)))
            guard.baseline = self._run(guard)
        guard.seconds = time.perf_counter() - started

    def _recorder(self, guard: Guard, targets: list[Target]):
        def handler(original, args, kwargs):
            result = original(*args, **kwargs)
            for target in targets:
                if target.concerns(args):
                    for path, nonzero in paths(result):
                        (self.leaves[guard.name, target.name] if nonzero else self.zeros[target.name]).add(path)
            return mapped(result, unchanged)

        return handler

    # One change at a time.

    def _try(self, target: Target) -> Iterator[str]:
        """Sentences about the numbers of this target whose change nothing notices."""
        guards = sorted((g for g in self.tests if target.name in g.targets), key=lambda g: g.seconds)
        guards = [g for g in guards if g.baseline == "passed"]
        found = {path for g in guards for path in self.leaves[g.name, target.name]}
        for guard in self.derived if not found else ():
            if target.name in guard.targets:
                self._baseline(guard)
                found |= self.leaves[guard.name, target.name] if guard.baseline == "passed" else set()
        wanted = sorted(path for path in found if target.name + path not in self.exempt)
        if not found:
            yield f"{target.name}: no test that names it, and passes, calls it and gets a number"
        for path in sorted(self.zeros[target.name] - found):
            if target.name + path not in self.exempt:
                yield f"{target.name + path} is 0 wherever its guards see it: a factor would not show"
        for path in wanted:
            if not any(self._notices(guard, target, path) for guard in self._candidates(guards, target, path)):
                crashes = "; ".join(self.crashed[target.name + path][:2])
                yield f"{target.name + path} off by 2 %: no test notices" + (
                    f" (crashed: {crashes})" if crashes else ""
                )

    def _candidates(self, guards: list[Guard], target: Target, path: str) -> Iterator[Guard]:
        yield from (g for g in guards if path in self.leaves[g.name, target.name])
        for guard in self.derived:  # slow: only where no test has noticed
            if target.name in guard.targets:
                if not guard.baseline:
                    self._baseline(guard)
                if guard.baseline == "passed" and path in self.leaves.get((guard.name, target.name), ()):
                    yield guard

    def _notices(self, guard: Guard, target: Target, path: str) -> bool:
        key = target.name + path
        change = (turned_by_2_percent if {key, target.name} & self.turn else off_by_2_percent)(path)

        def handler(original, args, kwargs):
            result = original(*args, **kwargs)
            return mapped(result, change) if target.concerns(args) else result

        with patched(target.function, handler):
            outcome = self._run(guard)
        if outcome == "red":
            self.noticed.setdefault(key, guard.name)
            self.proved.add((guard.group, target.name))
        elif outcome != "passed":
            self.crashed[key].append(f"{guard.name}: {outcome}")
        return outcome == "red"

    def _decorations(self, at_work: list[Guard]) -> Iterator[str]:
        """Marks on tests that notice no number of what they name. One that names a class is judged only where all of
        the class is chosen."""
        nodes: dict[tuple[str, frozenset[str]], list[Guard]] = defaultdict(list)
        for guard in sorted(at_work, key=lambda g: g.seconds):
            for mark in guard.marks:
                if mark <= set(self.chosen) and guard.baseline == "passed":
                    nodes[guard.group, mark].append(guard)
        for (group, mark), guards in nodes.items():
            if any((group, name) in self.proved for name in mark):
                continue
            tries = ((g, self.chosen[n], path) for n in sorted(mark) for g in guards
                     for path in sorted(self.leaves[g.name, n]) if n + path not in self.exempt)  # fmt: skip
            if not any(self._notices(*one) for one in tries):
                crashes = "; ".join(c for n in mark for k, all_ in self.crashed.items() if k.startswith(n)
                                    for c in all_ if c.startswith(group))  # fmt: skip
                more = f" (crashed: {crashes[:300]})" if crashes else ""
                yield f"{group} is marked as a guard of {', '.join(sorted(mark))} and notices no change of it{more}"


def _module(item: pytest.Item) -> str:
    return getattr(getattr(item, "module", None), "__name__", "")


class TooSlow(BaseException):
    """Not an Exception, so that no `except Exception` on the way takes it for its own."""


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raises TooSlow inside the block after that time, where there are alarms (not on Windows)."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def ring(*_: object) -> None:
        raise TooSlow(f"longer than {seconds:.0f} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def is_assertion(error: BaseException) -> bool:
    """A failed assert, pytest.fail or pytest.raises: the test's own word. All of them, where there are several."""
    if isinstance(error, BaseExceptionGroup):
        return all(is_assertion(e) for e in error.exceptions)
    return isinstance(error, AssertionError | pytest.fail.Exception)


def _derivations(package: str, named: Callable[[Sequence[Any]], list[frozenset[str]]]) -> Iterator[Guard]:
    from corollary.claims import Derivation

    root, seen = importlib.import_module(package), set()
    for info in pkgutil.walk_packages(root.__path__, package + "."):
        for thing in vars(importlib.import_module(info.name)).values():
            if isinstance(thing, Derivation) and thing.id not in seen:
                seen.add(thing.id)
                yield Guard(thing.id, thing.id, lambda d=thing: _derive(d), named(thing.of))


def _derive(derivation: Any) -> str:
    result = derivation.run()
    if result.holds:
        return "passed"
    told = not all(s.holds for s in result.steps) or (result.agreement is not None and not result.agreement.holds)
    return "red" if told else result.problem
