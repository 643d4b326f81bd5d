"""Laws and samplers of spectra beside freealg, scikit-rmt and the damped fixed point everybody writes.

    make bench-spectra

Each peer runs in its own environment, made from benchmarks/peers/NAME.txt at the first run under .benchmarks/, or any
Python named by COROLLARY_PEER_FREEALG, COROLLARY_PEER_SCIKIT_RMT. Rounds are interleaved. Accuracy of densities is
judged off the clock at 30 digits: Silverstein's equation solved by mpmath; edges by the critical points of z(v).

    density  Marchenko–Pastur over atoms, 2000 points between and around the edges (the fixed point: 200, time × 10)
    GOE, Wishart   all eigenvalues of one 2000 × 2000 draw; scikit-rmt dense and tridiagonal
    Tracy–Widom    F₁, F₂ at 50 points against the Airy determinant with twice the nodes
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from harness import peer_python, spread, write_results

ROUNDS, N = 5, 2000
CASES = {
    "one atom, c = 1/4": ([1.0], [1.0], 0.25),
    "three atoms, c = 0.05": ([1.0, 3.0, 10.0], [0.4, 0.3, 0.3], 0.05),
    "two atoms, c = 2": ([1.0, 4.0], [0.5, 0.5], 2.0),
    "two atoms, c = 1/2": ([1.0, 8.0], [0.5, 0.5], 0.5),
}


# --- the peers: import their own package and NumPy only
def freealg_peer(folder: str) -> None:
    from freealg.distributions import DeformedMarchenkoPastur  # pyright: ignore[reportMissingImports]

    out = {}
    for k, (t, w, c) in enumerate(CASES.values()):
        x = np.load(os.path.join(folder, f"x{k}.npy"))
        for eta in (1e-3, 1e-10):
            law = DeformedMarchenkoPastur(t, w, c)
            begun = time.perf_counter()
            rho = np.asarray(law.density(x, eta=eta))
            seconds = time.perf_counter() - begun
            np.save(os.path.join(folder, f"freealg-{k}-{eta:g}.npy"), rho)
            out[f"{k} {eta:g}"] = seconds
        out[f"{k} edges"] = [[float(a), float(b)] for a, b in DeformedMarchenkoPastur(t, w, c).support()]
    Path(folder, "freealg.json").write_text(json.dumps(out))


def scikit_rmt_peer(folder: str) -> None:
    from skrmt.ensemble import GaussianEnsemble, WishartEnsemble  # pyright: ignore[reportMissingImports]
    from skrmt.ensemble.spectral_law import TracyWidomDistribution  # pyright: ignore[reportMissingImports]

    out = {}
    for tri in (False, True):
        begun = time.perf_counter()
        GaussianEnsemble(beta=1, n=N, tridiagonal_form=tri).eigvals()
        out[f"GOE {tri}"] = time.perf_counter() - begun
        begun = time.perf_counter()
        WishartEnsemble(beta=1, p=N, n=2 * N, tridiagonal_form=tri).eigvals()
        out[f"Wishart {tri}"] = time.perf_counter() - begun
    s = np.load(os.path.join(folder, "s.npy"))
    for beta in (1, 2):
        begun = time.perf_counter()
        table = np.asarray(TracyWidomDistribution(beta=beta).cdf(s))
        out[f"TW{beta}"] = time.perf_counter() - begun
        np.save(os.path.join(folder, f"tw{beta}.npy"), table)
    Path(folder, "scikit_rmt.json").write_text(json.dumps(out))


# --- our side and the reference
def fixed_point(t: list[float], w: list[float], c: float, x: np.ndarray, eta: float = 1e-5) -> np.ndarray:
    """v ← (v + new)/2 at x + iη, to 1e-10 or 20 000 iterations."""
    z, v, T, W = x + 1j * eta, np.full(len(x), 1j), np.array(t), np.array(w)
    for _ in range(20_000):
        new = -1 / (z - c * np.sum(W * T / (1 + T * v[:, None]), axis=1))
        gap, v = np.max(np.abs(new - v)), (v + new) / 2
        if gap < 1e-10:
            break
    return np.imag(v) / np.pi / c


def reference(t: list[float], w: list[float], c: float, x: np.ndarray) -> np.ndarray:
    """The density of p × p at a few points: roots of Silverstein's polynomial at 30 digits, that with Im v > 0."""
    import mpmath as mp

    rho = []
    with mp.workdps(30):
        for point in x:
            z = mp.mpf(float(point))
            # v · Π(1 + t v) · (z + 1/v − c Σ w t/(1 + t v)) as a polynomial in v
            full = [mp.mpf(1)]
            for a in t:
                full = _times(full, [mp.mpf(1), mp.mpf(a)])
            poly = _plus(_times([mp.mpf(0), z], full), full)
            for k, a in enumerate(t):
                rest = [mp.mpf(1)]
                for j, b in enumerate(t):
                    if j != k:
                        rest = _times(rest, [mp.mpf(1), mp.mpf(b)])
                poly = _plus(poly, _times([mp.mpf(0), -mp.mpf(c) * w[k] * a], rest))
            roots = mp.polyroots(poly[::-1], maxsteps=500, extraprec=200)
            height = max(r.imag for r in roots)
            rho.append(float(height / mp.pi / c) if height > mp.mpf(10) ** -15 else 0.0)
    return np.array(rho)


