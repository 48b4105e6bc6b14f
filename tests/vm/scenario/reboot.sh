# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Across an orderly reboot the record of the last boot stays, closed, and told apart from this one's.
# The second boot is under lockdown=integrity, which must not matter.
# vm-boot:
# vm-boot: lockdown=integrity
# vm-timeout: 480

boot_1()
{
	check package-installs install_lineaged || return 0
	check service-starts start_lineaged || return 0
	run_chain before-reboot >/var/lib/vm/chain.pid
	# Alive until the shutdown ends it.
	systemd-run --quiet --unit=vm-sleeper sleep 98765
	check settles settle
	cat /proc/sys/kernel/random/boot_id >/var/lib/vm/boot_id
	touch /run/vm/reboot
}

boot_2()
{
	local old new pid
	old=$(cat /var/lib/vm/boot_id)
	new=$(cat /proc/sys/kernel/random/boot_id)
	pid=$(cat /var/lib/vm/chain.pid)
	check starts-at-boot wait_for 60 is_active || return 0
	check settles settle
	check two-boots sql_is 2 'SELECT count(DISTINCT boot_id) FROM process'
	check last-boot-is-closed sql_is 0 "SELECT count(*) FROM process WHERE boot_id = '$old' AND end IS NULL"
	check sleeper-is-closed sql_is 1 \
		"SELECT count(*) FROM process WHERE boot_id = '$old' AND args = '[\"/usr/bin/sleep\",\"98765\"]'
			AND end IS NOT NULL AND end_provenance IN ('observed', 'inferred')"
	check last-run-has-ended sql_is 0 "SELECT count(*) FROM recorder WHERE boot_id = '$old' AND ended = 'running'"
	equal boot-tells-them-apart "$(lineage-query window --boot -1 --since -1day -o json |
		jq -r '[.processes[].boot_id] | unique | join(" ")')" "$old"
	equal boot-0-is-this-one "$(lineage-query window --boot 0 --since -1day -o json |
		jq -r '[.processes[].boot_id] | unique | join(" ")')" "$new"
	check chain-of-last-boot sh -c \
		"lineage-query tree --boot -1 --pid $pid | grep -q 'false before-reboot'"
	check run-was-stopped sql_is stopped "SELECT ended FROM recorder WHERE boot_id = '$old'
		ORDER BY started_unix_ns DESC LIMIT 1"
	check verify-passes verify_passes
	lockdown
	check early-boot-is-recorded test "$(sql "SELECT count(*) FROM process
		WHERE boot_id = '$new' AND provenance = 'observed'")" -gt 10
	keep_database reboot
}

lockdown()
{
	local pid
	check lockdown-integrity-is-on locked_down integrity || return 0
	check lockdown-check-says-it-can lineaged --check
	pid=$(run_chain "lockdown")
	check lockdown-settles settle
	check lockdown-chain-is-right chain_holds "$pid"
}
