"""PyTorch, any version: eager, its optimizers' loop, foreach and fused forms, torch.func, and torch.compile.

PEERS_DEVICE=cuda (or xpu, mps) runs the rows on that device."""
import os
import re

import numpy as np

import reference
import rows
import worker
from worker import Mode

try:
    import torch
except Exception as problem:
    worker.missing("PyTorch", "torch", problem)
import torch.nn.functional as F

DEVICE = os.environ.get("PEERS_DEVICE", "cpu")
OPTIMIZERS = {"loop": dict(foreach=False), "foreach": dict(foreach=True), "fused": dict(fused=True)}
# Inductor's C++ wrapper saves Python's time between kernels. Autotuning has candidates for products on GPUs only: on
# processors its own products need constant weights, as in inference.
COMPILE = {"compile": {}, "compile-cpp": {"cpp_wrapper": True}}
if DEVICE != "cpu":
    COMPILE = {"compile": {}, "compile-autotune": {"max_autotune": True, "triton.cudagraphs": True}}
ACTIVATIONS = {"tanh": torch.tanh, "relu": torch.relu, "sigmoid": torch.sigmoid, "gelu": F.gelu}
LAYERS = {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh, "sigmoid": torch.nn.Sigmoid, "gelu": torch.nn.GELU}
FROM_SCRATCH = list(COMPILE)[-1]


def wait():
    if DEVICE != "cpu":
        getattr(torch, DEVICE).synchronize()


def enter(threads=None):
    return lambda: torch.set_num_threads(threads or worker.threads())


def mode(run, result, threads=None):
    return Mode(run, result, wait, enter(threads))


def tensor(array):
    return torch.from_numpy(np.ascontiguousarray(array)).to(DEVICE)


def arrays(tensors):
    return [t.detach().cpu().numpy() for t in tensors]


def compiled(function, how):
    return torch.compile(function, fullgraph=True, dynamic=False, options=dict(COMPILE[how]))


def has_compile():
    return hasattr(torch, "compile") and hasattr(torch, "func")


# Perceptrons. Weights are in x out, so that results compare without transposing; linear() takes out x in.

def leaves(arrays_, grad=True):
    return [tensor(a).requires_grad_(grad) for a in arrays_]


def logits(parameters, x, activation):
    last = len(parameters) - 2
    for i in range(0, len(parameters), 2):
        x = torch.addmm(parameters[i + 1], x, parameters[i])
        if i < last:
            x = ACTIVATIONS[activation](x)
    return x


def loss_of(row, x, labels):
    return lambda parameters: F.cross_entropy(logits(parameters, x, row.activation), labels)


def module(row, parameters):
    layers = []
    for w, b in zip(parameters[0::2], parameters[1::2]):
        linear = torch.nn.Linear(*w.shape)
        linear.weight.data, linear.bias.data = tensor(w.T), tensor(b)
        layers += [linear, LAYERS[row.activation]()]
    return torch.nn.Sequential(*layers[:-1]).to(DEVICE)


def module_arrays(net):
    return [a.T for a in arrays(net.parameters())]


def repeated(run, read, count=rows.CHECKED_STEPS):
    def result():
        for _ in range(count):
            run()
        return read()
    return result


def module_step(row, options, threads=None, forward=lambda f: f):
    parameters, x, labels = rows.batch(row)
    net, x, labels = module(row, parameters), tensor(x), tensor(labels)
    optimizer = torch.optim.SGD(net.parameters(), lr=rows.LEARNING_RATE, **options)
    loss = forward(lambda: F.cross_entropy(net(x), labels))

    def run():
        optimizer.zero_grad(set_to_none=True)
        loss().backward()
        optimizer.step()
    return mode(run, repeated(run, lambda: module_arrays(net)), threads)


def functional_step(row, threads=None):
    """torch.autograd.grad and one in-place update of all parameters, without module or optimizer."""
    parameters, x, labels = rows.batch(row)
    parameters, loss = leaves(parameters), loss_of(row, tensor(x), tensor(labels))

    def run():
        grads = torch.autograd.grad(loss(parameters), parameters)
        with torch.no_grad():
            torch._foreach_add_(parameters, grads, alpha=-rows.LEARNING_RATE)
    return mode(run, repeated(run, lambda: arrays(parameters)), threads)


