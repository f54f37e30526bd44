#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# litmus.c under the program built with ThreadSanitizer, run-time library and all (rhea-races): races.sh PROGRAM FOLDER
# Nothing may be reported of the engine's own data, unless the world is not stopped where it must be. Translated code is invisible to
# the sanitizer, and so are accesses to the guest's memory (races.supp). What the guest computes with vectors is not looked at: the
# sanitizer's functions use the registers that the guest's FPU is in.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
program=$1 folder=$2
failed=0

# boot NAME ENGINE OPTION...: $reports says how many races were found, $log has their text.
boot() {
    name=$1 engine=$2
    shift 2
    rom=$folder/races-$name.bin
    log=$folder/races-$name.log
    text=$folder/races-$name.text
    "$here/build-guest" "$here/litmus.c" "$rom" -DROUNDS=2 "$@"
    cpus=$(printf '%s\n' "$@" | sed -n 's/^-DCPUS=//p')
    TSAN_OPTIONS="halt_on_error=0 report_signal_unsafe=0 suppressions=$here/races.supp" timeout 600 "$program" -accel "$engine" \
        -m 64 -smp "$cpus" -display none -serial none -monitor none -no-reboot -bios "$rom" -chardev "file,id=text,path=$text" \
        -device isa-debugcon,iobase=0xe9,chardev=text -device isa-debug-exit,iobase=0xf4 >"$log" 2>&1 || true
    reports=$(grep -c '^SUMMARY: ThreadSanitizer' "$log" || true)
    grep -q ^DONE "$text" || reports="no end, see $log; reports: $reports"
}

clean() {
    boot "$@"
    if [ "$reports" = 0 ]; then
        echo "ok   races: $1: none reported"
    else
        echo "FAIL races: $1: $reports"
        grep '^SUMMARY' "$log" | sort | uniq -c
        failed=1
    fi
}

clean multi tcg -DCPUS=2
clean four tcg -DCPUS=4
clean stirred tcg,x-stir=7 -DCPUS=2
clean window tcg,x-window=always -DCPUS=2 -DUSER
clean window-stirred tcg,x-window=always,x-stir=3 -DCPUS=2 -DUSER -m64
boot unstopped tcg,x-gap=1000,x-unstopped=on -DCPUS=2 -DONLY=same_moment
if grep -q 'in tlb_drop_writes_to' "$log"; then
    echo "ok   races: without stopping the world: $reports reported"
else
    echo "FAIL races: the world is not stopped, and the sanitizer says nothing: $reports"
    failed=1
fi
exit $failed
