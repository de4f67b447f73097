#!/bin/bash
# Builds the test machine in the folder given: a Debian kernel and busybox are downloaded and unpacked, not installed;
# only QEMU is installed, where it is missing. Needs apt, and root for that. About half a minute and 450 MB, once.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=${1:?usage: build.sh WORKDIR}
mkdir -p "$work"
cd "$work"
if ! command -v qemu-system-x86_64 >/dev/null; then
	apt-get install -y --no-install-recommends qemu-system-x86 >/dev/null
fi
image=$(apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -1)
[[ -n $image ]] || { echo "build.sh: apt knows no linux-image-amd64; this needs Debian 12 (apt-get update?)" >&2; exit 69; }
release=${image#linux-image-}
rm -rf debs kernel busybox initrd
mkdir -p debs kernel busybox initrd/bin initrd/mods
(cd debs && apt-get download "$image" busybox-static >/dev/null 2>&1)
dpkg -x debs/linux-image-*.deb kernel
dpkg -x debs/busybox-static_*.deb busybox
rm -rf debs
box=$work/busybox/bin/busybox
"$box" depmod -b "$work/kernel" "$release"
# What reaches the host's files is loaded from the first file system, in the order of need.
modules=kernel/lib/modules/$release
for m in virtio_pci 9pnet_virtio 9p overlay; do
	deps=$(grep -E "/$m\.ko:" "$modules/modules.dep" | tr -d : | tr ' ' '\n' | tac)
	for p in $deps; do
		name=$(basename "$p")
		grep -qx "$name" initrd/mods/order 2>/dev/null && continue
		cp "$modules/$p" "initrd/mods/$name"
		echo "$name" >>initrd/mods/order
	done
done
cp "$box" initrd/bin/busybox
install -m755 "$here/init" initrd/init
(cd initrd && find . | LC_ALL=C sort | "$box" cpio -o -H newc 2>/dev/null) >initrd.img
echo "$release" >release
