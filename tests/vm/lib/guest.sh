# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The guest: Debian file systems and per-kernel boot files, built once and kept in the cache.
#
# A guest is a plain Debian with systemd in an ext4 image. Nothing of lineaged or of the tests is in
# it: the first boot stage (initrd/init) adds the payload of the run to /run, so that a guest can be kept for
# as long as its recipe, this file, does not change. Not here: kernels (kernels.sh), booting (boot.sh).

VM_GUEST_SUITE=bookworm
VM_GUEST_SIZE=3G
# What scenarios may use: the package's own libraries, systemd, and tools to look from outside; and two container
# runtimes with two ways of naming their cgroups.
VM_PACKAGES="systemd-sysv systemd dbus apt sqlite3 jq bpftool procps kmod busybox-static
	util-linux iproute2 python3-minimal libpython3-stdlib strace
	libbpf1 libelf1 libsystemd0 libsqlite3-0 libinih1 libxxhash0 libssl3 libjson-c5 libsmartcols1
	libunistring2 libsubunit0 check zlib1g
	podman crun conmon containerd runc iptables"

# guest_sources: deb lines of the guest's suite on the mirror of this machine.
guest_sources()
{
	local suite uri
	for suite in "$VM_GUEST_SUITE" "$VM_GUEST_SUITE-security"; do
		uri=$(kernels_mirror "$suite")
		[ -n "$uri" ] || { echo "vm: apt knows no Debian mirror for $suite" >&2; return 1; }
		echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $uri $suite main"
	done
}

# guest_configure ROOT: what a test guest has different from a plain Debian.
guest_configure()
{
	local root=$1 unit
	echo lineaged-vm >"$root/etc/hostname"
	echo '127.0.0.1 localhost lineaged-vm' >"$root/etc/hosts"
	# Nothing to mount and no console to log in on: without udev, waiting for a device takes 90 s.
	: >"$root/etc/fstab"
	# A known machine is no first boot, which would set every unit to its preset: 6 s.
	echo 6c696e65616765642d746573742d766d >"$root/etc/machine-id"
	: >"$root/etc/apt/sources.list"
	# Not under test, and each costs seconds under emulation.
	for unit in apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer e2scrub_reap.service \
		fstrim.timer dpkg-db-backup.timer logrotate.timer man-db.timer getty@tty1.service serial-getty@ttyS0.service \
		systemd-timesyncd.service systemd-networkd.service systemd-resolved.service \
		systemd-pstore.service systemd-machine-id-commit.service podman.socket podman.service \
		podman-auto-update.timer podman-auto-update.service podman-restart.service \
		containerd.service ldconfig.service \
		systemd-networkd.socket systemd-network-generator.service systemd-firstboot.service \
		systemd-modules-load.service modprobe@dm_mod.service modprobe@drm.service modprobe@loop.service \
		modprobe@fuse.service modprobe@configfs.service systemd-update-utmp.service \
		systemd-update-utmp-runlevel.service systemd-random-seed.service sys-kernel-config.mount \
		sys-kernel-debug.mount sys-fs-fuse-connections.mount; do
		ln -sf /dev/null "$root/etc/systemd/system/$unit"
	done
	rm -rf "${root:?}"/usr/share/{doc,man,locale,info} "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/*
	mkdir -p "$root/var/lib/apt/lists/partial" "$root/var/cache/apt/archives/partial"
	mkdir -p "$root/usr/lib/modules" "$root/run" "$root/proc" "$root/sys" "$root/dev"
}

