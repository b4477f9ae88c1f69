"""Writes testdata/kernel-vectors.json and .bin: what the aggregation kernel must answer, worked out by NumPy.

    python3 -m venv .venv && .venv/bin/pip install numpy==2.4.6
    .venv/bin/python test/conformance/kernel/make_vectors.py

Independent of the kernels: the sum is formed in float64 and decomposed by LAPACK; completion and signs follow
docs/internals/kernel-maths.md. Every matrix in the .bin file is row-major and little-endian; the .json file says where.
"""

import json
import pathlib
import struct

import numpy as np

FOLDER = pathlib.Path(__file__).parent / "testdata"
MASK = (1 << 64) - 1
DRAWS_MAX = 8


def split_mix_64(state):
    """Yields the generator's 64-bit numbers from a state."""
    while True:
        state = (state + 0x9E3779B97F4A7C15) & MASK
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        yield z ^ (z >> 31)


def completion_draw(seed, row, length):
    bits = struct.unpack("<Q", struct.pack("<d", float(seed)))[0]
    base = next(split_mix_64(bits ^ ((row * DRAWS_MAX * 0xD1B54A32D192ED03) & MASK)))
    stream = split_mix_64(base)
    return np.array([(next(stream) >> 11) * 2.0**-52 - 1.0 for _ in range(length)])


def complete(rows, count, length, seed):
    """Orthonormal rows after `rows`; the projection is taken at once here, row by row in the kernels."""
    rows = np.array(rows).reshape(-1, length)
    while len(rows) < count:
        row = completion_draw(seed, len(rows), length)
        for _ in range(3):
            row = row - rows.T @ (rows @ row)
        rows = np.vstack([rows, row / np.linalg.norm(row)])
    return rows


def canonical_signs(v):
    first = [np.argmax(np.abs(row) >= np.abs(row).max() * (1 - 1e-6)) for row in v]
    return np.array([1.0 if row[j] > 0 else -1.0 for row, j in zip(v, first)])


def encode(values, dtype):
    """The bytes of a matrix in a type, and the float64 matrix that they stand for."""
    if dtype == "F32":
        kept = values.astype("<f4")
        return kept.tobytes(), kept.astype(np.float64)
    if dtype == "F16":
        kept = values.astype("<f2")
        return kept.tobytes(), kept.astype(np.float64)
    upper = (values.astype("<f4").view("<u4") >> 16).astype("<u2")
    return upper.tobytes(), (upper.astype("<u4") << 16).view("<f4").astype(np.float64)


class Blob:
    def __init__(self):
        self.bytes = bytearray()

    def put(self, data):
        place = {"offset": len(self.bytes), "length": len(data)}
        self.bytes += data
        self.bytes += bytes(-len(self.bytes) % 8)
        return place


def make_case(blob, random, name, shape, terms, rank, ranks_checked):
    out, cols = shape
    total = np.zeros(shape)
    described = []
    for k, (term_rank, coefficient, dtype, scale) in enumerate(terms):
        b_bytes, b = encode(random.standard_normal((out, term_rank)) * scale, dtype)
        a_bytes, a = encode(random.standard_normal((term_rank, cols)) / np.sqrt(cols), dtype)
        total += coefficient * (b @ a)
        described.append(
            {
                "label": f"agent-{k + 1}",
                "coefficient": coefficient,
                "rank": term_rank,
                "dtype": dtype,
                "b": blob.put(b_bytes),
                "a": blob.put(a_bytes),
            }
        )
    u, s, vt = np.linalg.svd(total, full_matrices=False)
    p = min(rank, out, cols)
    present = int(np.sum(s[:p] > 1e-12 * max(s[0], 1e-300)))
    s[present:] = 0
    seed = 1000 + len(name)
    v = complete(vt[:present], p, cols, seed)
    v = v * canonical_signs(v)[:, None]
    best = [{"rank": r, "w": blob.put(((u[:, :r] * s[:r]) @ vt[:r]).astype("<f8").tobytes())} for r in ranks_checked]
    return {
        "name": name,
        "out": out,
        "in": cols,
        "rank": rank,
        "completionSeed": seed,
        "terms": described,
        "singularValues": [float(x) for x in s[:p]],
        "energyTotal": float(np.sum(total * total)),
        "v": blob.put(v.astype("<f8").tobytes()),
        "best": best,
    }


def main():
    random = np.random.default_rng(20260101)
    blob = Blob()
    plain = [(3, 0.25, "F32", 1.0), (5, 0.75, "F32", 1.0)]
    mixed = [(2, 0.5, "F32", 1.0), (4, 0.3, "F16", 1e-5), (4, 1.2, "F16", 1.0), (3, 0.2, "BF16", 1.0)]
    dense = [(8, 0.5, "F32", 1.0), (9, -0.125, "BF16", 1.0), (6, 2.0, "F16", 1.0)]
    scales = [(4, 1e12, "F32", 1e-20), (4, 1e-12, "F32", 1e4), (3, 0.0, "F32", 1.0)]
    cases = [
        make_case(blob, random, "tall, stacked", (30, 18), plain, 8, [1, 3, 8]),
        make_case(blob, random, "wide, all types, subnormal halves", (16, 28), mixed, 10, [1, 4, 10]),
        make_case(blob, random, "wide, rank sum above the short side", (14, 20), dense, 14, [1, 7, 14]),
        make_case(blob, random, "tall, rank sum above the short side", (26, 12), dense, 9, [2, 9]),
        make_case(blob, random, "coefficients from 1e-12 to 1e12", (20, 20), scales, 4, [1, 4]),
        make_case(blob, random, "rank two of five asked", (12, 10), [(2, 1.0, "F32", 1.0)], 5, [1, 2, 5]),
        make_case(blob, random, "one row", (1, 9), [(1, 0.5, "F32", 1.0), (2, 0.5, "F16", 1.0)], 3, [1]),
        make_case(blob, random, "no terms", (7, 9), [], 6, [6]),
    ]
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "kernel-vectors.json").write_text(json.dumps(cases, indent=1) + "\n")
    (FOLDER / "kernel-vectors.bin").write_bytes(blob.bytes)
    row0 = complete([], 2, 12, 7)
    print("completion of seed 7, length 12:", [float(x) for x in (row0 * canonical_signs(row0)[:, None])[:, 0]])


if __name__ == "__main__":
    main()
