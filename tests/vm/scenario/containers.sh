# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# An attack inside of a container that is then restarted and removed: its tree, id and name are still there.
# vm-boot:
# vm-timeout: 600

boot_1()
{
	local since
	# shellcheck source=/dev/null
	. "$VM/guest/containers"
	check package-installs install_lineaged || return 0
	check service-starts start_lineaged || return 0
	modprobe overlay
	since=$(date +%s%N)
	if check image-is-made containers_image; then
		podman_container
		containerd_container
	fi
	check verify-passes verify_passes
	check nothing-is-lost nothing_lost "$since"
	keep_database containers
}

podman_container()
{
	local id
	check podman-runs podman run -d --name web --network=host "$CONTAINER_IMAGE" || return 0
	id=$(podman inspect -f '{{.Id}}' web)
	check podman-attack-1 podman exec web /bin/attack first
	check podman-restarts podman restart -t 0 web
	check podman-attack-2 podman exec web /bin/attack second
	check podman-removes podman rm -f -t 0 web
	check podman-settles settle
	equal podman-is-gone "$(podman ps -aq)" ""
	check podman-first-life attack_recorded first "$id"
	check podman-second-life attack_recorded second "$id"
	equal podman-name "$(sql "SELECT group_concat(DISTINCT container_name) FROM process WHERE container_id = '$id'")" web
	equal podman-runtime "$(sql "SELECT group_concat(DISTINCT runtime) FROM cgroup WHERE container_id = '$id'")" podman
	equal podman-image "$(sql "SELECT group_concat(DISTINCT image_name) FROM cgroup WHERE container_id = '$id'")" \
		"$CONTAINER_IMAGE"
	check podman-tree tree_names first web "$id"
	equal podman-select-by-name "$(lineage-query window --since -1h --container web -o json |
		jq -r '[.processes[] | select(.context | not)] | map(.container_id) | unique | join(" ")')" "$id"
	check conmon-is-on-the-host sql_is 0 "SELECT count(*) FROM process WHERE exe LIKE '%/conmon' AND container_id IS NOT NULL"
	check conmon-is-recorded test "$(sql "SELECT count(*) FROM process WHERE exe LIKE '%/conmon'")" -ge 2
	check upper-layer-is-told sql_is 1 "SELECT min(upper_layer) FROM exec WHERE exe LIKE '%/tmp/busybox-dropper'"
	check lower-layer-is-told sql_is 0 "SELECT max(x.upper_layer) FROM exec x JOIN process p USING (process_id)
		WHERE p.container_id = '$id' AND x.args = '[\"/bin/sleep\",\"1000000\"]'"
}

containerd_container()
{
	check containerd-runs containerd_run ctrweb third fourth || return 0
	check containerd-settles settle
	check containerd-first-life attack_recorded third ctrweb
	check containerd-second-life attack_recorded fourth ctrweb
	equal containerd-runtime "$(sql "SELECT group_concat(DISTINCT runtime) FROM cgroup WHERE container_id = 'ctrweb'")" \
		containerd
	equal containerd-name "$(sql "SELECT group_concat(DISTINCT container_name) FROM process
		WHERE container_id = 'ctrweb'")" ctrweb
	check containerd-tree tree_names third ctrweb ctrweb
}
