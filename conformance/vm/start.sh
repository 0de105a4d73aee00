#!/bin/bash
# Boots a kernel of Debian in an emulated machine (conformance/src/lab/uml.rs), in mount and process namespaces of its own:
#
#   start.sh TREE EXCHANGE PROGRAMS MEMORY
#
# TREE is where setup.sh has put kernel, modules and the first files. The guest sees this machine's files through virtiofs;
# all of it is mounted read-only here, outside of the guest, but for EXCHANGE. What the guest's program writes comes on
# standard output, what its kernel says in EXCHANGE/kernel.log.
set -eu
tree=$1 exchange=$2 programs=$3 memory=$4
server=
for file in /usr/lib/qemu/virtiofsd /usr/libexec/virtiofsd; do [ ! -x $file ] || server=$file; done
share=$tree/share
mount -o bind,ro / "$share/host"
# What is on file systems of its own is not beneath that.
for folder in etc usr var opt home root var/cache; do
  if mountpoint -q "/$folder"; then mount -o bind,ro "/$folder" "$share/host/$folder"; fi
done
mount -o bind,ro "$programs" "$share/programs"
mount -o bind,ro "$tree/modules" "$share/modules"
mount --bind "$exchange" "$share/exchange"
"$server" --socket-path="$exchange/files.sock" -o "source=$share" -o cache=always -o sandbox=chroot > "$exchange/files.log" 2>&1 &
for _ in $(seq 200); do [ ! -S "$exchange/files.sock" ] || break; sleep 0.05; done
# Emulation goes everywhere; KVM may be there and yet not run a kernel like this one, if the processor lacks the flags.
if grep -qwE 'vmx|svm' /proc/cpuinfo && [ -w /dev/kvm ]; then
  processor="-accel kvm -cpu host"
else
  processor="-accel tcg,thread=multi -cpu max"
fi
# shellcheck disable=SC2086
exec qemu-system-x86_64 $processor -M q35 -smp 2 -m "$memory" -nodefaults -display none -no-reboot \
  -object "memory-backend-memfd,id=memory,size=$memory,share=on" -numa node,memdev=memory \
  -chardev "socket,id=files,path=$exchange/files.sock" -device vhost-user-fs-pci,chardev=files,tag=share,queue-size=1024 \
  -device virtio-serial-pci -chardev file,id=output,path=/dev/stdout,append=on -device virtserialport,chardev=output,name=output \
  -serial "file:$exchange/kernel.log" -kernel "$tree/vmlinuz" -initrd "$tree/initramfs.gz" \
  -append "console=ttyS0 quiet panic=-1 mitigations=off no_timer_check tsc=reliable" < /dev/null
