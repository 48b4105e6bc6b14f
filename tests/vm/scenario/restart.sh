# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# Under load the daemon is restarted, killed, and stopped so that the watchdog kills it: nothing is lost.
# vm-boot:
# vm-installed: yes
# vm-timeout: 600

boot_1()
{
	local i old
	check package-installs install_lineaged || return 0
	# The unit's 30 s are for real nodes; what is tested is that the watchdog's kill loses nothing.
	mkdir -p /etc/systemd/system/lineaged.service.d
	printf '[Service]\nWatchdogSec=%d\nTimeoutAbortSec=4\n' $((8 * VM_SLOW)) >/etc/systemd/system/lineaged.service.d/vm.conf
	systemctl daemon-reload
	check service-starts start_lineaged || return 0
	systemctl restart lineaged
	flood_start restart
	for i in 1 2 3; do
		sleep 1
		check "restart-$i" systemctl restart lineaged
	done
	for i in 1 2; do
		sleep 1
		old=$(main_pid)
		kill -KILL "$old"
		check "comes-back-after-kill-$i" wait_for 60 ready_again "$old"
	done
	old=$(main_pid)
	kill -STOP "$old"
	check comes-back-after-watchdog wait_for 90 ready_again "$old"
	sleep 1
	flood_stop 500
	check settles settle 120
	note "processes made under load: $flood_made"
	check load-was-a-load test "$flood_made" -ge 500
	check all-are-recorded-once flood_recorded restart "$flood_made"
	check nothing-is-lost nothing_lost
	check verify-passes verify_passes
	check runs-are-recorded sql_is 8 'SELECT count(*) FROM recorder'
	check restarts-are-told sql_is 4 "SELECT count(*) FROM recorder WHERE ended = 'handed over'"
	check killed-runs-are-told sql_is 3 "SELECT count(*) FROM recorder WHERE ended = 'killed'"
	check no-program-is-left-over wait_for 60 sh -c "[ \"\$(bpftool prog list | grep -c 'name lineage_exec ')\" = 1 ]"
	check watchdog-was-it sh -c 'journalctl -u lineaged --no-pager | grep -qi watchdog'
	keep_database restart
}
