"""The loop of a Python peer: reads commands on stdin, answers each with one line of JSON on stdout.

    open ID                 every mode of the row is built and checked    {"modes": [{"mode", "error", "reason"}]}
    time ID MODE SECONDS    samples of a checked mode                     {"samples": [seconds of one run, ...]}
    close ID                frees the row                                 {}

A peer gives serve() its name, what it is, and modes(row): pairs of a name and a function that builds a Mode."""
import json
import os
import re
import sys
import time

import reference
import rows

SAMPLE_SECONDS = 5e-3  # a sample is as many runs as take this long, so that waiting at its end costs nothing


class Mode:
    """run() starts one repetition (or `repeats`), wait() ends when all have; result(), called first, returns what is checked."""

    def __init__(self, run, result, wait=lambda: None, enter=lambda: None, repeats=1):
        self.run, self.result, self.wait, self.enter, self.repeats = run, result, wait, enter, repeats


def batch_seconds(mode, count):
    start = time.perf_counter()
    for _ in range(count):
        mode.run()
    mode.wait()
    return time.perf_counter() - start


def measure(mode, seconds):
    """At least one sample; long runs need no more, as there are rounds."""
    mode.enter()
    count, taken = runs_per_sample(mode)
    samples, end = [taken] if taken > seconds else [], time.perf_counter() + seconds
    while not samples or (taken <= seconds and time.perf_counter() < end):
        samples.append(batch_seconds(mode, count))
    return [float("%.5g" % (sample / (count * mode.repeats))) for sample in samples]


def runs_per_sample(mode):
    """Doubled until a sample is long enough, the better of two tries: one interruption must not end the search."""
    count, taken = 1, batch_seconds(mode, 1)
    if taken < 1:  # the first may be late for its own reasons
        taken = min(taken, batch_seconds(mode, 1))
    while taken < SAMPLE_SECONDS:
        count *= 2
        taken = min(batch_seconds(mode, count), batch_seconds(mode, count))
    return count, taken


def blas_library():
    """(path, core and version) of the OpenBLAS this process has loaded."""
    import ctypes
    with open("/proc/self/maps") as maps:
        paths = sorted({line.split()[-1] for line in maps if re.search(r"/lib[^/]*openblas[^/]*\.so", line)})
    for path in paths:
        library = ctypes.CDLL(path)
        for name in ("openblas_get_config", "scipy_openblas_get_config64_", "scipy_openblas_get_config", "openblas_get_config64_"):
            if hasattr(library, name):
                get = getattr(library, name)
                get.restype = ctypes.c_char_p
                return path, blas_core(get().decode())
    return None, None


def blas_core(config):
    version = re.search(r"OpenBLAS ([\d.]+)", config)
    words = [w for w in config.split() if w[0].isupper() and w not in ("OpenBLAS", "DYNAMIC_ARCH") and "_" not in w and "=" not in w]
    return "OpenBLAS %s %s" % (version.group(1) if version else "?", words[-1] if words else config)


class Worker:
    def __init__(self, modes):
        self.modes, self.open_rows = modes, {}

    def open(self, id):
        row = rows.parse(id)
        pairs = list(self.modes(row)) if row else []
        chosen = re.compile(os.environ.get("PEERS_MODES", ""))
        self.open_rows[id] = {}
        wanted = None
        answer = []
        for name, build in pairs:
            if not chosen.search(name):
                continue
            if wanted is None:
                wanted = [float(os.environ.get("PEERS_SPOIL", 1)) * w for w in reference.moved(row, reference.expected(row))]
            answer.append(self.check(row, name, build, wanted))
        return {"modes": answer}

    def check(self, row, name, build, wanted):
        started = time.perf_counter()
        try:
            mode = build()
            mode.enter()
            error = reference.error(reference.moved(row, mode.result()), wanted)
        except Exception as problem:  # a mode that this version lacks
            return {"mode": name, "reason": "%s: %s" % (type(problem).__name__, (str(problem).strip() or "?").splitlines()[0][:160])}
        if not error <= reference.tolerance(row):
            return {"mode": name, "error": error, "reason": "result is off by %.2g, more than %g" % (error, reference.tolerance(row))}
        self.open_rows[row.id][name] = mode
        return {"mode": name, "error": error, "build_seconds": time.perf_counter() - started}

    def answer(self, words):
        command, id = words[0], words[1]
        if command == "open":
            return self.open(id)
        if command == "time":
            return {"samples": measure(self.open_rows[id][words[2]], float(words[3]))}
        self.open_rows.pop(id, None)
        return {}


def serve(peer, about, modes):
    """about: version, threads, core (what multiplies matrices), device."""
    reply = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries that print do not reach the driver

    def say(message):
        reply.write(json.dumps(message) + "\n")
        reply.flush()
    say(dict(about, peer=peer))
    worker = Worker(modes)
    for line in sys.stdin:
        try:
            say(worker.answer(line.split()))
        except Exception as problem:
            say({"failed": "%s: %s" % (type(problem).__name__, problem)})


def threads():
    return int(os.environ["PEERS_THREADS"])


def missing(peer, package, problem):
    """Ends a worker whose package is not there."""
    print(json.dumps({"peer": peer, "absent": "%s (pip install %s)" % (problem, package)}))
    sys.exit(0)
