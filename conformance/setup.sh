#!/bin/bash
# Installs what the demo and the lab tests need on Debian: WireGuard, FRR, BIRD and containers.
#
#   conformance/setup.sh            install what is missing (needs root only when something is)
#   conformance/setup.sh --check    say what is missing and change nothing; exit 1 if anything is
#   conformance/setup.sh --test     also what the tests need: valgrind to count instructions, StayRTR as a cache of the
#                                   RPKI, the neighbours of the interoperability matrix: those of --bench, and ExaBGP;
#                                   and a kernel that runs as a program (user-mode Linux), for labs with VRFs on
#                                   machines whose own kernel has none
#   conformance/setup.sh --vm       also a kernel of Debian's and qemu to run it, for WireGuard in the kernel; unpacked below
#                                   /var/cache/rbgpd-bench
#   conformance/setup.sh --bench    also what `make bench` compares with: BIRD, and newer releases of BIRD, FRR,
#                                   GoBGP and OpenBGPD, which are unpacked below
#                                   /var/cache/rbgpd-bench and not installed
#
# FRR, BIRD and StayRTR are installed as programs to test against. Their services are kept from starting, now and at boot,
# so that the machine's own routing stays as it was; a service already in use is left alone.
set -eu

packages="iputils-ping iproute2 wireguard-go wireguard-tools frr podman runc"

mode=${1:-}
unpacked=
incomplete=
if [ "$mode" = --test ]; then
  unpacked=1
  packages="$packages bird2 valgrind stayrtr"
fi
if [ "$mode" = --bench ]; then
  unpacked=1
  packages="$packages bird2"
fi

if [ "$mode" = --vm ]; then
  unpacked=1
  packages="$packages qemu-system-x86 busybox-static kmod"
  # A package of its own since Debian 13, and part of qemu before.
  if apt-cache show virtiofsd >/dev/null 2>&1; then packages="$packages virtiofsd"; fi
fi

installed() { dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed; }

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  echo "setup: this is not a Debian system; install by hand: $packages" >&2
  exit 1
fi

missing=
for package in $packages; do
  installed "$package" || missing="$missing $package"
done

