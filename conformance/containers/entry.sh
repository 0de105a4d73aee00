#!/bin/bash
# What an FRR container runs: every daemon this release has, then the mounted configuration /frr.conf,
# then nothing until it is told to stop. Prints "FRR READY" when the configuration is loaded.
set -u
install -d -o frr -g frr /run/frr /var/lib/frr /var/tmp/frr /var/log/frr
for daemon in mgmtd zebra staticd bfdd bgpd; do
  [ -x /usr/lib/frr/$daemon ] || continue
  extra=
  [ $daemon = zebra ] && extra="-s 90000000"
  /usr/lib/frr/$daemon -d -A 127.0.0.1 $extra || exit 1
done
touch /etc/frr/vtysh.conf
vtysh -f /frr.conf || exit 1
echo "FRR READY"
trap 'kill -TERM $(cat /run/frr/*.pid) 2>/dev/null; exit 0' TERM INT
while :; do sleep 3600 & wait $!; done
