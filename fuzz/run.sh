#!/bin/sh
# Runs every fuzz target, or those named, for a number of seconds each:
#
#     fuzz/run.sh [SECONDS] [TARGET...]
#     fuzz/run.sh --build                   builds them and runs nothing
#
# Stable Rust and a C++ compiler are enough: the coverage flags are LLVM's own. There is no address
# sanitizer, which safe Rust can do without. What is found is left in fuzz/artifacts/TARGET; make it
# a seed in fuzz/corpus/TARGET and a test with a name. New inputs go to the build folder, not to the
# corpus.
set -eu

seconds=${1:-60}
[ $# -gt 0 ] && shift
targets=${*:-message update evpn bfd config frame frr}
here=$(cd "$(dirname "$0")" && pwd)
triple=$(rustc -vV | sed -n 's/^host: //p')
build=${FUZZ_TARGET_DIR:-$here/../target/fuzz}

command -v g++ >/dev/null || command -v clang++ >/dev/null || {
    echo "error: fuzzing needs a C++ compiler, but neither g++ nor clang++ is installed" >&2
    echo "" >&2
    echo "hint: apt-get install g++" >&2
    exit 1
}

# Little optimisation: the build is most of a short run's time. With --target the flags reach our crates and not the build scripts.
RUSTFLAGS="${RUSTFLAGS:-} -Cpasses=sancov-module \
-Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
-Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares \
-Ccodegen-units=1 -Cdebug-assertions=on -Coverflow-checks=on" \
    CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_DEBUG=0 \
    cargo build --release --manifest-path "$here/Cargo.toml" --features libfuzzer --bins \
    --target "$triple" --target-dir "$build"

[ "$seconds" = --build ] && exit 0

status=0
for target in $targets; do
    echo "== $target for $seconds s"
    found="$build/corpus/$target"
    artifacts="$here/artifacts/$target"
    mkdir -p "$found" "$artifacts"
    # -use_value_profile finds values that one comparison asks for.
    "$build/$triple/release/fuzz_$target" -max_total_time="$seconds" -use_value_profile=1 \
        -timeout=5 -rss_limit_mb=2048 -max_len=8192 -print_final_stats=1 -verbosity=0 \
        -artifact_prefix="$artifacts/" "$found" "$here/corpus/$target" || status=1
    rmdir "$artifacts" 2>/dev/null || true
done
rmdir "$here/artifacts" 2>/dev/null || true
exit $status
