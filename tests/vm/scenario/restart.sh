# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# Under load the daemon is restarted, killed, and stopped so that the watchdog kills it: nothing is lost.
# vm-boot:
# vm-timeout: 600

# runs [HOW]: how many runs of the daemon there have been, or have ended so.
runs() { sql "SELECT count(*) FROM recorder WHERE ${1:+ended = }'${1:-1}'"; }

boot_1()
{
	local i old runs handed_over killed
	check package-installs install_lineaged || return 0
	# The unit's 30 s are for real nodes; what is tested is that the watchdog's kill loses nothing.
	mkdir -p /etc/systemd/system/lineaged.service.d
	printf '[Service]\nWatchdogSec=%d\nTimeoutAbortSec=4\n' $((8 * VM_SLOW)) >/etc/systemd/system/lineaged.service.d/vm.conf
	systemctl daemon-reload
	check service-starts start_lineaged || return 0
	systemctl restart lineaged
	wait_for 60 is_active
	runs=$(runs) handed_over=$(runs 'handed over') killed=$(runs killed)
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
	equal runs-are-recorded "$(runs)" $((runs + 6))
	equal restarts-are-told "$(runs 'handed over')" $((handed_over + 3))
	equal killed-runs-are-told "$(runs killed)" $((killed + 3))
	check no-program-is-left-over wait_for 60 sh -c "[ \"\$(bpftool prog list | grep -c 'name lineage_exec ')\" = 1 ]"
	check watchdog-was-it sh -c 'journalctl -u lineaged --no-pager | grep -q "Watchdog timeout"'
	keep_database restart
	rm /etc/systemd/system/lineaged.service.d/vm.conf
	systemctl daemon-reload
	systemctl restart lineaged
}
