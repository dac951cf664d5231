#!/usr/bin/env bash
# What pinfold's CPU time goes to in one row of the load bench, by layer: `bench/load/profile.sh ROW [COLUMN]`, where ROW is a part
# of a row's name and COLUMN is pinfold or pinfold-always. Needs Linux's perf (Debian: linux-perf), and a build by run.sh.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

row=${1:?which row, as in: bench/load/profile.sh "2 KiB"}
column=${2:-pinfold}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Of rows with the same words the first counts: the time is over before the next one begins.
target/dist/pinfold-load --proxies "$column" --parts requests --row "$row" --rounds 6 >"$work/report" 2>"$work/progress" &
bench=$!
until grep -qs 'round 0' "$work/progress"; do
  kill -0 "$bench"
  sleep 0.1
done
perf record --quiet --freq 299 --call-graph dwarf,24000 --pid "$(pgrep -x pinfold --parent "$bench")" \
  --output "$work/perf" -- sleep 4
wait "$bench"
grep -m 1 -F "| $row" "$work/report"
perf script --input "$work/perf" 2>"$work/script" | awk -f bench/load/layers.awk | sort -rn
