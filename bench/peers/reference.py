"""Every workload in NumPy, by hand: in f64 the reference that peers are checked against, in f32 NumPy's own rows.

`python3 reference.py` checks the derivatives against central differences."""
import math
import os

import numpy as np

import rows

TOLERANCE = 1e-4  # relative L2 error of f32 results
EPOCH_TOLERANCE = 0.02  # of the loss after an epoch: Adam's first steps magnify rounding


def normal_below(x):
    """P(X < x), through erfc of Numerical Recipes' Chebyshev form, 1.2e-7 at most off: NumPy has no erf."""
    t = 1 / (1 + 0.5 * np.abs(x) / math.sqrt(2))
    c = (-1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587, -0.82215223, 0.17087277)
    series = np.full_like(x, c[-1])
    for coefficient in c[-2::-1]:
        series *= t
        series += coefficient
    tail = t * np.exp(series - 0.5 * x * x) / 2  # P(X > |x|)
    return np.where(x < 0, tail, 1 - tail)


def tanh(z):
    h = np.tanh(z, out=z)
    return h, 1 - h * h


def relu(z):
    h = np.maximum(z, 0, out=z)
    return h, (h > 0).astype(h.dtype)


def sigmoid(z):
    h = 1 / (1 + np.exp(-z))
    return h, h * (1 - h)


def gelu(z):
    below = normal_below(z)
    return z * below, below + z * np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)


ACTIVATIONS = {"tanh": tanh, "relu": relu, "sigmoid": sigmoid, "gelu": gelu}  # of z, which they may overwrite: value and slope


class Point:
    """A perceptron with softmax cross-entropy at one point and batch: what its derivatives share is computed once."""

    def __init__(self, parameters, x, labels, activation):
        self.weights, self.biases = parameters[0::2], parameters[1::2]
        self.activation, self.count = activation, len(x)
        self.values, self.slopes = [x], [None]
        for layer, (w, b) in enumerate(zip(self.weights, self.biases)):
            z = self.values[-1] @ w
            z += b
            last = layer == len(self.weights) - 1
            h, slope = (z, None) if last else ACTIVATIONS[activation](z)
            self.values.append(h)
            self.slopes.append(slope)
        self.differentiate_loss(labels)

    def differentiate_loss(self, labels):
        z = self.values[-1]
        shifted = z - z.max(axis=1, keepdims=True)
        p = np.exp(shifted)
        total = p.sum(axis=1, keepdims=True)
        p /= total
        index = np.arange(self.count)
        self.loss = float((np.log(total[:, 0]) - shifted[index, labels]).mean())
        self.probabilities = p
        top = p.copy()
        top[index, labels] -= 1
        top /= self.count
        self.top = top

    def backward(self, top):
        """Gradients from d loss / d z of the last layer, and that of every layer."""
        deltas, grads = [top], []
        for layer in reversed(range(len(self.weights))):
            grads = [self.values[layer].T @ deltas[0], deltas[0].sum(axis=0)] + grads
            if layer > 0:
                deltas.insert(0, (deltas[0] @ self.weights[layer].T) * self.slopes[layer])
        return grads, deltas

    def gradient(self):
        grads, self.deltas = self.backward(self.top)
        return grads

    def forward_tangent(self, v):
        tangents, rz = [None], None
        for layer, (vw, vb) in enumerate(zip(v[0::2], v[1::2])):
            rz = self.values[layer] @ vw + vb
            if layer > 0:
                rz += tangents[layer] @ self.weights[layer]
            last = layer == len(self.weights) - 1
            tangents.append(rz if last else rz * self.slopes[layer + 1])
        return tangents, rz

    def loss_curvature(self, rz):
        p = self.probabilities
        product = p * rz
        return (product - p * product.sum(axis=1, keepdims=True)) / self.count

    def gnvp(self, v):
        _, rz = self.forward_tangent(v)
        return self.backward(self.loss_curvature(rz))[0]

    def hvp(self, v):
        """Pearlmutter 1994, for tanh and relu; gradient() came before."""
        tangents, rz = self.forward_tangent(v)
        r, result = self.loss_curvature(rz), []
        for layer in reversed(range(len(self.weights))):
            weights, delta = self.values[layer].T @ r, self.deltas[layer]
            if layer > 0:
                weights += tangents[layer].T @ delta
            result = [weights, r.sum(axis=0)] + result
            if layer > 0:
                r = self.tangent_below(layer, r, v[2 * layer], tangents[layer])
        return result

    def tangent_below(self, layer, r, vw, tangent):
        h = self.values[layer]
        below = r @ self.weights[layer].T + self.deltas[layer] @ vw.T
        if self.activation == "relu":
            return below * self.slopes[layer]
        back = self.deltas[layer] @ self.weights[layer].T
        return below * self.slopes[layer] - 2 * h * back * tangent


class Adam:
    def __init__(self, parameters):
        self.m = [np.zeros_like(p) for p in parameters]
        self.v = [np.zeros_like(p) for p in parameters]
        self.t = 0

    def step(self, parameters, grads):
        self.t += 1
        b1, b2 = rows.ADAM["betas"]
        rate = rows.ADAM["lr"] / (1 - b1 ** self.t)
        correction = math.sqrt(1 - b2 ** self.t)
        for p, g, m, v in zip(parameters, grads, self.m, self.v):
            m += (1 - b1) * (g - m)
            v *= b2
            v += (1 - b2) * g * g
            p -= rate * m / (np.sqrt(v) / correction + rows.ADAM["eps"])


