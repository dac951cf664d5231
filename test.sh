#!/usr/bin/env bash
# Installs what the tests need and is not here, and runs all of them. Works from any directory; stops at the first step that fails.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

# What is installed is not to run by itself.
export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
[ -z "${CI:-}" ] || export CARGO_TERM_PROGRESS_WHEN=never

# command:package pairs: a package is installed only where its command is missing.
tools=(
  cc:gcc
  c++:g++
  openssl:openssl
  osslsigncode:osslsigncode
  javac:default-jdk-headless
  keytool:default-jdk-headless
  chromium:chromium
  chromedriver:chromium-driver
  certutil:libnss3-tools
  curl:curl
  node:nodejs
  npm:npm
  python3:python3
  tar:tar
  rsyslogd:rsyslog
  promtool:prometheus
  nginx:nginx-core
)

# Packages without a command.
modules=(rsyslog-gnutls libnginx-mod-stream python3-venv libjs-jquery libjs-d3 libjs-three)

step() {
  local name=$1 started=$SECONDS
  shift
  printf '\n==> %s\n' "$name"
  if ! "$@"; then
    printf '==> %s: FAILED after %d s\n' "$name" $((SECONDS - started)) >&2
    exit 1
  fi
  printf '==> %s: ok, %d s\n' "$name" $((SECONDS - started))
}

install_tools() {
  local missing=() tool module
  for tool in "${tools[@]}"; do
    command -v "${tool%%:*}" >/dev/null || missing+=("${tool#*:}")
  done
  if command -v dpkg-query >/dev/null; then
    for module in "${modules[@]}"; do
      dpkg-query --show "$module" &>/dev/null || missing+=("$module")
    done
  fi
  if ! command -v cargo >/dev/null; then
    echo "cargo is missing: install rustup, which then takes the toolchain from rust-toolchain.toml" >&2
    return 1
  fi
  if [ ${#missing[@]} -eq 0 ]; then
    echo "nothing is missing"
    return
  fi
  if ! command -v apt-get >/dev/null; then
    echo "missing, and there is no apt-get to install it: ${missing[*]}" >&2
    return 1
  fi
  local root=()
  [ "$(id -u)" -eq 0 ] || root=(sudo --preserve-env=DEBIAN_FRONTEND,RUNLEVEL)
  echo "installing ${missing[*]}"
  "${root[@]}" apt-get update --quiet=2
  "${root[@]}" apt-get install --yes --quiet=2 --no-install-recommends "${missing[@]}"
}

# pySigma, which reads the detection rules, in an environment of its own. It is made anew where what it has is not what is wanted.
install_pysigma() {
  local wanted=integration-tests/deploy/requirements.txt here=target/sigma
  if cmp --silent "$wanted" "$here/requirements.txt"; then
    echo "nothing is missing"
    return
  fi
  # The step does not end by itself where one of them fails.
  rm -rf "$here" &&
    python3 -m venv "$here" &&
    "$here/bin/pip" install --quiet --disable-pip-version-check --require-hashes --only-binary :all: \
      --requirement "$wanted" &&
    cp "$wanted" "$here/requirements.txt"
}

document() {
  RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --document-private-items --locked
}

# For its correctness only: wrong bytes, a wrong status or a body that nobody reviewed fail it, and no figure is told.
load_bench() {
  cargo run --locked --package pinfold-load -- \
    --proxies direct,relay,minimal,pinfold,pinfold-always --rounds 1 --share 0.01 >/dev/null
}

# pinfold leaves the last tenth of a volume to decisions and the ledger. Bodies are not kept there, and the tests of it fail.
room() {
  local here=${TMPDIR:-/tmp} used
  used=$(df --output=pcent "$here" | tail -n 1 | tr -dc '0-9')
  if [ "$used" -ge 88 ]; then
    echo "$used % of the volume of $here are used, and the tests want 12 % free: make room, or point TMPDIR elsewhere" >&2
    return 1
  fi
  echo "$used % of the volume of $here are used"
}

step 'tools' install_tools
step 'reader of detection rules' install_pysigma
step 'format' cargo fmt --all --check
step 'lints' cargo clippy --workspace --all-targets --locked -- -D warnings
step 'documentation' document
step 'the binary under test' cargo build --locked --package pinfold-cli --bin pinfold
step 'load bench, a hundredth of it' load_bench
step 'room' room
step 'tests' cargo test --workspace --locked --no-fail-fast
step 'format of the load bench for hudsucker' cargo fmt --manifest-path bench/load/hudsucker/Cargo.toml --check
step 'format of the fuzz targets' cargo fmt --manifest-path fuzz/Cargo.toml --check
step 'lints of the fuzz targets' cargo clippy --manifest-path fuzz/Cargo.toml --locked -- -D warnings
step 'fuzz, a minute each' fuzz/run.sh
printf '\n==> all steps ok, %d s\n' "$SECONDS"
