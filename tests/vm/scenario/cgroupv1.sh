# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Nodes with the older cgroup hierarchies: hybrid (v1 beside v2) and legacy (v1 alone).
# vm-boot: systemd.unified_cgroup_hierarchy=0
# vm-boot: systemd.unified_cgroup_hierarchy=0 systemd.legacy_systemd_cgroup_controller=1
# vm-timeout: 600

boot_1()
{
	local since
	# shellcheck source=/dev/null
	. "$VM/guest/containers"
	check package-installs install_lineaged || return 0
	check hybrid-is-on mountpoint -q /sys/fs/cgroup/unified || return 0
	check hybrid-service-starts start_lineaged || return 0
	modprobe overlay
	since=$(date +%s%N)
	works hybrid
	check hybrid-image-is-made containers_image && container hybrid
	check hybrid-nothing-is-lost nothing_lost "$since"
	check hybrid-verify-passes verify_passes
	keep_database hybrid
	touch /run/vm/reboot
}

boot_2()
{
	local since
	# shellcheck source=/dev/null
	. "$VM/guest/containers"
	check legacy-is-on test "$(stat -fc %T /sys/fs/cgroup/systemd)" = cgroupfs -o \
		"$(stat -fc %T /sys/fs/cgroup/systemd)" = tmpfs || return 0
	refused legacy-has-no-cgroup2 grep -q ' cgroup2 ' /proc/mounts
	check legacy-service-starts wait_for 60 is_active || return 0
	modprobe overlay
	since=$(date +%s%N)
	works legacy
	container legacy
	check legacy-nothing-is-lost nothing_lost "$since"
	check legacy-verify-passes verify_passes
	keep_database legacy
}

# A chain, and the unit of a process by its cgroup.
works()
{
	local pid
	pid=$(run_chain "chain-$1")
	systemd-run --quiet --wait --unit="vm-probe-$1" /bin/true "probe-$1"
	check "$1-settles" settle
	check "$1-chain-is-right" chain_holds "$pid"
	check "$1-cgroup-is-the-unit" sql_is "/system.slice/vm-probe-$1.service" \
		"SELECT cgroup FROM process WHERE args = '[\"/bin/true\",\"probe-$1\"]'"
}

container()
{
	local id said=/var/lib/vm/podman-$1.log
	if id=$(podman_run "pod$1" "first-$1" "second-$1" 2>"$said"); then
		ok "$1-podman-runs"
		check "$1-podman-settles" settle
		check "$1-podman-first-life" attack_recorded "first-$1" "$id"
		check "$1-podman-second-life" attack_recorded "second-$1" "$id"
		check "$1-podman-tree" tree_names "first-$1" "pod$1" "$id"
	elif grep -q 'hybrid mode not supported' "$said"; then
		# Newer kernels are built without some controllers of v1, which cgroup2 then has.
		skip "$1-podman-runs" "$(tail -n 1 "$said")"
		podman rm -f -t 0 "pod$1" >/dev/null
	else
		not_ok "$1-podman-runs" "$(tail -n 3 "$said")"
	fi
	check "$1-containerd-runs" containerd_run "ctr$1" "attack-$1" || return 0
	check "$1-containerd-settles" settle
	check "$1-containerd-attack" attack_recorded "attack-$1" "ctr$1"
	check "$1-containerd-tree" tree_names "attack-$1" "ctr$1" "ctr$1"
}
