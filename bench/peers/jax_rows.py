"""JAX: everything under jit, parameters donated; steps also as one scan over many."""
import os

import numpy as np

import reference
import rows
import worker
from worker import Mode

try:
    import jax
except Exception as problem:
    worker.missing("JAX", "jax", problem)
import jax.numpy as jnp

SCAN = 50  # steps in one call of a compiled loop
ACTIVATIONS = {"tanh": jnp.tanh, "relu": jax.nn.relu, "sigmoid": jax.nn.sigmoid, "gelu": lambda x: jax.nn.gelu(x, approximate=False)}


def logits(parameters, x, activation):
    last = len(parameters) - 2
    for i in range(0, len(parameters), 2):
        x = x @ parameters[i] + parameters[i + 1]
        if i < last:
            x = ACTIVATIONS[activation](x)
    return x


def cross_entropy(z, labels):
    return -jnp.take_along_axis(jax.nn.log_softmax(z), labels[:, None], axis=1).mean()


def loss_of(row, x, labels):
    return lambda parameters: cross_entropy(logits(parameters, x, row.activation), labels)


def point(row):
    parameters, x, labels = rows.batch(row)
    return tuple(map(jnp.array, parameters)), jnp.array(x), jnp.array(labels, dtype=jnp.int32)


def direction(row):
    return tuple(map(jnp.array, rows.direction(row)))


def arrays(tree):
    return [np.asarray(leaf) for leaf in tree]


class Chain:
    """A compiled function from state to state, its memory given on from run to run."""

    def __init__(self, function, state):
        self.function, self.state = function, state

    def run(self):
        self.state = self.function(*self.state)

    def wait(self):
        jax.block_until_ready(self.state)

    def mode(self, read, repetitions=rows.CHECKED_STEPS):
        def result():
            for _ in range(repetitions):
                self.run()
            return read(self.state)
        return Mode(self.run, result, self.wait)


def pure(function, *arguments):
    """A compiled function of fixed inputs that gives a tree of arrays."""
    last = [None]

    def run():
        last[0] = function(*arguments)
    return Mode(run, lambda: arrays(function(*arguments)), lambda: jax.block_until_ready(last[0]))


def sgd_step(row):
    def step(parameters, x, labels):
        grads = jax.grad(loss_of(row, x, labels))(parameters)
        return tuple(p - rows.LEARNING_RATE * g for p, g in zip(parameters, grads))
    return step


def jit_step(row):
    parameters, x, labels = point(row)
    step = jax.jit(sgd_step(row), donate_argnums=0)
    return Chain(lambda p: (step(p, x, labels),), (parameters,)).mode(lambda state: arrays(state[0]))


def scan_step(row):
    """SCAN steps a call."""
    parameters, x, labels = point(row)
    step = sgd_step(row)

    def loop(parameters, x, labels, count):
        return jax.lax.fori_loop(0, count, lambda _, p: step(p, x, labels), parameters)
    loop = jax.jit(loop, donate_argnums=0)
    chain = Chain(lambda p, n: (loop(p, x, labels, n), SCAN), (parameters, rows.CHECKED_STEPS))
    mode = chain.mode(lambda state: arrays(state[0]), repetitions=1)
    mode.repeats = SCAN
    return mode


def step_modes(row):
    yield "jit", lambda: jit_step(row)
    yield "fori_loop", lambda: scan_step(row)


def grad_modes(row):
    def build():
        parameters, x, labels = point(row)
        return pure(jax.jit(lambda p, x, labels: jax.grad(loss_of(row, x, labels))(p)), parameters, x, labels)
    yield "jit", build


def hvp_kept(row):
    parameters, x, labels = point(row)
    _, product = jax.linearize(jax.grad(loss_of(row, x, labels)), parameters)
    return pure(jax.jit(product), direction(row))


def hvp_scratch(row):
    parameters, x, labels = point(row)
    product = jax.jit(lambda p, v, x, labels: jax.jvp(jax.grad(loss_of(row, x, labels)), (p,), (v,))[1])
    return pure(product, parameters, direction(row), x, labels)


def hvp_modes(row):
    yield "linearize", lambda: hvp_kept(row)
    yield "scratch", lambda: hvp_scratch(row)


def curvature_at(z, labels):
    return lambda rz: jax.jvp(jax.grad(lambda z: cross_entropy(z, labels)), (z,), (rz,))[1]


def gnvp_kept(row):
    parameters, x, labels = point(row)

    def model(p):
        return logits(p, x, row.activation)
    z, push = jax.linearize(model, parameters)
    _, pull = jax.vjp(model, parameters)
    return pure(jax.jit(lambda v: pull(curvature_at(z, labels)(push(v)))[0]), direction(row))


def gnvp_scratch(row):
    parameters, x, labels = point(row)

    def product(p, v, x, labels):
        def model(p):
            return logits(p, x, row.activation)
        z, rz = jax.jvp(model, (p,), (v,))
        return jax.vjp(model, p)[1](curvature_at(z, labels)(rz))[0]
    return pure(jax.jit(product), parameters, direction(row), x, labels)


def gnvp_modes(row):
    yield "linearize+vjp", lambda: gnvp_kept(row)
    yield "scratch", lambda: gnvp_scratch(row)


