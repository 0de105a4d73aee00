#!/bin/bash
# Boots user-mode Linux (conformance/src/lab/uml.rs), in mount and process namespaces of its own:
#
#   start.sh TREE EXCHANGE PROGRAMS MEMORY
#
# TREE, where setup.sh has unpacked kernel and libraries, becomes the root of the kernel's process and of the guest at its
# boot. The guest reads and writes files with the rights of that process, so everything it sees is mounted read-only here,
# outside of the guest, but for EXCHANGE.
set -eu
tree=$1 exchange=$2 programs=$3 memory=$4
mount --bind "$tree" "$tree"
cd "$tree"
mount -o bind,ro / host
# What is on file systems of its own is not beneath that.
for folder in etc usr var opt home root var/cache; do
  if mountpoint -q "/$folder"; then mount -o bind,ro "/$folder" "host/$folder"; fi
done
mount -o bind,ro "$programs" programs
mount --bind "$exchange" exchange
mount -t proc proc proc
mount --rbind /dev dev
# The guest's memory is a file in here.
mount -t tmpfs -o mode=1777 tmp tmp
mount -o remount,bind,ro "$tree"
exec env -i HOME=/tmp TMPDIR=/tmp PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot "$tree" /usr/bin/linux.uml \
  "mem=$memory" root=/dev/root rootfstype=hostfs rootflags=/ ro con=null con0=null,fd:1 ssl=null quiet loglevel=1 \
  init=/exchange/init.sh < /dev/null
