"""tinygrad on OpenCL (DEV=CL), every run one TinyJit; PEERS_BEAM=N searches kernels with that beam, which takes minutes.

It differentiates backwards only, so Hessian-vector products differentiate the gradient, and nothing of a point is kept."""
import os

os.environ.setdefault("DEV", "CL")
os.environ.setdefault("GPU", "1")  # its name before 0.12
os.environ["BEAM"] = os.environ.get("PEERS_BEAM", "0")

import numpy as np

import reference
import rows
import worker
from worker import Mode

try:
    from tinygrad import Device, Tensor, TinyJit
    import tinygrad
except Exception as problem:
    worker.missing("tinygrad", "tinygrad", problem)


def tensor(array):
    return Tensor(np.ascontiguousarray(array)).realize()


def tensors(arrays):
    return [tensor(a) for a in arrays]


def arrays(results):
    return [r.numpy() for r in results]


def wait():
    Device[Device.DEFAULT].synchronize()


def jitted(function, *arguments, read=arrays, repetitions=3):
    """A run is one call; TinyJit records its second call and replays from the third on."""
    call, last = TinyJit(function), [None]

    def run():
        last[0] = call(*arguments)

    def result():
        for _ in range(repetitions):
            run()
        return read(last[0])
    return Mode(run, result, wait)


def gelu(x):
    """Its own is the tanh form."""
    return 0.5 * x * (1 + (x / 2 ** 0.5).erf())


def logits(parameters, x, activation):
    last = len(parameters) - 2
    for i in range(0, len(parameters), 2):
        x = x.matmul(parameters[i]) + parameters[i + 1]
        if i < last:
            x = gelu(x) if activation == "gelu" else getattr(x, activation)()
    return x


def loss_at(row, parameters, x, labels):
    return logits(parameters, x, row.activation).sparse_categorical_crossentropy(labels)


def point(row):
    parameters, x, labels = rows.batch(row)
    return tensors(parameters), tensor(x), tensor(labels.astype(np.int32))


def realized(*results):
    Tensor.realize(*results)
    return results


def step(row):
    parameters, x, labels = point(row)

    def train(x, labels):
        grads = loss_at(row, parameters, x, labels).gradient(*parameters)
        return realized(*(p.assign(p - rows.LEARNING_RATE * g) for p, g in zip(parameters, grads)))
    return jitted(train, x, labels, read=lambda _: arrays(parameters), repetitions=rows.CHECKED_STEPS)


def gradient(row):
    parameters, x, labels = point(row)
    return jitted(lambda x, labels: realized(*loss_at(row, parameters, x, labels).gradient(*parameters)), x, labels)


def hvp(row):
    parameters, x, labels = point(row)
    v = tensors(rows.direction(row))

    def product(x, labels):
        grads = loss_at(row, parameters, x, labels).gradient(*parameters)
        slope = sum((g * d).sum() for g, d in zip(grads, v))
        return realized(*slope.gradient(*parameters))
    return jitted(product, x, labels)


def matmul(row):
    a, b = tensors(rows.matrices(row))

    def multiply(a, b):
        return realized((a.T if row.layout == "tn" else a).matmul(b.T if row.layout == "nt" else b))
    return jitted(multiply, a, b)


def adam(parameters, m, v, t, grads):
    b1, b2 = rows.ADAM["betas"]
    t.assign(t + 1)
    rate, correction = rows.ADAM["lr"] / (1 - b1 ** t), (1 - b2 ** t).sqrt()
    for p, g, a, b in zip(parameters, grads, m, v):
        a.assign(b1 * a + (1 - b1) * g)
        b.assign(b2 * b + (1 - b2) * g * g)
        p.assign(p - rate * a / (b.sqrt() / correction + rows.ADAM["eps"]))
    return realized(t, *parameters, *m, *v)


def adam_state(parameters):
    zeros = [[Tensor.zeros(*p.shape).contiguous().realize() for p in parameters] for _ in range(2)]
    return (*zeros, Tensor([0.0]).contiguous().realize())


def update(row):
    p, g = tensors(rows.update_inputs(row))
    if row.rule == "sgd":
        return jitted(lambda g: realized(p.assign(p - rows.LEARNING_RATE * g)), g, read=lambda _: arrays([p]))
    m, v, t = adam_state([p])
    return jitted(lambda g: adam([p], m, v, t, [g]), g, read=lambda _: arrays([p]))


def mapped(row):
    x = tensor(rows.values(row))

    def chain(x):
        return realized(gelu(x) * rows.SCALE + rows.SHIFT)
    return jitted(chain, x)


def reduction(row):
    return jitted(lambda x: realized(x.sum()), tensor(rows.values(row)))


def epoch(row):
    """Batches of one size: the ragged last one is a recording of its own."""
    parameters, x, labels, order = rows.epoch_inputs(row)
    held, x_, labels_ = tensors(parameters), tensor(x), tensor(labels.astype(np.int32))
    m, v, t = adam_state(held)
    rng, steps = rows.generator(), {}

    def train(index):
        grads = loss_at(row, held, x_[index], labels_[index]).gradient(*held)
        return adam(held, m, v, t, grads)

    def over(order):
        for start in range(0, len(order), row.batch):
            index = order[start:start + row.batch].astype(np.int32)
            steps.setdefault(len(index), TinyJit(train))(tensor(index))

    def result():
        over(order)
        return [np.array(reference.checked_loss(row, arrays(held), x, labels))]
    return Mode(lambda: over(rng.permutation(len(order))), result, wait)


def modes(row):
    table = {"matmul": matmul, "step": step, "grad": gradient, "hvp": hvp, "update": update, "map": mapped,
             "reduce": reduction, "epoch": epoch}
    if row.kind in table:
        yield "scratch" if row.kind == "hvp" else "TinyJit", lambda: table[row.kind](row)


def main():
    version = getattr(tinygrad, "__version__", None)
    if version is None:
        from importlib.metadata import version as installed
        version = installed("tinygrad")
    beam = os.environ["BEAM"]
    try:
        device = getattr(Device[Device.DEFAULT], "device_name", Device.DEFAULT)
    except Exception as problem:
        worker.missing("tinygrad", "tinygrad", "no OpenCL device: %s" % problem)
    worker.serve("tinygrad", dict(version=version, threads=worker.threads(), core="own kernels, %s, BEAM=%s" % (Device.DEFAULT, beam), device=device), modes)


if __name__ == "__main__":
    main()