def matmul_modes(row):
    def build():
        a, b = map(jnp.array, rows.matrices(row))

        def multiply(a, b):
            return (a.T if row.layout == "tn" else a) @ (b.T if row.layout == "nt" else b)
        multiply = jax.jit(multiply)
        return pure(lambda a, b: (multiply(a, b),), a, b)
    yield "jit", build


def adam(parameters, m, v, t, grads):
    b1, b2 = rows.ADAM["betas"]
    t = t + 1
    m = tuple(b1 * a + (1 - b1) * g for a, g in zip(m, grads))
    v = tuple(b2 * a + (1 - b2) * g * g for a, g in zip(v, grads))
    rate, correction = rows.ADAM["lr"] / (1 - b1 ** t), jnp.sqrt(1 - b2 ** t)
    parameters = tuple(p - rate * a / (jnp.sqrt(b) / correction + rows.ADAM["eps"]) for p, a, b in zip(parameters, m, v))
    return parameters, m, v, t


def adam_state(parameters):
    zeros = tuple(jnp.zeros_like(p) for p in parameters)
    return parameters, zeros, tuple(jnp.zeros_like(p) for p in parameters), jnp.float32(0)


def update_sgd(row):
    p, g = map(jnp.array, rows.update_inputs(row))
    update = jax.jit(lambda p, g: p - rows.LEARNING_RATE * g, donate_argnums=0)
    return Chain(lambda p: (update(p, g),), (p,)).mode(arrays)


def update_adam(row):
    p, g = map(jnp.array, rows.update_inputs(row))
    update = jax.jit(adam, donate_argnums=(0, 1, 2))
    return Chain(lambda *state: update(*state, (g,)), adam_state((p,))).mode(lambda state: arrays(state[0]))


def update_modes(row):
    yield "jit", lambda: (update_sgd if row.rule == "sgd" else update_adam)(row)


def map_modes(row):
    def build():
        x = jnp.array(rows.values(row))

        def chain(x, y):
            return (ACTIVATIONS["gelu"](x) * rows.SCALE + rows.SHIFT,)
        chain = jax.jit(chain, donate_argnums=1, keep_unused=True)  # the result before gives its memory
        return Chain(lambda y: chain(x, y), (jnp.zeros_like(x),)).mode(arrays, repetitions=1)
    yield "jit", build


def reduce_modes(row):
    def build():
        x = jnp.array(rows.values(row))
        total = jax.jit(jnp.sum)
        return pure(lambda x: (total(x),), x)
    yield "jit", build


def train_batch(row):
    def train(state, x, labels):
        return adam(*state, jax.grad(loss_of(row, x, labels))(state[0]))
    return train


def epoch_setup(row):
    parameters, x, labels, order = rows.epoch_inputs(row)

    def read(state):
        return [np.array(reference.checked_loss(row, arrays(state[0]), x, labels))]
    return adam_state(tuple(map(jnp.array, parameters))), jnp.array(x), jnp.array(labels, dtype=jnp.int32), order, read


def run_epochs(epoch, state, order, read):
    """epoch(state, order) -> state, first with the checked order and then with fresh shuffles."""
    held, rng = [state], rows.generator()

    def run():
        held[0] = epoch(held[0], rng.permutation(len(order)))

    def result():
        held[0] = epoch(held[0], order)
        return read(held[0])
    return Mode(run, result, lambda: jax.block_until_ready(held[0]))


def epoch_jit(row):
    state, x, labels, order, read = epoch_setup(row)
    train = train_batch(row)
    step = jax.jit(lambda state, x, labels, index: train(state, x[index], labels[index]), donate_argnums=0)

    def epoch(state, order):
        for start in range(0, len(order), row.batch):
            state = step(state, x, labels, order[start:start + row.batch])
        return state
    return run_epochs(epoch, state, order, read)


def epoch_scan(row):
    state, x, labels, order, read = epoch_setup(row)
    train = train_batch(row)

    def whole(state, x, labels, order):
        full = len(order) // row.batch * row.batch

        def body(state, index):
            return train(state, x[index], labels[index]), None
        state, _ = jax.lax.scan(body, state, order[:full].reshape(-1, row.batch))
        return train(state, x[order[full:]], labels[order[full:]]) if full < len(order) else state
    whole = jax.jit(whole, donate_argnums=0)
    return run_epochs(lambda state, order: whole(state, x, labels, order), state, order, read)


def epoch_modes(row):
    yield "jit", lambda: epoch_jit(row)
    yield "scan", lambda: epoch_scan(row)


def modes(row):
    return {"matmul": matmul_modes, "step": step_modes, "grad": grad_modes, "hvp": hvp_modes, "gnvp": gnvp_modes,
            "update": update_modes, "map": map_modes, "reduce": reduce_modes, "epoch": epoch_modes}[row.kind](row)


def main():
    if os.environ.get("PEERS_DEVICE", "cpu") == "cpu":
        jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_default_matmul_precision", "highest")  # f32, not the shorter formats GPUs would take
    device = jax.devices()[0]
    worker.serve("JAX", dict(version=jax.__version__, threads=worker.threads(), core="XLA (Eigen, oneDNN)", device=device.device_kind), modes)


if __name__ == "__main__":
    main()