# Unpacks packages of another Debian suite and what they need into a folder of their own. No
# maintainer script runs; what those would have made is made here.
unpack() { # folder suite package...
  local root=/var/cache/rbgpd-bench/$1 suite=$2 work mirror option
  shift 2
  [ ! -e "$root/complete" ] || return 0
  work=$(mktemp -d)
  mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
    grep -v '^ *#' | tr ' \t' '\n\n' | grep -m1 -E '^https?://.*/debian/?$') || mirror=
  mirror=${RBGPD_DEBIAN_MIRROR:-${mirror:-http://deb.debian.org/debian}}
  mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/empty"
  : > "$work/status"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" > "$work/sources.list"
  local options=()
  for option in "Dir::Etc::sourcelist=$work/sources.list" "Dir::Etc::sourceparts=$work/empty" \
    "Dir::Etc::preferencesparts=$work/empty" "Dir::State::lists=$work/lists" \
    "Dir::State::status=$work/status" "Dir::Cache=$work/cache" Debug::NoLocking=1 \
    APT::Install-Recommends=0 APT::Sandbox::User=root Acquire::Languages=none \
    DPkg::Post-Invoke= APT::Update::Post-Invoke-Success=; do
    options+=(-o "$option")
  done
  if ! apt-get -qq "${options[@]}" -o APT::Update::Error-Mode=any update; then
    echo "setup: no packages of $suite for $root: $mirror does not answer; what needs them is skipped" >&2
    incomplete=1
    rm -rf "$work"
    return 0
  fi
  rm -rf "$root"
  mkdir -p "$root/usr/bin" "$root/usr/sbin" "$root/usr/lib" "$root/usr/lib64"
  local folder package file
  for folder in bin sbin lib lib64; do ln -s "usr/$folder" "$root/$folder"; done
  for package; do
    # A package that the suite does not have is left out, and the benchmark says so.
    apt-get -qq -y "${options[@]}" --download-only install base-files bash coreutils "$package" >/dev/null 2>&1 ||
      echo "setup: $suite has no $package" >&2
  done
  for file in "$work"/cache/archives/*.deb; do
    dpkg-deb --fsys-tarfile "$file" | tar -x --keep-directory-symlink -C "$root" \
      --exclude='./usr/share/doc/*' --exclude='./usr/share/man/*' --exclude='./usr/share/locale/*'
  done
  rm -rf "$work"
  mkdir -p "$root/proc" "$root/dev" "$root/tmp" "$root/run/bench" "$root/run/frr" "$root/run/bird" \
    "$root/run/openbgpd" "$root/etc/frr" "$root/var/empty" "$root/var/lib/frr" "$root/var/log/frr" \
    "$root/var/tmp/frr"
  [ -e "$root/var/run" ] || ln -s /run "$root/var/run"
  chmod 1777 "$root/tmp"
  printf '%s\n' root:x:0:0:root:/root:/bin/bash frr:x:110:110::/:/bin/false \
    _bgpd:x:112:112::/run/openbgpd:/bin/false _openbgpd:x:113:113::/run/openbgpd:/bin/false \
    bird:x:114:114::/:/bin/false > "$root/etc/passwd"
  printf '%s\n' root:x:0: frr:x:110: frrvty:x:111:frr _bgpd:x:112: _openbgpd:x:113: bird:x:114: > "$root/etc/group"
  chown -R 110:110 "$root/run/frr" "$root/etc/frr" "$root/var/lib/frr" "$root/var/log/frr" "$root/var/tmp/frr"
  : > "$root/complete"
  echo "setup: packages of $suite are in $root"
}

newer_releases() {
  [ -n "$unpacked" ] || return 0
  if [ "$(id -u)" != 0 ]; then
    echo "setup: newer releases are unpacked by root only" >&2
    return 0
  fi
  if [ "$mode" = --vm ]; then
    emulated_machine
    return 0
  fi
  # The tests unpack this one themselves.
  if [ "$mode" = --bench ]; then unpack trixie trixie frr; fi
  unpack sid sid frr bird2 gobgpd openbgpd
  # bird2 and bird3 have the same file names.
  unpack bird3 sid bird3
  if [ "$mode" = --test ]; then
    unpack exabgp sid exabgp
    user_mode_linux
  fi
}

# A kernel that runs as a program. That of bookworm dies at its start on processors with much state to save.
user_mode_linux() {
  local root=/var/cache/rbgpd-bench/uml modules
  unpack uml sid user-mode-linux kmod mount
  [ ! -e "$root/exchange" ] || return 0
  modules=$(ls "$root/usr/lib/uml/modules" 2>/dev/null) || modules=
  if [ ! -x "$root/usr/bin/linux.uml" ] || [ -z "$modules" ]; then
    echo "setup: no user-mode Linux: labs with VRFs are skipped where the kernel has none" >&2
    rm -f "$root/complete"
    incomplete=1
    return 0
  fi
  mkdir -p "$root/lib/modules" "$root/host" "$root/programs" "$root/mnt" "$root/sys"
  ln -sfn "../uml/modules/$modules" "$root/lib/modules/$modules"
  [ -e "$root/lib/modules/$modules/modules.dep" ] || chroot "$root" depmod "$modules"
  # What start.sh needs last.
  mkdir -p "$root/exchange"
}

# Debian's kernel for machines that are programs, as a package in a folder.
kernel_package() { # folder
  local package
  package=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null |
    sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
  [ -n "$package" ] && (cd "$1" && apt-get download "$package" >/dev/null 2>&1)
}

# Kernel, modules and first files of an emulated machine: conformance/vm.
emulated_machine() {
  local root=/var/cache/rbgpd-bench/vm work version file number=10
  [ ! -e "$root/exchange" ] || return 0
  rm -rf "$root"
  mkdir -p "$root/share/host" "$root/share/exchange" "$root/share/programs" "$root/share/modules" "$root/modules"
  work=$(mktemp -d)
  # The lists may not be there, or name a kernel that the mirror no longer has.
  if ! kernel_package "$work"; then
    apt-get update -qq || true
    kernel_package "$work" || true
  fi
  if ! ls "$work"/*.deb >/dev/null 2>&1; then
    echo "setup: no kernel of Debian's: labs with WireGuard in the kernel are skipped where this one has none" >&2
    incomplete=1
    rm -rf "$work"
    return 0
  fi
  dpkg-deb -x "$work"/*.deb "$work/tree"
  # Later releases of Debian have modules below usr.
  [ ! -d "$work/tree/lib/modules" ] || { mkdir -p "$work/tree/usr/lib"; mv "$work/tree/lib/modules" "$work/tree/usr/lib/"; }
  rm -rf "$work/tree/lib"
  ln -s usr/lib "$work/tree/lib"
  version=$(ls "$work/tree/usr/lib/modules")
  depmod -b "$work/tree" "$version"
  mkdir -p "$work/first/bin" "$work/first/modules" "$work/first/share"
  for file in virtio_pci virtio_console virtiofs overlay; do
    modprobe -d "$work/tree" -S "$version" --show-depends "$file"
  done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' > "$work/list"
  while read -r file; do
    case $file in
    *.xz) xz -dc "$file" > "$work/first/modules/$number.ko" ;;
    *.zst) zstd -qdc "$file" > "$work/first/modules/$number.ko" ;;
    *) cp "$file" "$work/first/modules/$number.ko" ;;
    esac
    number=$((number + 1))
  done < "$work/list"
  cp /bin/busybox "$work/first/bin/busybox"
  cat > "$work/first/init" <<'INIT'
#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /sbin /usr/bin /usr/sbin
/bin/busybox --install -s
export PATH=/bin:/sbin:/usr/bin:/usr/sbin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in /modules/*.ko; do insmod $module; done
mount -t virtiofs share /share || poweroff -f
exec sh /share/exchange/init.sh
INIT
  chmod +x "$work/first/init"
  (cd "$work/first" && find . | busybox cpio -o -H newc 2>/dev/null) | gzip -1 > "$root/initramfs.gz"
  cp "$work"/tree/boot/vmlinuz-* "$root/vmlinuz"
  cp -a "$work/tree/usr/lib/modules/$version" "$root/modules/"
  rm -rf "$work"
  # What uml.rs asks for, last.
  mkdir -p "$root/exchange"
  echo "setup: a kernel for an emulated machine is in $root"
}

if [ -z "$missing" ]; then
  newer_releases
  [ -n "$incomplete" ] || echo "setup: everything is there"
  exit 0
fi
if [ "$mode" = --check ]; then
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

for service in frr bird stayrtr; do
  case "$missing" in
  *$service*)
    if command -v systemctl >/dev/null && [ -d /run/systemd/system ]; then
      systemctl disable --now $service.service >/dev/null 2>&1 || true
    elif command -v update-rc.d >/dev/null; then
      update-rc.d $service disable >/dev/null 2>&1 || true
    fi
    ;;
  esac
done

[ -e /dev/net/tun ] || echo "setup: no /dev/net/tun: WireGuard in user space needs it" >&2
newer_releases
[ -n "$incomplete" ] || echo "setup: done"
