# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The clock is set a day forward and back while lineaged records: each event keeps the time that was shown then.
# vm-boot:
# vm-timeout: 480

# The daemon looks at the clock with each batch and each second.
SEEN=3
DAY=86400

# step SECONDS: sets the clock by so much, and waits until that has been seen.
step()
{
	date -s "@$(($(date +%s) + $1))" >/dev/null && sleep "$SEEN"
}

# marked NAME: a process whose arguments say so; its time as the clock shows it goes into shown.
marked()
{
	shown=$(date +%s)
	/bin/true "clock-$1"
}

# started_at NAME TIME
started_at()
{
	sql_is 1 "SELECT abs(start_unix_ns / 1000000000 - $2) <= 5 FROM process WHERE args = '[\"/bin/true\",\"clock-$1\"]'"
}

boot_1()
{
	local across steps shown before forward back again
	check package-installs install_lineaged || return 0
	check service-starts start_lineaged || return 0
	steps=$(sql 'SELECT count(*) FROM clock')
	systemctl stop systemd-timesyncd chrony ntpsec >/dev/null 2>&1
	sleep 100000 &
	across=$!
	marked before && before=$shown
	check settles settle || return 0
	check sets-forward step $DAY
	marked forward && forward=$shown
	check settles-forward settle
	check sets-back step -$DAY
	marked back && back=$shown
	check settles-back settle
	check sets-back-again step -$DAY
	marked again && again=$shown
	kill "$across" && wait "$across"
	check settles-back-again settle
	at_most steps-were-steps $((before + DAY - forward)) 60
	check before-keeps-its-time started_at before "$before"
	check forward-has-its-time started_at forward "$forward"
	check back-has-its-time started_at back "$back"
	check again-has-its-time started_at again "$again"
	equal one-row-per-step "$(sql 'SELECT count(*) FROM clock')" $((steps + 3))
	check lifetime-is-not-stepped sql_is 1 "SELECT lifetime_ns BETWEEN 0 AND 300 * 1000000000 FROM exit WHERE pid = $across
		AND exit_signal = 15"
	check end-is-by-the-new-clock sql_is 1 "SELECT abs(unix_ns / 1000000000 - $again) <= 5 FROM exit WHERE pid = $across
		AND exit_signal = 15"
	check window-is-by-the-clock-of-then sh -c \
		"lineage-query window --since @$((forward - 10)) --until @$((forward + 10)) | grep -q clock-forward"
	check verify-passes verify_passes
	keep_database clock
	# As it was, for whoever comes next.
	step $DAY
}
