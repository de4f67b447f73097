#!/bin/bash
# Runs the camera tests against the kernel's real uvcvideo driver: boots a virtual machine with a USB camera in software
# (uvcsim) and runs the TestGuest… tests of camera/v4l2 in it, with unplugging, freezing and broken frames on demand.
#
#   camera/v4l2/vm/run.sh [test flags, such as -test.run=TestGuestFaults]
#
# The machine is built the first time (build.sh: needs Debian 12, apt and root) in ${XDG_CACHE_HOME:-~/.cache}/yunzhao-vm.
# It emulates its processor and needs no /dev/kvm. The exit status is that of the tests; their log stays in out/test.log
# there. YUNZHAO_VM_SECONDS bounds the tests (default 900). YUNZHAO_VM_PROGRAM=1 also tries the kiosk's own camera
# commands: its 54 MB and 270 libraries take the emulated processor seconds to start, on a busy machine longer than a
# camera is waited for.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
work=${XDG_CACHE_HOME:-$HOME/.cache}/yunzhao-vm
limit=${YUNZHAO_VM_SECONDS:-900}
go=$root/.ci/go
mkdir -p "$work/bin" "$work/out"
exec 9>"$work/lock"
flock 9 # one machine at a time; its emulated cores are slow enough alone

stamp=$(cat "$here/build.sh" "$here/init" | sha256sum)
if [[ ! -f $work/initrd.img || $stamp != "$(cat "$work/built" 2>/dev/null)" ]]; then
	"$here/build.sh" "$work" >"$work/build.log" 2>&1 || { tail -20 "$work/build.log" >&2; exit 70; }
	echo "$stamp" >"$work/built"
fi
(
	cd "$root"
	export CGO_ENABLED=0
	nice "$go" build -o "$work/bin/uvcsim" ./camera/v4l2/vm/uvcsim
	nice "$go" test -c -o "$work/bin/v4l2.test" ./camera/v4l2
	rm -f "$work/bin/yunzhao"
	[[ -z ${YUNZHAO_VM_PROGRAM:-} ]] || # it finds its libraries on the host
		CGO_ENABLED=1 nice "$go" build -trimpath -tags migrated_fynedo -ldflags '-s -w' -o "$work/bin/yunzhao" .
)
pictures=$(sha256sum "$root"/camera/v4l2/vm/uvcsim/pictures.go "$root"/camera/scene/*.go | sha256sum)
if [[ $pictures != "$(cat "$work/drawn" 2>/dev/null)" ]]; then
	"$work/bin/uvcsim" render "$work/pictures"
	echo "$pictures" >"$work/drawn"
fi

out=$work/out
rm -f "$out"/*
flags=("-test.run=^TestGuest" "$@")
cat >"$out/job.sh" <<JOB
modprobe() { \$WORK/busybox/bin/busybox modprobe "\$@"; }
modprobe vhci-hcd && modprobe uvcvideo || exit 71
sim=\$WORK/bin/uvcsim
\$sim serve \$WORK/pictures 2>/vmout/uvcsim.log &
for i in \$(seq 300); do [ -e /dev/video0 ] && break; sleep 0.1; done
[ -e /dev/video0 ] || { cat /vmout/uvcsim.log; dmesg | tail -30; exit 71; }
export YUNZHAO_VM_GUEST=\$sim
[ ! -e \$WORK/bin/yunzhao ] || export YUNZHAO_VM_BIN=\$WORK/bin/yunzhao
cd /tmp
\$WORK/bin/v4l2.test -test.v -test.timeout=${limit}s ${flags[*]@Q} >/vmout/test.log 2>&1
rc=\$?
dmesg >/vmout/dmesg.log
grep -E 'WARN|BUG|Oops' /vmout/dmesg.log && rc=72
\$sim quit
exit \$rc
JOB
status=0
release=$(cat "$work/release")
timeout -k 5 "$((limit + 120))" nice qemu-system-x86_64 -M pc -accel tcg,thread=multi -cpu max,-avx,-avx2 -smp 2 -m 1536 \
	-display none -vga none -no-reboot -nodefaults -serial stdio -monitor none -net none \
	-kernel "$work/kernel/boot/vmlinuz-$release" -initrd "$work/initrd.img" \
	-append "console=ttyS0 quiet panic=-1 nokaslr mitigations=off tsc=reliable random.trust_cpu=on vmwork=$work" \
	-virtfs local,path=/,mount_tag=hostroot,security_model=passthrough,readonly=on,multidevs=remap \
	-virtfs local,path="$out",mount_tag=vmout,security_model=none </dev/null >"$out/console.log" 2>&1 || status=$?
cat "$out/test.log" 2>/dev/null || cat "$out/console.log"
[[ -f $out/rc ]] || { echo "run.sh: no result from the machine (qemu: $status)" >&2; exit 70; }
exit "$(cat "$out/rc")"
