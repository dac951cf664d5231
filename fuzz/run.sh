#!/usr/bin/env bash
# Builds the fuzz targets and runs them from the kept corpus. Fails where something was found, with the path of the input.
#
#   fuzz/run.sh                      each target for 60 s from a fixed seed, one per core at a time
#   fuzz/run.sh -s 600 url gzip      these two, for ten minutes each, from a random seed
#   fuzz/run.sh -j 1                 one at a time
#   fuzz/run.sh -b                   only builds
#   fuzz/run.sh -m                   keeps what the runs so far found to reach more of the code
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

# The minute of ./test.sh is the same one each time, so that a red build is about the change. Longer runs are for finding.
seconds=60 seed=1 jobs=$(nproc) task=fuzz
while getopts s:j:bm option; do
  case $option in
    s) seconds=$OPTARG seed=0 ;;
    j) jobs=$OPTARG ;;
    b) task=build ;;
    m) task=merge ;;
    *) exit 2 ;;
  esac
done
shift $((OPTIND - 1))

targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
  for source in targets/*.rs; do
    targets+=("$(basename "$source" .rs)")
  done
fi

host=$(rustc -vV | sed -n 's/^host: //p')
bin=target/$host/fuzz
logs=target/logs
# What grows here is not kept: the corpus in the repository stays small.
grown=target/corpus

# The coverage that libFuzzer steers by, with stable flags. --target keeps it out of build scripts and macros. No address
# sanitizer: it needs a nightly compiler, and our crates forbid unsafe code.
build() {
  local flags=(
    -Cpasses=sancov-module
    -Cllvm-args=-sanitizer-coverage-level=4
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters
    -Cllvm-args=-sanitizer-coverage-pc-table
    -Cllvm-args=-sanitizer-coverage-trace-compares
  )
  RUSTFLAGS="${flags[*]}" cargo build --locked --profile fuzz --target "$host" --bins
}

# Inputs longer than 4 KiB find nothing that shorter ones do not, and are slow.
fuzz() {
  local target=$1 log=$logs/$1.log
  mkdir -p "$grown/$target"
  if "$bin/$target" "$grown/$target" "corpus/$target" -seed="$seed" -max_total_time="$seconds" -max_len=4096 -timeout=30 \
    -rss_limit_mb=1500 -artifact_prefix="artifacts/$target-" -print_final_stats=1 </dev/null >"$log" 2>&1; then
    printf '%-10s %s executions\n' "$target" "$(executions "$log")"
    return
  fi
  grep -A 4 'panicked at\|ERROR: libFuzzer' "$log" | head -n 12 >&2
  printf '%s: finding: fuzz/%s\n' "$target" "$(sed -n 's/.*Test unit written to //p' "$log")" >&2
  printf '%s: again: fuzz/%s FILE\n' "$target" "$bin/$target" >&2
  return 1
}

executions() {
  sed -n 's/^stat::number_of_executed_units: *//p' "$1"
}

# By edges alone, without their counts: a few dozen inputs then reach what thousands do.
merge() {
  local target=$1
  "$bin/$target" -set_cover_merge=1 -use_counters=0 -max_len=512 "corpus/$target" "$grown/$target" >"$logs/$target.merge.log" 2>&1
  printf '%-10s %s inputs kept\n' "$target" "$(find "corpus/$target" -type f | wc -l)"
}

build
mkdir -p artifacts "$logs" "$grown"
case $task in
  build) ;;
  merge) for target in "${targets[@]}"; do merge "$target"; done ;;
  fuzz)
    # xargs runs each target in a shell of its own.
    export -f fuzz executions
    export bin logs grown seconds seed
    printf '%s\n' "${targets[@]}" | xargs -P "$jobs" -I{} bash -c 'set -euo pipefail; fuzz {}'
    ;;
esac
