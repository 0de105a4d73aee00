#!/bin/bash
# First process of a guest in user-mode Linux (conformance/src/lab/uml.rs). Its root is the tree of start.sh; the machine's
# files are beneath /host. Makes a root of them that takes writes and forgets them, with /run and /tmp of its own, runs
# /exchange/command.sh there, leaves the status in /exchange/status and switches the guest off.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb
off() { sync; echo 0 > /proc/sys/kernel/printk; echo o > /proc/sysrq-trigger; sleep 10; }
fail() { echo "no root for the guest: $1"; off; }
mount -t proc proc /proc
mount -t sysfs sys /sys
echo 1 > /proc/sys/kernel/printk
stty -F /dev/console -onlcr 2>/dev/null
modprobe -a overlay ipv6 tun 2>/dev/null
mount -t tmpfs -o size=70% writes /mnt || fail "tmpfs"
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay -o lowerdir=/host,upperdir=/mnt/upper,workdir=/mnt/work root /mnt/root || fail "overlay"
cd /mnt/root || fail "no folder"
mount --bind /proc proc
mount --bind /sys sys
mount -t devtmpfs dev dev
mkdir -p dev/pts dev/shm dev/net
[ -e dev/net/tun ] || mknod dev/net/tun c 10 200
mount -t devpts pts dev/pts
mount -t tmpfs shm dev/shm
mount -t tmpfs run run
mount -t tmpfs -o mode=1777 tmp tmp
mkdir -p run/lock run/uml run/tree tmp/rbgpd-lab-logs
# Modules are in the tree, and so is what loads them when a device of a kind is asked for.
mount --rbind / run/tree
printf '#!/bin/sh\nexec chroot /run/tree /sbin/modprobe "$@"\n' > run/modprobe
chmod +x run/modprobe
echo /run/modprobe > /proc/sys/kernel/modprobe
mount -t hostfs -o hostfs=/exchange exchange run/uml || fail "exchange"
mount --bind run/uml/logs tmp/rbgpd-lab-logs
programs=$(cat run/uml/programs)
mkdir -p ".$programs"
mount -t hostfs -o ro,hostfs=/programs programs ".$programs" || fail "programs"
mount --move . /
export -f off
exec chroot . /bin/bash -c '
  hostname uml
  ip link set lo up
  bash /run/uml/command.sh < /dev/null 2>&1
  echo $? > /run/uml/status
  off'