def critical_values(t: list[float], w: list[float], c: float) -> list[float]:
    """z at the real roots of z′(v) = 1/v² − c Σ w t²/(1 + tv)², at 30 digits: every true edge is among them."""
    import mpmath as mp

    with mp.workdps(30):
        squares = [_times([mp.mpf(1), mp.mpf(a)], [mp.mpf(1), mp.mpf(a)]) for a in t]
        poly = [mp.mpf(1)]
        for factor in squares:
            poly = _times(poly, factor)
        for k, a in enumerate(t):
            rest = [mp.mpf(0), mp.mpf(0), -mp.mpf(c) * w[k] * a * a]
            for j, factor in enumerate(squares):
                rest = _times(rest, factor) if j != k else rest
            poly = _plus(poly, rest)
        while not poly[-1]:
            poly.pop()
        real = [r.real for r in mp.polyroots(poly[::-1], maxsteps=500, extraprec=300) if abs(r.imag) < 1e-20]
        return [float(-1 / v + c * mp.fsum(b * a / (1 + a * v) for a, b in zip(t, w, strict=True))) for v in real]


def _times(a: list[Any], b: list[Any]) -> list[Any]:
    out = [a[0] * 0] * (len(a) + len(b) - 1)
    for i, p in enumerate(a):
        for j, q in enumerate(b):
            out[i + j] = out[i + j] + p * q
    return out


def _plus(a: list[Any], b: list[Any]) -> list[Any]:
    return [(a[i] if i < len(a) else 0) + (b[i] if i < len(b) else 0) for i in range(max(len(a), len(b)))]


def airy_reference(s: np.ndarray, beta: int) -> np.ndarray:
    from scipy.special import airy

    out = []
    for point in s:
        t, w = np.polynomial.legendre.leggauss(128)
        length = 18 - point / 2
        x, root = length * (1 + t) / 2, np.sqrt(w * length / 2)
        K = root[:, None] * airy(x[:, None] + x + point)[0] * root
        minus = np.linalg.det(np.eye(128) - K)
        out.append(minus if beta == 1 else minus * np.linalg.det(np.eye(128) + K))
    return np.array(out)


def timed(f: Callable[[], Any]) -> tuple[float, Any]:
    begun = time.perf_counter()
    value = f()
    return time.perf_counter() - begun, value


def ours(folder: str) -> dict[str, Any]:
    from corollary.sims.spectra import tridiagonal
    from corollary.theory import spectra

    out: dict[str, Any] = {}
    for k, (t, w, c) in enumerate(CASES.values()):
        x = np.load(os.path.join(folder, f"x{k}.npy"))
        out[f"{k}"] = timed(lambda t=t, w=w, c=c, x=x: spectra.marchenko_pastur(c, spectra.atoms(t, w)).pdf(x))
        out[f"{k} fixed"] = timed(lambda t=t, w=w, c=c, x=x: fixed_point(t, w, c, x[::10]))
    rng = np.random.default_rng()
    out["GOE"] = timed(lambda: tridiagonal.spectrum(*tridiagonal.gaussian_tridiagonal(N, 1, rng)))
    out["Wishart"] = timed(lambda: tridiagonal.spectrum(*tridiagonal.wishart_tridiagonal(N, 2 * N, 1, rng)))
    s = np.load(os.path.join(folder, "s.npy"))
    for beta in (1, 2):
        out[f"TW{beta}"] = timed(lambda beta=beta: spectra.tracy_widom(beta).cdf(s))
    return out


def main() -> None:
    from corollary.theory import spectra

    peers = {name: python for name in ("freealg", "scikit_rmt") if (python := peer_python(name))}
    mine: list[dict[str, Any]] = []
    theirs: dict[str, list[dict[str, Any]]] = {name: [] for name in peers}
    with tempfile.TemporaryDirectory() as folder:
        np.save(os.path.join(folder, "s.npy"), np.linspace(-6, 4, 50))
        laws = {name: spectra.marchenko_pastur(c, spectra.atoms(t, w)) for name, (t, w, c) in CASES.items()}
        for k, law in enumerate(laws.values()):
            low, high = law.support()[0][0], law.support()[-1][1]
            np.save(os.path.join(folder, f"x{k}.npy"), np.linspace(0.9 * low, 1.05 * high, 2000))
        for turn in range(ROUNDS):
            mine.append(ours(folder))
            for name, python in peers.items():
                subprocess.run([python, __file__, "--peer", name, folder], check=True)
                theirs[name].append(json.loads(Path(folder, f"{name}.json").read_text()))
            print(f"round {turn + 1} of {ROUNDS}", flush=True)
        report(laws, mine, theirs, folder)


