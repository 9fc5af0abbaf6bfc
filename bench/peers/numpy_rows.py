"""NumPy: derivatives by hand (reference.py in f32), matrix products through the BLAS it was built with."""
import numpy as np

import reference
import rows
import worker
from worker import Mode


def matmul(row):
    a, b = rows.matrices(row)
    a, b = (a.T if row.layout == "tn" else a), (b.T if row.layout == "nt" else b)
    out = np.empty((row.m, row.n), np.float32)
    return Mode(lambda: np.matmul(a, b, out=out), lambda: [a @ b])


def step(row):
    parameters, x, labels = rows.batch(row)

    def run():
        reference.sgd(parameters, reference.Point(parameters, x, labels, row.activation).gradient())

    def result():
        for _ in range(rows.CHECKED_STEPS):
            run()
        return parameters
    return Mode(run, result)


def gradient(row):
    parameters, x, labels = rows.batch(row)

    def run():
        return reference.Point(parameters, x, labels, row.activation).gradient()
    return Mode(run, run)


def curvature(row):
    parameters, x, labels = rows.batch(row)
    v = rows.direction(row)
    point = reference.Point(parameters, x, labels, row.activation)
    point.gradient()
    product = getattr(point, row.kind)
    return Mode(lambda: product(v), lambda: product(v))


def update(row):
    p, g = rows.update_inputs(row)
    adam, scratch = reference.Adam([p]), np.zeros_like(p)

    def run():
        if row.rule == "sgd":
            reference.sgd_into(p, g, scratch)
        else:
            adam.step([p], [g])

    def result():
        for _ in range(rows.CHECKED_STEPS):
            run()
        return [p]
    return Mode(run, result)


def reduction(row):
    x = rows.values(row)
    return Mode(x.sum, lambda: [x.sum()])


def epoch(row):
    parameters, x, labels, order = rows.epoch_inputs(row)
    adam, rng = reference.Adam(parameters), rows.generator()

    def result():
        reference.train_epoch(row, parameters, adam, x, labels, order)
        return [np.array(reference.checked_loss(row, parameters, x, labels))]
    return Mode(lambda: reference.train_epoch(row, parameters, adam, x, labels, rng.permutation(len(x))), result)


def modes(row):
    table = {"matmul": matmul, "step": step, "grad": gradient, "hvp": curvature, "gnvp": curvature,
             "update": update, "reduce": reduction, "epoch": epoch}
    if row.kind in table:
        name = "matmul" if row.kind == "matmul" else "sum" if row.kind == "reduce" else "by-hand"
        yield name, lambda: table[row.kind](row)


def main():
    np.zeros((2, 2)) @ np.zeros((2, 2))
    path, core = worker.blas_library()
    worker.serve("NumPy", dict(version=np.__version__, threads=worker.threads(), core=core or "?", blas=path, device="cpu"), modes)


if __name__ == "__main__":
    main()
