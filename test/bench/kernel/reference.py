"""What the published FlexLoRA code does, timed, and how far another answer is from the best one. Needs numpy.

usage: reference.py FOLDER        time the reference on the factors of FOLDER/manifest.json
       reference.py --peak        the rate of numpy's float32 matrix product

The reference: every client's dense product B·A, scaled and added in float32, then a full SVD of which the first components are kept.
Where the manifest has an answer (U, S, V as files), its error against the sum of this run is compared, in float64, with the smallest error
that any matrix of the rank has. One JSON document on standard output.
"""

import json
import pathlib
import sys
import time

import numpy as np

# Components beyond the last rank that make the subspace in which the largest singular values are worked out in float64.
SPARE = 16
# Beyond it a case is not timed again.
SECONDS_MAX = 20
ROWS_AT_ONCE = 1024


def main():
    if sys.argv[1] == "--peak":
        return {"operations_per_second": product_rate()}
    folder = pathlib.Path(sys.argv[1])
    manifest = json.loads((folder / "manifest.json").read_text())
    rows, columns = manifest["out"], manifest["in"]
    clients = [read_client(folder, c, rows, columns) for c in manifest["clients"]]

    rank, form, decompose = manifest["rank"], [], []
    while len(form) < manifest["repeats"] and (not form or sum(form) + sum(decompose) < SECONDS_MAX):
        start = time.perf_counter()
        w = 0
        for b, a, coefficient in clients:
            w = w + (b @ a) * coefficient
        formed = time.perf_counter()
        u, s, vt = np.linalg.svd(w, full_matrices=False)
        u[:, :rank], s[:rank], vt[:rank]
        form.append(formed - start)
        decompose.append(time.perf_counter() - formed)

    times = {"form_seconds": form, "svd_seconds": decompose}
    return times if manifest["answer"] is None else {**times, **compare(folder, manifest, w, u[:, :rank + SPARE])}


def read_client(folder, client, rows, columns):
    """In memory before the clock starts, as the kernel's are."""
    def factor(at, shape):
        return np.array(np.memmap(folder / "factors.f32", np.float32, "r", at, shape))

    r = client["rank"]
    return factor(client["b_at"], (rows, r)), factor(client["a_at"], (r, columns)), np.float32(client["coefficient"])


def compare(folder, manifest, w32, u_reference):
    """Relative errors of the answer and of the best approximation, at every rank asked for."""
    w, rank = w32.astype(np.float64), manifest["rank"]
    energy = float((w**2).sum())
    # Singular values from a float32 subspace by Rayleigh and Ritz in float64: their error is of second order in that of the subspace.
    q, _ = np.linalg.qr(u_reference.astype(np.float64))
    best = np.linalg.svd(q.T @ w, compute_uv=False) ** 2

    def read(name, dtype, shape):
        return np.fromfile(folder / manifest["answer"][name], dtype).reshape(shape).astype(np.float64)

    found = min(rank, *w.shape)
    u, v = read("u", np.float32, (found, -1)), read("v", np.float32, (found, -1))
    us = u * read("s", np.float64, (found, 1))
    errors, done = [], 0
    for r in manifest["compare_at"]:
        for i in range(0, w.shape[0], ROWS_AT_ONCE):
            w[i:i + ROWS_AT_ONCE] -= us[done:r, i:i + ROWS_AT_ONCE].T @ v[done:r]
        done = r
        optimal = max(0.0, energy - float(best[:r].sum()))
        errors.append({
            "rank": r,
            "relative_error": float(np.sqrt((w**2).sum() / energy)),
            "optimal_relative_error": float(np.sqrt(optimal / energy)),
        })
    return {"errors": errors}


def product_rate(side=2048, trials=5):
    x = np.random.default_rng(1).standard_normal((side, side), np.float32)
    product, fastest = np.empty_like(x), float("inf")
    for _ in range(trials):
        start = time.perf_counter()
        np.matmul(x, x, out=product)
        fastest = min(fastest, time.perf_counter() - start)
    return 2 * side**3 / fastest


print(json.dumps(main()))