def report(laws: dict[str, Any], mine: list[dict], theirs: dict[str, list[dict]], folder: str) -> None:
    lines = [
        "# Laws and samplers of spectra (written by benchmarks/spectra.py)", "",
        f"Median (lowest to highest) of {ROUNDS} interleaved rounds, seconds. Errors: largest absolute error of the",
        "density at 60 of the points, against 30 digits; edges: largest error, or the wrong number of bands.", "",
        "| density of | method | s for 2000 points | error | edges | times ours |", "|---|---|---|---|---|---|",
    ]  # fmt: skip
    for k, (name, law) in enumerate(laws.items()):
        t, w, c = CASES[name]
        x = np.load(os.path.join(folder, f"x{k}.npy"))
        at = np.arange(10, 2000, 330 // 10 * 10)[:60]
        exact = reference(t, w, c, x[at])
        base = [m[f"{k}"][0] for m in mine]
        edges = np.array(law.support())
        known = critical_values(t, w, c)
        own = max(min(abs(e - z) for z in known) for e in edges.ravel())
        rows = [("ours", base, mine[-1][f"{k}"][1][at], f"{own:.1e}")]
        slow = [10 * m[f"{k} fixed"][0] for m in mine]
        rows.append(
            ("fixed point, η = 1e-5 (200 points timed, × 10)", slow, mine[-1][f"{k} fixed"][1][at // 10], "none")
        )
        for eta in (1e-3, 1e-10) if "freealg" in theirs else ():
            found = np.array(theirs["freealg"][-1][f"{k} edges"])
            wrong = f"{len(found)} bands for {len(edges)}"
            miss = f"{np.max(np.abs(found - edges)):.1e}" if found.shape == edges.shape else wrong
            rho = np.load(os.path.join(folder, f"freealg-{k}-{eta:g}.npy"))[at]
            rows.append((f"freealg, η = {eta:g}", [p[f"{k} {eta:g}"] for p in theirs["freealg"]], rho, miss))
        for method, seconds, rho, miss in rows:
            ratio = [a / b for a, b in zip(seconds, base, strict=True)]
            error = np.max(np.abs(rho - exact))
            lines.append(f"| {name} | {method} | {spread(seconds)} | {error:.1e} | {miss} | {spread(ratio)} |")
    lines += ["", "| eigenvalues of one draw | ours, s | scikit-rmt dense | times | tridiagonal | times |"]
    lines += ["|---|---|---|---|---|---|"]
    rmt = theirs.get("scikit_rmt", [])
    for name in ("GOE", "Wishart") if rmt else ():
        base = [m[name][0] for m in mine]
        cells = []
        for tri in (False, True):
            seconds = [p[f"{name} {tri}"] for p in rmt]
            cells += [spread(seconds), spread([a / b for a, b in zip(seconds, base, strict=True)])]
        lines.append(f"| {name} {N} × {N if name == 'GOE' else 2 * N} | {spread(base)} | " + " | ".join(cells) + " |")
    lines += ["", "| Tracy–Widom, 50 points | ours, s | error | scikit-rmt, s | error |", "|---|---|---|---|---|"]
    s = np.load(os.path.join(folder, "s.npy"))
    for beta in (1, 2):
        exact = airy_reference(s, beta)
        error = np.max(np.abs(mine[-1][f"TW{beta}"][1] - exact))
        cells = ["–", "–"]
        if rmt:
            other = np.load(os.path.join(folder, f"tw{beta}.npy"))
            cells = [spread([p[f"TW{beta}"] for p in rmt]), f"{np.max(np.abs(other - exact)):.1e}"]
        cells = [f"β = {beta}", spread([m[f"TW{beta}"][0] for m in mine]), f"{error:.1e}", *cells]
        lines.append("| " + " | ".join(cells) + " |")
    rounds = {"ours": [{key: value[0] for key, value in m.items()} for m in mine], **theirs}
    threads = {"BLAS threads": os.environ.get("OPENBLAS_NUM_THREADS", "default")}
    write_results("spectra", lines, list(theirs), threads, rounds=rounds)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--peer"]:
        {"freealg": freealg_peer, "scikit_rmt": scikit_rmt_peer}[sys.argv[2]](sys.argv[3])
    else:
        main()
