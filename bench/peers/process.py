"""Peers as processes: found, built, started unthrottled, asked one line at a time."""
import json
import os
import select
import shlex
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
THROTTLES = ("OPENBLAS_", "GOTO_", "MKL_", "OMP_", "KMP_", "GOMP_", "BLIS_", "NUMEXPR_", "VECLIB_")


class Silent(Exception):
    """A worker that died, or did not answer in time."""


def unthrottled(options, folder):
    kept = {k: v for k, v in os.environ.items() if not k.startswith(THROTTLES)}
    return dict(kept, PEERS_THREADS=str(options.threads), PEERS_DEVICE=options.device, PEERS_MODES=options.mode,
                PEERS_BEAM=str(options.beam), PEERS_SCRATCH=folder, PEERS_SPOIL="1.05" if options.spoil else "1",
                PYTHONDONTWRITEBYTECODE="1")


class Worker:
    """One peer; a worker that died is started again at the next row."""

    def __init__(self, command, env):
        self.command, self.env, self.process = command, env, None

    def start(self, timeout=120):
        self.process = subprocess.Popen(self.command, env=self.env, cwd=HERE, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, bufsize=0)
        self.pending = b""
        self.about = self.read(timeout)
        if "absent" in self.about:
            self.stop()
        return self.about

    def ask(self, line, timeout):
        if self.process is None:
            self.start()
        try:
            self.process.stdin.write(line.encode() + b"\n")
        except BrokenPipeError:
            self.died("it died")
        return self.read(timeout)

    def read(self, timeout):
        end = time.monotonic() + timeout
        while b"\n" not in self.pending:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))
            data = os.read(self.process.stdout.fileno(), 1 << 16) if ready else b""
            if not data:
                self.died("it died" if ready else "no answer in %d s" % timeout)
            self.pending += data
        line, self.pending = self.pending.split(b"\n", 1)
        answer = json.loads(line)
        if "failed" in answer:
            raise Silent(answer["failed"])
        return answer

    def died(self, reason):
        self.stop()
        raise Silent(reason)

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process.stdin.close()
            self.process.stdout.close()
            self.process = None


def build(name, libraries, folder):
    """The path of a worker in C, or None."""
    program = os.path.join(folder, name)
    sources = [os.path.join(HERE, source) for source in (name + ".c", "worker.c")]
    command = shlex.split(os.environ.get("CC", "cc")) + ["-std=c11", "-O2", "-march=native", "-o", program, *sources, *libraries, "-lm"]
    try:
        return program if subprocess.run(command, stderr=subprocess.DEVNULL).returncode == 0 else None
    except OSError:
        return None


PYTHON_PEERS = {"numpy": "NumPy", "torch": "PyTorch", "jax": "JAX", "tinygrad": "tinygrad"}  # NumPy first: it knows where its OpenBLAS is
HINTS = {peer: " (pip install %s; run by hand it says why)" % " ".join(dict.fromkeys(("numpy", package))) for package, peer in PYTHON_PEERS.items()}
PEERS = (*PYTHON_PEERS, "openblas", "clblast")


def commands(options, folder, note):
    """(peer, command) of everything to try but OpenBLAS, some of whose libraries NumPy names."""
    for name in PYTHON_PEERS:
        for python in options.python:
            if name in options.peer:
                yield name, [python, os.path.join(HERE, name + "_rows.py")]
    if "clblast" in options.peer:
        program = build("clblast", ["-lclblast", "-lOpenCL"], folder)
        if program:
            yield "clblast", [program]
        else:
            note("CLBlast: absent, it does not build (apt install libclblast-dev ocl-icd-opencl-dev)")


def start_all(options, folder, note):
    """The workers that run, one for each version."""
    env = unthrottled(options, folder)
    running, absent, libraries = [], {}, list(options.openblas)
    for name, command in commands(options, folder, note):
        worker = started(PYTHON_PEERS.get(name, "CLBlast"), command, env, running, absent)
        blas = worker and worker.about.get("blas")
        if blas:
            libraries.append(blas)
    program = build("openblas", ["-ldl"], folder) if "openblas" in options.peer else None
    for library in (libraries or ["libopenblas.so.0"]) if program else []:
        started("OpenBLAS", [program, library], env, running, absent)
    present = {worker.about["peer"] for worker in running}
    for peer, reason in absent.items():
        if peer not in present:
            note("%s: absent, %s" % (peer, reason))
    return running


def started(peer, command, env, running, absent):
    worker = Worker(command, env)
    try:
        about = worker.start()
    except (Silent, OSError, ValueError):
        absent[peer] = "`%s` does not start%s" % (" ".join(command), HINTS.get(peer, ""))
        return None
    if "absent" in about:
        absent[about["peer"]] = about["absent"]
        return None
    if any(same(about, other.about) for other in running):
        worker.stop()
        return None
    running.append(worker)
    return worker


def same(a, b):
    return all(a[key] == b[key] for key in ("peer", "version", "core"))