def compiled_step(row, how, threads=None):
    """The whole step, update included, as one compiled graph."""
    parameters, x, labels = rows.batch(row)
    parameters, x, labels = leaves(parameters, False), tensor(x), tensor(labels)

    def step(parameters, x, labels):
        grads = torch.func.grad(loss_of(row, x, labels))(parameters)
        for p, g in zip(parameters, grads):
            p.sub_(rows.LEARNING_RATE * g)
    step = compiled(step, how)

    def run():
        with torch.no_grad():
            step(parameters, x, labels)
    return mode(run, repeated(run, lambda: arrays(parameters)), threads)


def step_modes(row):
    counts = [None] if row.batch > 16 or DEVICE != "cpu" else [None, 1]  # a sample alone is often faster on one thread
    for threads in counts:
        suffix = "-1thread" if threads else ""
        for name, options in OPTIMIZERS.items():
            yield name + suffix, lambda o=options, t=threads: module_step(row, o, t)
        yield "functional" + suffix, lambda t=threads: functional_step(row, t)
        if not has_compile():
            continue
        yield "compiled-forward+fused" + suffix, lambda t=threads: module_step(
            row, dict(fused=True), t, lambda f: torch.compile(f, dynamic=False))
        for how in COMPILE:
            yield how + suffix, lambda h=how, t=threads: compiled_step(row, h, t)


# Derivatives.

def point(row, grad=True):
    parameters, x, labels = rows.batch(row)
    return leaves(parameters, grad), tensor(x), tensor(labels)


def eager_grad(row):
    parameters, x, labels = point(row)
    loss = loss_of(row, x, labels)

    def run():
        return torch.autograd.grad(loss(parameters), parameters)
    return mode(run, lambda: arrays(run()))


def compiled_grad(row, how):
    parameters, x, labels = point(row, False)
    grad = compiled(lambda p, x, labels: torch.func.grad(loss_of(row, x, labels))(p), how)

    def run():
        return grad(parameters, x, labels)
    return mode(run, lambda: arrays(run()))


def grad_modes(row):
    yield "eager", lambda: eager_grad(row)
    if has_compile():
        for how in COMPILE:
            yield how, lambda h=how: compiled_grad(row, h)


def double_backward(row):
    """The gradient's graph is kept and used again for every direction."""
    parameters, x, labels = point(row)
    v = leaves(rows.direction(row), False)
    grads = torch.autograd.grad(loss_of(row, x, labels)(parameters), parameters, create_graph=True)

    def run():
        return torch.autograd.grad(grads, parameters, v, retain_graph=True)
    return mode(run, lambda: arrays(run()))


def linearized(row):
    """torch.func.linearize of the gradient: what the point decides is computed once."""
    parameters, x, labels = point(row, False)
    v = leaves(rows.direction(row), False)
    _, product = torch.func.linearize(torch.func.grad(loss_of(row, x, labels)), parameters)

    def run():
        with torch.no_grad():
            return product(v)
    return mode(run, lambda: arrays(run()))


def from_scratch(row):
    """Forward over reverse in one compiled graph, the point's part computed again each time."""
    parameters, x, labels = point(row, False)
    v = leaves(rows.direction(row), False)

    def product(parameters, v, x, labels):
        return torch.func.jvp(torch.func.grad(loss_of(row, x, labels)), (parameters,), (v,))[1]
    product = compiled(product, FROM_SCRATCH)

    def run():
        return product(parameters, v, x, labels)
    return mode(run, lambda: arrays(run()))


def hvp_modes(row):
    yield "double-backward", lambda: double_backward(row)
    if has_compile():
        if hasattr(torch.func, "linearize"):
            yield "linearize", lambda: linearized(row)
        yield "scratch-" + FROM_SCRATCH, lambda: from_scratch(row)


def loss_curvature(z, rz):
    """Softmax cross-entropy's second derivative at z, applied to rz."""
    p = torch.softmax(z, 1)
    product = p * rz
    return (product - p * product.sum(1, keepdim=True)) / len(z)


def retained_gauss_newton(row):
    """J v as the derivative of u -> u J, then back through the model: both graphs are kept."""
    parameters, x, _ = point(row)
    v = leaves(rows.direction(row), False)
    z = logits(parameters, x, row.activation)
    u = torch.zeros_like(z, requires_grad=True)
    pulled = torch.autograd.grad(z, parameters, u, create_graph=True)

    def run():
        rz, = torch.autograd.grad(pulled, u, v, retain_graph=True)
        with torch.no_grad():
            top = loss_curvature(z, rz)
        return torch.autograd.grad(z, parameters, top, retain_graph=True)
    return mode(run, lambda: arrays(run()))