# guest_image CACHE: builds the image if need be and prints its path.
guest_image()
{
	local cache=$1/guests hash image sources
	hash=$(sha256sum "${BASH_SOURCE[0]}" | cut -c1-16)
	image=$cache/guest-$hash.img
	if [ ! -e "$image" ]; then
		mkdir -p "$cache"
		rm -rf "$cache"/*.root
		rm -f "$cache"/*.img
		sources=$(guest_sources) || return 1
		echo "vm: building the guest" >&2
		# shellcheck disable=SC2086 # words, one by one
		mmdebstrap --variant=minbase --quiet --mode=root --include="$(echo $VM_PACKAGES | tr ' ' ,)" \
			--aptopt='APT::Install-Recommends "false"' \
			--aptopt='Acquire::Check-Valid-Until "false"' --aptopt='Acquire::Retries "3"' \
			"$VM_GUEST_SUITE" "$cache/guest.root" - <<<"$sources" >&2 || return 1
		guest_configure "$cache/guest.root"
		rm -f "$image.tmp"
		mke2fs -q -t ext4 -L root -O ^metadata_csum,^orphan_file -E lazy_itable_init=1 \
			-d "$cache/guest.root" "$image.tmp" "$VM_GUEST_SIZE" >/dev/null || return 1
		rm -rf "$cache/guest.root"
		mv "$image.tmp" "$image"
	fi
	echo "$image"
}

# guest_modules DIR: image of the kernel's modules, and the order in which the disk's drivers load.
# Debian builds virtio and ext4 as modules in most of its kernels, so the first stage brings them.
guest_modules()
{
	local dir=$1 release=$2
	[ -e "$dir/modules.img" ] && return 0
	depmod -b "$dir/root" "$release" 2>/dev/null || return 1
	mkdir -p "$dir/initrd/modules"
	local line path name count=0
	: >"$dir/initrd/modules/order"
	while read -r line; do
		case $line in "insmod "*) path=${line#insmod } ;; *) continue ;; esac
		path=${path%% }
		name=$(basename "$path")
		name=${name%.xz} name=${name%.zst} name=${name%.gz}
		[ -e "$dir/initrd/modules/$name" ] && continue
		case $path in
		*.xz) xz -dc "$path" ;;
		*.zst) zstd -qdc "$path" ;;
		*.gz) gzip -dc "$path" ;;
		*) cat "$path" ;;
		esac >"$dir/initrd/modules/$name"
		echo "$name" >>"$dir/initrd/modules/order"
		count=$((count + 1))
	done < <(for name in virtio_pci virtio_blk crc32c_generic ext4; do
		modprobe -d "$dir/root" -S "$release" --show-depends "$name" 2>/dev/null || true
	done)
	# Only the modules directory itself, mounted over the guest's empty one.
	rm -f "$dir/root/lib/modules/$release"/{build,source,vmlinuz}
	mke2fs -q -t ext4 -O ^has_journal,^metadata_csum,^orphan_file -m 0 -d "$dir/root/lib/modules" \
		"$dir/modules.img.tmp" 192M >/dev/null
	mv "$dir/modules.img.tmp" "$dir/modules.img"
}

# guest_initrd DIR INIT: the first stage for the kernel unpacked in DIR; INIT is the script to run.
guest_initrd()
{
	local dir=$1 init=$2 busybox=$3 hash release
	read -r _ release _ <"$dir/done"
	guest_modules "$dir" "$release" || return 1
	hash=$(cat "$init" | sha256sum | cut -c1-16)
	if [ ! -e "$dir/initrd-$hash.gz" ]; then
		rm -f "$dir"/initrd-*.gz
		mkdir -p "$dir/initrd"/{bin,proc,sys,dev,new}
		cp "$busybox" "$dir/initrd/bin/busybox"
		install -m 0755 "$init" "$dir/initrd/init"
		(cd "$dir/initrd" && find . | cpio -o -H newc -R 0:0 --quiet) | gzip -1 >"$dir/initrd.tmp"
		mv "$dir/initrd.tmp" "$dir/initrd-$hash.gz"
	fi
	echo "$dir/initrd-$hash.gz"
}

# guest_busybox CACHE: a static busybox for the first stage, taken from the guest's suite.
guest_busybox()
{
	local cache=$1/guests
	if [ ! -e "$cache/busybox" ]; then
		mkdir -p "$cache/busybox.tmp"
		(cd "$cache/busybox.tmp" &&
			APT_CONFIG=$1/kernels/apt/$VM_GUEST_SUITE/apt.conf apt-get -qq download busybox-static) >&2 || return 1
		dpkg-deb -x "$cache"/busybox.tmp/*.deb "$cache/busybox.tmp/root"
		cp "$cache/busybox.tmp/root/bin/busybox" "$cache/busybox"
		rm -rf "$cache/busybox.tmp"
	fi
	echo "$cache/busybox"
}
