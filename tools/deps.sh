# shellcheck shell=bash
# Sourced by quickstart and test: find out which distribution packages are missing and install them.
# deps_install WHAT PACKAGE...   WHAT is said to the reader; NO_INSTALL=1 only lists.

deps_missing() {
    local package
    for package in "$@"; do
        dpkg-query -W -f='${Status}\n' "$package" 2>/dev/null | grep -q '^install ok installed$' || printf '%s ' "$package"
    done
}

deps_install() {
    local what=$1 missing sudo=
    shift
    if ! command -v dpkg-query >/dev/null; then
        echo "clgrad: no dpkg here; please see that these Debian packages' contents are present: $*" >&2
        return 0
    fi
    missing=$(deps_missing "$@")
    [ -n "$missing" ] || return 0
    if [ "${NO_INSTALL:-0}" = 1 ]; then
        echo "clgrad: missing for $what: $missing(not installing, as asked)" >&2
        return 0
    fi
    echo "clgrad: installing for $what: $missing" >&2
    if [ "$(id -u)" != 0 ]; then
        sudo=$(command -v sudo) || { echo "clgrad: not root and no sudo: install them by hand, or use --no-install" >&2; return 1; }
    fi
    local log
    log=$(mktemp)
    # shellcheck disable=SC2086
    if ! { $sudo apt-get update && $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing; } >"$log" 2>&1; then
        echo "clgrad: apt-get failed:" >&2
        tail -20 "$log" >&2
        rm -f "$log"
        return 1
    fi
    rm -f "$log"
}

# Is any OpenCL driver registered with the loader?
deps_any_driver() {
    [ -n "${OCL_ICD_VENDORS:-}${OCL_ICD_FILENAMES:-}" ] || ls /etc/OpenCL/vendors/*.icd >/dev/null 2>&1
}

# What a build needs, each with its reason.
deps_build() {
    deps_install "compiling (C compiler, Meson, Ninja, pkg-config)" gcc g++ libc6-dev meson ninja-build pkg-config &&
        deps_install "the library (OpenCL headers and loader, CLBlast header, jansson, zlib)" \
            opencl-c-headers ocl-icd-libopencl1 libclblast-dev libjansson-dev zlib1g-dev
}
