# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The harness itself: the guest boots to multi-user on this kernel with what the other scenarios need.
# vm-boot:
# vm-timeout: 120

boot_1()
{
	check kernel-has-btf test -r /sys/kernel/btf/vmlinux
	check bpffs-mounted mountpoint -q /sys/fs/bpf
	check unified-cgroups test -e /sys/fs/cgroup/cgroup.controllers
	equal root-is-ext4 "$(findmnt -no FSTYPE /)" ext4
	check modules-load modprobe overlay
	check bpf-loads bpftool prog list
	equal nothing-failed "$(systemctl list-units --failed --plain --no-legend | cut -d' ' -f1)" ""
	note "multi-user after $(cut -d' ' -f1 /proc/uptime) s"
}
