#!/bin/bash
# Runs the V4L2 tests against a real uvcvideo driver: boots a virtual machine with a USB camera in software and runs the
# TestGuest… tests of camera/v4l2 in it, with unplugging, freezing and broken frames on demand.
#
#   YUNZHAO_SHARED=/path/to/shared camera/v4l2/vm/run.sh [go test flags, such as -test.run TestGuestFaults]
#
# Needs root and apt for the first run (half a minute), which builds the machine in ${XDG_CACHE_HOME:-~/.cache}/yunzhao-vm
# from the rig in $YUNZHAO_SHARED/vm-camera; the rig itself stays untouched. The exit status is that of the tests.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
rig=${YUNZHAO_SHARED:-$root/../shared}/vm-camera
work=${XDG_CACHE_HOME:-$HOME/.cache}/yunzhao-vm
limit=${YUNZHAO_VM_SECONDS:-420}

[ -x "$rig/recipe.sh" ] || { echo "run.sh: no camera rig at $rig; set YUNZHAO_SHARED" >&2; exit 69; }
mkdir -p "$work"
exec 9>"$work/lock"
flock 9 # one machine at a time; its emulated cores are slow enough alone

if ! cmp -s "$here/uvcsim.patch" "$work/rig/.built"; then
  rm -rf "$work/rig"
  cp -r "$rig" "$work/rig"
  chmod -R u+w "$work/rig"
  # The software camera may answer an URB that the kernel has unlinked, and is unplugged for it.
  (cd "$work/rig/src" && git apply --unsafe-paths -p1 "$here/uvcsim.patch")
  "$work/rig/recipe.sh" >"$work/recipe.log" 2>&1 || { tail -20 "$work/recipe.log" >&2; exit 70; }
  cp "$here/uvcsim.patch" "$work/rig/.built"
fi

(cd "$root" && CGO_ENABLED=0 nice go test -c -o "$work/v4l2.test" ./camera/v4l2)

out=$work/out
mkdir -p "$out"
rm -f "$out"/test.log
flags=("-test.run=^TestGuest" "$@")
cat >"$out/job.in" <<JOB
. \$W/guest-lib.sh
. \$W/guest-uvc.sh
waitnode /dev/video0 || exit 71
export YUNZHAO_VM_GUEST=\$K
cd /tmp
$work/v4l2.test -test.v -test.timeout=${limit}s ${flags[*]@Q} >/vmout/test.log 2>&1
rc=\$?
dmesg | grep -E 'WARN|BUG|Oops' && rc=72
\$K quit
exit \$rc
JOB
status=0
"$work/rig/vmrun.sh" -t "$((limit + 60))" -o "$out" "$out/job.in" >"$out/console.log" 2>&1 || status=$?
cat "$out/test.log" 2>/dev/null || cat "$out/console.log"
exit "$status"
