"""What a row id of `clgrad bench` asks for, and its inputs: the same numbers for every peer."""
import re
from dataclasses import dataclass

import numpy as np

MEGA = 1 << 20
LEARNING_RATE = 1e-2
ADAM = dict(lr=1e-3, betas=(0.9, 0.999), eps=1e-8)
SCALE, SHIFT = 1.5, 0.25  # of map.gelu-scale-add
CHECKED_STEPS = 3  # steps and updates are compared with the reference after this many
EPOCH_SAMPLES, EPOCH_CHECKED = 60000, 1024

PATTERNS = (
    r"(?P<kind>matmul)\.f32\.(?P<layout>nn|tn|nt)\.(?P<m>\d+)x(?P<n>\d+)x(?P<k>\d+)",
    r"(?P<kind>step)\.sgd\.mlp-(?P<sizes>[\d-]+)(?:\.(?P<activation>gelu|sigmoid|tanh))?\.b(?P<batch>\d+)",
    r"(?P<kind>grad|hvp|gnvp)(?:\.kept)?\.mlp-(?P<sizes>[\d-]+)(?:\.(?P<activation>gelu|sigmoid|relu))?\.b(?P<batch>\d+)",
    r"(?P<kind>update)\.(?P<rule>sgd|adam)\.f32\.(?P<n>\d+)M",
    r"(?P<kind>map)\.gelu-scale-add\.(?P<n>\d+)M",
    r"(?P<kind>reduce)\.sum\.(?P<n>\d+)M",
    r"(?P<kind>epoch)\.mnist\.mlp-(?P<sizes>[\d-]+)\.adam\.b(?P<batch>\d+)",
)


@dataclass(frozen=True)
class Row:
    id: str
    kind: str
    layout: str = ""
    m: int = 0
    n: int = 0  # columns, or elements
    k: int = 0
    sizes: tuple = ()
    batch: int = 0
    rule: str = ""
    activation: str = ""


def parse(id):
    """The row of an id, or None where no peer has anything to run for it (roofs, clgrad's own formats)."""
    for pattern in PATTERNS:
        match = re.fullmatch(pattern, id)
        if match:
            return row_of(id, match.groupdict())
    return None


def row_of(id, fields):
    kind = fields.pop("kind")
    if "sizes" in fields:
        fields["activation"] = fields.get("activation") or ("relu" if kind in ("step", "epoch") else "tanh")
        fields["sizes"] = tuple(int(s) for s in fields["sizes"].split("-"))
    for name in ("m", "n", "k", "batch"):
        if name in fields:
            fields[name] = int(fields[name])
    if kind in ("update", "map", "reduce"):
        fields["n"] *= MEGA
    return Row(id=id, kind=kind, **fields)


def generator():
    return np.random.default_rng(20)


def matrices(row):
    """a and b as they lie in memory: a is k x m in `tn`, b is n x k in `nt`."""
    rng = generator()
    a = (row.k, row.m) if row.layout == "tn" else (row.m, row.k)
    b = (row.n, row.k) if row.layout == "nt" else (row.k, row.n)
    return uniform(rng, a, -1), uniform(rng, b, -1)


def uniform(rng, shape, low=0.0, high=1.0):
    values = rng.random(shape, dtype=np.float32)
    values *= high - low
    values += low
    return values


def parameters(row, rng=None):
    """[weights (in x out), bias, ...] of a multi-layer perceptron."""
    rng = rng or generator()
    arrays = []
    for inputs, outputs in zip(row.sizes, row.sizes[1:]):
        bound = inputs ** -0.5
        arrays += [uniform(rng, (inputs, outputs), -bound, bound), uniform(rng, (outputs,), -bound, bound)]
    return arrays


def batch(row):
    """(parameters, x, labels) of a step or a derivative."""
    rng = generator()
    arrays = parameters(row, rng)
    x = uniform(rng, (row.batch, row.sizes[0]))
    return arrays, x, rng.integers(0, row.sizes[-1], row.batch)


def direction(row):
    rng = np.random.default_rng(21)
    return [rng.standard_normal(p.shape, dtype=np.float32) for p in parameters(row)]


def update_inputs(row):
    rng = generator()
    return uniform(rng, row.n, -1), uniform(rng, row.n, -1)


def values(row):
    return uniform(generator(), row.n, -3 if row.kind == "map" else 0, 3 if row.kind == "map" else 1)


def epoch_inputs(row):
    """(parameters, x, labels, order): data of MNIST's size whose labels a linear teacher gave, and one shuffle."""
    rng = generator()
    arrays = parameters(row, rng)
    x = uniform(rng, (EPOCH_SAMPLES, row.sizes[0]))
    teacher = rng.standard_normal((row.sizes[0], row.sizes[-1]), dtype=np.float32)
    labels = np.argmax((x - 0.5) @ teacher, axis=1)
    return arrays, x, labels, rng.permutation(EPOCH_SAMPLES)