def linearized_gauss_newton(row):
    parameters, x, _ = point(row)
    v = leaves(rows.direction(row), False)
    z = logits(parameters, x, row.activation)
    _, push = torch.func.linearize(lambda p: logits(p, x, row.activation), [p.detach() for p in parameters])

    def run():
        with torch.no_grad():
            top = loss_curvature(z, push(v))
        return torch.autograd.grad(z, parameters, top, retain_graph=True)
    return mode(run, lambda: arrays(run()))


def scratch_gauss_newton(row):
    parameters, x, _ = point(row, False)
    v = leaves(rows.direction(row), False)

    def product(parameters, v, x):
        def model(p):
            return logits(p, x, row.activation)
        z, rz = torch.func.jvp(model, (parameters,), (v,))
        return torch.func.vjp(model, parameters)[1](loss_curvature(z, rz))[0]
    product = compiled(product, FROM_SCRATCH)

    def run():
        return product(parameters, v, x)
    return mode(run, lambda: arrays(run()))


def gnvp_modes(row):
    yield "retained-graphs", lambda: retained_gauss_newton(row)
    if has_compile():
        if hasattr(torch.func, "linearize"):
            yield "linearize+vjp", lambda: linearized_gauss_newton(row)
        yield "scratch-" + FROM_SCRATCH, lambda: scratch_gauss_newton(row)


# Matrix products, updates, passes over memory.

def product(row, how=None):
    a, b = (tensor(m) for m in rows.matrices(row))
    a, b = (a.T if row.layout == "tn" else a), (b.T if row.layout == "nt" else b)
    out = torch.empty(row.m, row.n, device=DEVICE)
    if how is None:
        return mode(lambda: torch.mm(a, b, out=out), lambda: arrays([torch.mm(a, b, out=out)]))
    multiply = compiled(torch.mm, how)
    return mode(lambda: multiply(a, b), lambda: arrays([multiply(a, b)]))


def matmul_modes(row):
    yield "mm", lambda: product(row)
    if has_compile() and DEVICE != "cpu":
        yield "compile-autotune", lambda: product(row, "compile-autotune")


def optimizer_of(row, parameters, options):
    if row.rule == "sgd":
        return torch.optim.SGD(parameters, lr=rows.LEARNING_RATE, **options)
    return torch.optim.Adam(parameters, **rows.ADAM, **options)


def optimizer_update(row, options, how=None):
    p, g = (tensor(a) for a in rows.update_inputs(row))
    p.requires_grad_().grad = g
    optimizer = optimizer_of(row, [p], options)
    step = optimizer.step
    if how:
        step = torch.compile(lambda: optimizer.step(), fullgraph=False, dynamic=False, options=dict(COMPILE[how]))
    return mode(step, repeated(step, lambda: arrays([p])))


def update_modes(row):
    for name, options in OPTIMIZERS.items():
        yield name, lambda o=options: optimizer_update(row, o)
    if has_compile():
        yield "compile", lambda: optimizer_update(row, dict(foreach=True), "compile")
    if row.rule == "sgd":
        yield "add_", lambda: add_in_place(row)


def add_in_place(row):
    p, g = (tensor(a) for a in rows.update_inputs(row))

    def run():
        p.add_(g, alpha=-rows.LEARNING_RATE)
    return mode(run, repeated(run, lambda: arrays([p])))


def gelu_eager(row):
    x = tensor(rows.values(row))
    y = torch.empty_like(x)

    def run():
        return torch._C._nn.gelu(x, out=y).mul_(rows.SCALE).add_(rows.SHIFT)
    return mode(run, lambda: arrays([run()]))


def gelu_compiled(row, how):
    """Into memory that stays, as a new result's pages would be touched for the first time on every run."""
    x = tensor(rows.values(row))
    y = torch.empty_like(x)
    fused = compiled(lambda x, y: y.copy_(F.gelu(x) * rows.SCALE + rows.SHIFT), how)
    return mode(lambda: fused(x, y), lambda: arrays([fused(x, y)]))


def map_modes(row):
    yield "eager-out", lambda: gelu_eager(row)
    if has_compile():
        yield "compile", lambda: gelu_compiled(row, "compile")


def reduction(row, how=None):
    x = tensor(rows.values(row))
    total = compiled(torch.sum, how) if how else torch.sum
    return mode(lambda: total(x), lambda: arrays([total(x)]))


