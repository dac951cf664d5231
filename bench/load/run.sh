#!/usr/bin/env bash
# Installs the origin and the proxies that are compared, builds pinfold and the load bench, and runs it. Arguments go to the
# bench: `bench/load/run.sh --help` lists them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

root=()
[ "$(id -u)" -eq 0 ] || root=(sudo)
packages=(nginx-core squid-openssl libjs-jquery libjs-three node-d3 python3-venv openssl gzip)
missing=()
for package in "${packages[@]}"; do
  dpkg-query --show --showformat='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  echo "installing ${missing[*]}" >&2
  "${root[@]}" apt-get update --quiet=2
  # Its configuration is not used, and nothing of it is to run by itself.
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install --yes --quiet=2 --no-install-recommends "${missing[@]}"
fi

venv=target/load/mitmproxy
if [ ! -x "$venv/bin/mitmdump" ]; then
  echo "installing mitmproxy into $venv" >&2
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet mitmproxy==11.0.2
fi

cargo build --release --locked --package pinfold-cli --bin pinfold --package pinfold-load --bin pinfold-load
MITMDUMP=$PWD/$venv/bin/mitmdump exec target/release/pinfold-load "$@"
