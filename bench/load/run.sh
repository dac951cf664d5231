#!/usr/bin/env bash
# Installs the origin and the proxies that are compared, builds pinfold and the load bench, and runs it. Arguments go to the
# bench: `bench/load/run.sh --help` lists them. Without any, everything is measured and the report kept in bench/results.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

[ $# -gt 0 ] || set -- --results bench/results

root=()
[ "$(id -u)" -eq 0 ] || root=(sudo)
packages=(nginx-core squid-openssl libjs-jquery libjs-d3 libjs-three python3-venv openssl gzip)
missing=()
for package in "${packages[@]}"; do
  dpkg-query --show --showformat='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  echo "installing ${missing[*]}" >&2
  "${root[@]}" apt-get update --quiet=2
  # Nothing of it is to run by itself.
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install --yes --quiet=2 --no-install-recommends "${missing[@]}"
fi

mitmproxy=target/load/mitmproxy
if ! "$mitmproxy/bin/mitmdump" --version 2>/dev/null | grep -q '^Mitmproxy: 11\.0\.2$'; then
  echo "installing mitmproxy into $mitmproxy" >&2
  rm -rf "$mitmproxy"
  python3 -m venv "$mitmproxy"
  "$mitmproxy/bin/pip" install --quiet --disable-pip-version-check mitmproxy==11.0.2
fi

hudsucker=target/load/hudsucker
cargo build --profile dist --locked --manifest-path bench/load/hudsucker/Cargo.toml --target-dir "$hudsucker"
cargo build --profile dist --locked --package pinfold-cli --bin pinfold --package pinfold-load --bin pinfold-load

# Each connection of a client is two files of a proxy, and 10,000 of them are opened.
ulimit -n 65536 2>/dev/null || ulimit -n "$(ulimit -Hn)"
export MITMDUMP=$PWD/$mitmproxy/bin/mitmdump HUDSUCKER=$PWD/$hudsucker/dist/pinfold-load-hudsucker
exec target/dist/pinfold-load "$@"
