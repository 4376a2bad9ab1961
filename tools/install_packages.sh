#!/bin/bash
# Installs the Debian packages that a target of the Makefile needs and that are not there yet.
#
# Usage: install_packages.sh build|check|test|fuzz|bench|wheel
#
# Asks dpkg first: where nothing is missing, neither apt nor root is needed.
set -euo pipefail

libraries=(libfmt-dev libssl-dev libxxhash-dev libhwy-dev zlib1g-dev libjpeg-dev libpng-dev libgtest-dev libgmock-dev)
packages=(g++ cmake ninja-build libexpected-dev libcli11-dev nlohmann-json3-dev "${libraries[@]}")
wheel=(python3 python3-dev python3-venv ca-certificates)
check=(ccache python3 clang-format-19)
mpi=(openmpi-bin libopenmpi-dev mpich libmpich-dev)
test=("${check[@]}" "${wheel[@]}" clang-tidy-19 clang-19 libclang-rt-19-dev chromium zsh fish groff-base procps "${mpi[@]}")
# What tools/aarch64.cmake builds with, on the machines where it is used.
if [[ $(uname -m) == x86_64 ]]; then
  test+=(g++-aarch64-linux-gnu qemu-user "${libraries[@]/%/:arm64}")
fi
case "${1:-}" in
  build) ;;
  check) packages+=("${check[@]}") ;;
  test) packages+=("${test[@]}") ;;
  fuzz) packages+=(clang-19 libclang-rt-19-dev) ;;
  bench) packages+=(libbenchmark-dev "${wheel[@]}" "${mpi[@]}") ;;
  wheel) packages+=("${wheel[@]}") ;;
  *) echo "usage: install_packages.sh build|check|test|fuzz|bench|wheel" >&2; exit 2 ;;
esac

if ! command -v dpkg-query apt-get >/dev/null; then
  cat >&2 <<EOF
samebits: this system has no apt-get, so what the build needs is not installed by itself. The Debian packages are:
  ${packages[*]}
Install what your system calls them, then: cmake --preset release && cmake --build --preset release --target samebits
EOF
  exit 1
fi

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
  # A package of two architectures answers twice.
  [[ "$status" == installed* ]] || missing+=("$package")
done
[[ ${#missing[@]} -eq 0 ]] && exit 0

# apt knows the packages of another architecture only where dpkg has been told of it.
foreign=()
if [[ "${missing[*]}" == *:arm64* ]] && ! dpkg --print-foreign-architectures | grep -qx arm64; then
  foreign=(dpkg --add-architecture arm64)
fi
root=()
if [[ $(id -u) -ne 0 ]]; then
  if ! command -v sudo >/dev/null; then
    echo "samebits: these packages are missing, and neither root nor sudo is there to install them. As root:" >&2
    [[ ${#foreign[@]} -eq 0 ]] || echo "  ${foreign[*]} && apt-get update" >&2
    echo "  apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 1
  fi
  root=(sudo)
fi
echo "installing ${missing[*]}"
[[ ${#foreign[@]} -eq 0 ]] || "${root[@]}" "${foreign[@]}"
apt=("${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300)
"${apt[@]}" update
# dpkg's chatter goes to standard error, so that a target's own output stays alone on standard output.
"${apt[@]}" install --yes --no-install-recommends "${missing[@]}" >&2