def sgd(parameters, grads):
    for p, g in zip(parameters, grads):
        p -= rows.LEARNING_RATE * g


def sgd_into(p, g, scratch):
    """The same without new memory."""
    np.multiply(g, rows.LEARNING_RATE, out=scratch)
    np.subtract(p, scratch, out=p)


def wide(arrays):
    return [a.astype(np.float64) for a in arrays]


def expected(row):
    """What a peer's `result` of this row must be close to: a list of arrays."""
    return {"matmul": matmul, "step": step, "grad": derivative, "hvp": derivative, "gnvp": derivative,
            "update": update, "map": mapped, "reduce": reduced, "epoch": epoch}[row.kind](row)


def matmul(row):
    a, b = wide(rows.matrices(row))
    return [(a.T if row.layout == "tn" else a) @ (b.T if row.layout == "nt" else b)]


def step(row):
    parameters, x, labels = rows.batch(row)
    parameters, x = wide(parameters), x.astype(np.float64)
    for _ in range(rows.CHECKED_STEPS):
        sgd(parameters, Point(parameters, x, labels, row.activation).gradient())
    return parameters


def derivative(row):
    parameters, x, labels = rows.batch(row)
    point = Point(wide(parameters), x.astype(np.float64), labels, row.activation)
    gradient = point.gradient()
    if row.kind == "grad":
        return gradient
    return getattr(point, row.kind)(wide(rows.direction(row)))


def update(row):
    p, g = wide(rows.update_inputs(row))
    adam = Adam([p])
    for _ in range(rows.CHECKED_STEPS):
        sgd([p], [g]) if row.rule == "sgd" else adam.step([p], [g])
    return [p]


def mapped(row):
    return [gelu(rows.values(row).astype(np.float64))[0] * rows.SCALE + rows.SHIFT]


def reduced(row):
    return [np.array(rows.values(row).sum(dtype=np.float64))]


def epoch(row):
    """The driver's folder keeps the loss, which takes a second, for the peers that come after."""
    path = os.path.join(os.environ.get("PEERS_SCRATCH", ""), row.id + ".npy")
    if "PEERS_SCRATCH" in os.environ and os.path.exists(path):
        return [np.load(path)]
    loss = epoch_loss(row)
    if "PEERS_SCRATCH" in os.environ:
        np.save(path, loss)
    return [loss]


def epoch_loss(row):
    parameters, x, labels, order = rows.epoch_inputs(row)
    parameters = wide(parameters)
    train_epoch(row, parameters, Adam(parameters), x.astype(np.float64), labels, order)
    return np.array(checked_loss(row, parameters, x, labels))


def train_epoch(row, parameters, adam, x, labels, order):
    for start in range(0, len(order), row.batch):
        index = order[start:start + row.batch]
        adam.step(parameters, Point(parameters, x[index], labels[index], row.activation).gradient())


def checked_loss(row, parameters, x, labels):
    n = rows.EPOCH_CHECKED
    return Point(wide(parameters), x[:n].astype(np.float64), labels[:n], row.activation).loss


def error(actual, wanted):
    """Relative L2 distance of two lists of arrays."""
    if len(actual) != len(wanted) or any(np.shape(a) != np.shape(w) for a, w in zip(actual, wanted)):
        return math.inf
    distance = sum(float(np.sum((np.asarray(a, np.float64) - w) ** 2)) for a, w in zip(actual, wanted))
    return math.sqrt(distance / sum(float(np.sum(w ** 2)) for w in wanted))


def moved(row, wanted):
    """What is compared: of steps and updates the way parameters went, which a peer that does nothing has not gone."""
    if row.kind == "step":
        start = rows.batch(row)[0]
    elif row.kind == "update":
        start = rows.update_inputs(row)[:1]
    else:
        return wanted
    return [np.asarray(w, np.float64) - s for w, s in zip(wanted, start)]


def tolerance(row):
    # f32 parameters near 1 keep three small updates to few digits only.
    return {"epoch": EPOCH_TOLERANCE, "update": 1e-3, "step": 2e-3}.get(row.kind, TOLERANCE)


def self_test():
    row = rows.parse("hvp.kept.mlp-7-6-5-4.b9")
    for activation in ACTIVATIONS:
        parameters, x, labels = rows.batch(row)
        parameters, v = wide(parameters), wide(rows.direction(row))

        def at(t):
            return Point([p + t * d for p, d in zip(parameters, v)], x.astype(np.float64), labels, activation)
        h, here = 1e-5, at(0)
        gradient = here.gradient()
        slope = sum(float(np.sum(g * d)) for g, d in zip(gradient, v))
        assert abs((at(h).loss - at(-h).loss) / (2 * h) - slope) < (1e-4 if activation == "gelu" else 1e-7) * abs(slope), activation
        if activation not in ("tanh", "relu"):
            continue
        difference = [(a - b) / (2 * h) for a, b in zip(at(h).gradient(), at(-h).gradient())]
        assert error(here.hvp(v), difference) < 1e-7
        assert error(here.gnvp(v), difference) > 1e-3  # not the Hessian: the check can fail
    print("reference: gradient and Hessian-vector product agree with central differences")


if __name__ == "__main__":
    self_test()
