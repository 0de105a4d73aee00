#!/bin/bash
# Installs what the demo and the lab tests need on Debian: WireGuard, FRR and containers.
#
#   conformance/setup.sh            install what is missing (needs root only when something is)
#   conformance/setup.sh --check    say what is missing and change nothing; exit 1 if anything is
#
# FRR is installed as a program to test against. Its service is kept from starting, now and at boot,
# so that the machine's own routing stays as it was; a service already in use is left alone.
set -eu

packages="iputils-ping iproute2 wireguard-go wireguard-tools frr podman runc"

installed() { dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed; }

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  echo "setup: this is not a Debian system; install by hand: $packages" >&2
  exit 1
fi

missing=
for package in $packages; do
  installed "$package" || missing="$missing $package"
done

if [ -z "$missing" ]; then
  echo "setup: everything is there"
  exit 0
fi
if [ "${1:-}" = --check ]; then
  echo "setup: missing:$missing"
  exit 1
fi
if [ "$(id -u)" != 0 ]; then
  echo "setup: missing:$missing" >&2
  echo >&2
  echo "hint: run this as root: sudo $0" >&2
  exit 1
fi

# Debian asks policy-rc.d before a package starts its service: 101 means "not now".
policy=/usr/sbin/policy-rc.d
ours=
if [ ! -e $policy ]; then
  printf '#!/bin/sh\nexit 101\n' > $policy
  chmod 755 $policy
  ours=1
fi
trap '[ -z "$ours" ] || rm -f $policy' EXIT

export DEBIAN_FRONTEND=noninteractive
echo "setup: installing$missing"
# The lists may name versions that the mirror no longer has, or may not be there at all.
# shellcheck disable=SC2086
if ! apt-get install -y -qq --no-install-recommends $missing >/dev/null 2>&1; then
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi

case "$missing" in
*frr*)
  if command -v systemctl >/dev/null && [ -d /run/systemd/system ]; then
    systemctl disable --now frr.service >/dev/null 2>&1 || true
  elif command -v update-rc.d >/dev/null; then
    update-rc.d frr disable >/dev/null 2>&1 || true
  fi
  ;;
esac

[ -e /dev/net/tun ] || echo "setup: no /dev/net/tun: WireGuard in user space needs it" >&2
echo "setup: done"