def reduce_modes(row):
    yield "sum", lambda: reduction(row)
    if has_compile():
        yield "compile", lambda: reduction(row, "compile")


# An epoch over resident tensors, shuffled.

def epoch(row, step_of):
    parameters, x, labels, order = rows.epoch_inputs(row)
    x_, labels_ = tensor(x), tensor(labels)
    step, read = step_of(row, parameters)

    def over(order):
        for start in range(0, len(order), row.batch):
            index = order[start:start + row.batch]
            step(x_[index], labels_[index])

    def result():
        over(tensor(order))
        return [np.array(reference.checked_loss(row, read(), x, labels))]
    return mode(lambda: over(torch.randperm(len(x_), device=DEVICE)), result)


def module_epoch(options, forward=lambda f: f):
    def step_of(row, parameters):
        net = module(row, parameters)
        optimizer = torch.optim.Adam(net.parameters(), **rows.ADAM, **options)
        loss = forward(lambda x, labels: F.cross_entropy(net(x), labels))

        def step(x, labels):
            optimizer.zero_grad(set_to_none=True)
            loss(x, labels).backward()
            optimizer.step()
        return step, lambda: module_arrays(net)
    return step_of


def compiled_epoch(how):
    """Gradient and Adam as one compiled graph; the corrections come in as a tensor, so that it is compiled once."""
    def step_of(row, parameters):
        parameters = leaves(parameters, False)
        m, v = ([torch.zeros_like(p) for p in parameters] for _ in range(2))
        b1, b2 = rows.ADAM["betas"]
        t = torch.zeros((), device=DEVICE)

        def adam(parameters, m, v, t, x, labels):
            t.add_(1)
            rate, correction = rows.ADAM["lr"] / (1 - b1 ** t), torch.sqrt(1 - b2 ** t)
            grads = torch.func.grad(loss_of(row, x, labels))(parameters)
            for p, g, m_, v_ in zip(parameters, grads, m, v):
                m_.lerp_(g, 1 - b1)
                v_.mul_(b2).addcmul_(g, g, value=1 - b2)
                p.sub_(rate * m_ / (v_.sqrt() / correction + rows.ADAM["eps"]))
        graph = compiled(adam, how)

        def step(x, labels):
            with torch.no_grad():
                graph(parameters, m, v, t, x, labels)
        return step, lambda: arrays(parameters)
    return step_of


def epoch_modes(row):
    for name, options in OPTIMIZERS.items():
        yield name, lambda o=options: epoch(row, module_epoch(o))
    if has_compile():
        yield "compiled-forward+fused", lambda: epoch(row, module_epoch(dict(fused=True), lambda f: torch.compile(f, dynamic=False)))
        for how in COMPILE:
            yield how, lambda h=how: epoch(row, compiled_epoch(h))


def modes(row):
    return {"matmul": matmul_modes, "step": step_modes, "grad": grad_modes, "hvp": hvp_modes, "gnvp": gnvp_modes,
            "update": update_modes, "map": map_modes, "reduce": reduce_modes, "epoch": epoch_modes}[row.kind](row)


def core():
    """What multiplies matrices, and for which instructions PyTorch's own kernels were chosen."""
    _, blas = worker.blas_library()
    mkl = re.search(r"Math Kernel Library Version ([\d.]+)", torch.__config__.show())
    if mkl:  # NumPy's OpenBLAS may be loaded beside it
        blas = "MKL " + mkl.group(1)
    capability = re.search(r"CPU capability usage: (\w+)", torch.__config__.show())
    return "%s, own kernels %s" % (blas or "?", capability.group(1) if capability else "?")


def allow_recompilation():
    """The limit counts per line of code, and all modes and rows come through the same lines."""
    if has_compile():
        config = torch._dynamo.config
        for name in ("recompile_limit", "cache_size_limit", "accumulated_recompile_limit", "accumulated_cache_size_limit"):
            if hasattr(config, name):
                setattr(config, name, 1000)


def main():
    allow_recompilation()
    torch.set_num_threads(worker.threads())
    torch.mm(torch.ones(2, 2), torch.ones(2, 2))
    named = getattr(getattr(torch, DEVICE), "get_device_name", None)
    name = named() if named else DEVICE
    worker.serve("PyTorch", dict(version=torch.__version__, threads=torch.get_num_threads(), core=core(), device=name), modes)


if __name__ == "__main__":
    main()
