# First process of an emulated machine (conformance/src/lab/uml.rs), run by busybox from the first files; the share of
# start.sh is at /share. Makes a root of this machine's files that takes writes and forgets them, with /run and /tmp of its
# own, runs /run/uml/command.sh there, leaves the status in /run/uml/status and switches the guest off.
fail() { echo "no root for the guest: $1"; poweroff -f; }
mkdir -p /writes /new
mount -t tmpfs -o size=70% writes /writes || fail tmpfs
mkdir /writes/upper /writes/work
mount -t overlay -o lowerdir=/share/host,upperdir=/writes/upper,workdir=/writes/work root /new || fail overlay
for folder in dev proc sys; do mount --move /$folder /new/$folder; done
mount -t tmpfs run /new/run
mount -t tmpfs -o mode=1777 tmp /new/tmp
mkdir -p /new/dev/pts /new/dev/shm /new/run/lock /new/run/uml /new/tmp/rbgpd-lab-logs
mount -t devpts pts /new/dev/pts
mount -t tmpfs shm /new/dev/shm
programs=$(cat /share/exchange/programs)
mkdir -p "/new$programs" /new/usr/lib/modules
mount --bind /share/programs "/new$programs" || fail programs
mount --bind /share/modules /new/usr/lib/modules || fail modules
mount --bind /share/exchange /new/run/uml || fail exchange
mount --bind /share/exchange/logs /new/tmp/rbgpd-lab-logs
cp /bin/busybox /new/run/busybox
exec switch_root /new /bin/bash -c '
  export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb
  for port in /sys/class/virtio-ports/*; do [ "$(cat $port/name)" != output ] || output=/dev/${port##*/}; done
  hostname vm
  ip link set lo up
  ulimit -n 65536
  modprobe -a ipv6 tun
  bash /run/uml/command.sh < /dev/null > $output 2>&1
  echo $? > /run/uml/status
  sync
  /run/busybox poweroff -f'
