# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The package as a user meets it: installed, started, queried, confined, stopped.
# vm-boot:
# vm-timeout: 600

# CAP_DAC_READ_SEARCH, CAP_SYS_PTRACE, CAP_PERFMON, CAP_BPF: what lineaged.service lists.
CAPABILITIES=000000c000080004

boot_1()
{
	guest_is_sound
	check package-installs install_lineaged || return 0
	check service-starts start_lineaged || { journalctl -u lineaged --no-pager | tail -n 30; return 0; }
	chain
	readers
	confinement
	pins
	quiet_journal
	stops
	package_tests
	quickstart
}

chain()
{
	local pid
	pid=$(run_chain chain-marker)
	check settles settle
	check chain-is-right chain_holds "$pid"
	check tree-as-text sh -c "lineage-query tree --pid $pid | grep -q 'false chain-marker'"
	check window-finds-chain sh -c "lineage-query window --since -10min | grep -q 'false chain-marker'"
	check check-says-it-can lineaged --check
	keep_database service
}

# A member of the group queries and cannot write; nobody else reads.
readers()
{
	local before
	useradd --system --groups lineaged vm-reader
	useradd --system vm-stranger
	check member-queries runuser -u vm-reader -- lineage-query window --since -1h -o json
	check member-reads-by-sqlite3 runuser -u vm-reader -- \
		sqlite3 -readonly "$LINEAGE_DB" 'SELECT count(*) FROM process'
	before=$(sql 'SELECT min(process_id) FROM process')
	refused member-cannot-delete runuser -u vm-reader -- \
		sqlite3 "$LINEAGE_DB" "DELETE FROM process_row WHERE process_id = $before"
	refused member-cannot-append runuser -u vm-reader -- sh -c "echo x >>$LINEAGE_DB"
	refused member-cannot-create runuser -u vm-reader -- touch /var/lib/lineaged/other
	refused member-cannot-remove runuser -u vm-reader -- rm -f "$LINEAGE_DB-shm"
	check stranger-is-somebody runuser -u vm-stranger -- true
	refused stranger-cannot-read runuser -u vm-stranger -- cat "$LINEAGE_DB"
	refused stranger-cannot-list runuser -u vm-stranger -- ls /var/lib/lineaged
	refused stranger-cannot-query runuser -u vm-stranger -- lineage-query window --since -1h
	refused stranger-cannot-see-pins runuser -u vm-stranger -- ls /sys/fs/bpf/lineaged
}

# status FIELD: of the daemon's /proc/PID/status.
status() { awk -v f="$1:" '$1 == f { print $2 }' "/proc/$pid/status"; }

# writable TEST...: what of that find(1) may write to, as the daemon, in its view of the file system.
writable()
{
	nsenter -t "$pid" -m setpriv --reuid=lineaged --regid=lineaged --clear-groups \
		find / "$@" -writable -print 2>/dev/null | sort | tr '\n' ' '
}

confinement()
{
	local pid score set
	pid=$(main_pid)
	for set in CapPrm CapEff CapBnd; do
		equal "capabilities-$set" "$(status $set)" "$CAPABILITIES"
	done
	equal runs-as-lineaged "$(stat -c %U "/proc/$pid")" lineaged
	equal no-new-privileges "$(status NoNewPrivs)" 1
	equal seccomp-filter "$(status Seccomp)" 2
	score=$(systemd-analyze security --no-pager lineaged.service | sed -n 's/.*exposure level for.*: \([0-9.]*\).*/\1/p')
	note "systemd-analyze security: $score"
	at_most security-score "$(tr -d . <<<"${score:-9.9}")" 15
	equal no-network "$(nsenter -t "$pid" -n ip -o link | awk '{ print $2 }' | tr '\n' ' ')" "lo: "
	# What it could write to, in its own view of the file system: its three directories, and what is private
	# to it. Below /sys/fs/bpf only a capability leads, which find is not given here.
	equal write-paths "$(writable -path /proc -prune -o -type d)" \
		"/dev/mqueue /run/lineaged /tmp /var/lib/lineaged /var/tmp "
	equal write-files "$(writable \( -path /proc -o -path /run/lineaged -o -path /var/lib/lineaged \) -prune -o \
		\( -type f -o -type b \))" ""
	equal modes "$(stat -c '%a %U:%G' /var/lib/lineaged "$LINEAGE_DB" /run/lineaged | tr '\n' ' ')" \
		"2750 lineaged:lineaged 640 lineaged:lineaged 750 lineaged:lineaged "
}

pins()
{
	check cache-is-readable-by-bpftool sh -c \
		'bpftool map dump pinned /sys/fs/bpf/lineaged/process_cache | grep -q "\"binary\""'
	check store-holds-descriptors test "$(systemctl show -P NFileDescriptorStore lineaged)" -gt 0
}

# Nothing that the daemon says on a healthy node is a warning.
quiet_journal()
{
	equal no-warnings "$(journalctl -u lineaged -p warning -o cat --no-pager | head -n 3)" ""
	equal no-restarts "$(systemctl show -P NRestarts lineaged)" 0
}

programs() { bpftool prog list | grep -c 'name lineage_'; }

stops()
{
	local before
	check programs-are-attached test "$(programs)" -ge 3
	check stop-succeeds systemctl stop lineaged
	equal stop-is-clean "$(systemctl show -P Result lineaged)" success
	equal stop-detaches "$(programs)" 0
	equal stop-empties-store "$(systemctl show -P NFileDescriptorStore lineaged)" 0
	check member-reads-after-stop runuser -u vm-reader -- \
		sqlite3 -readonly "$LINEAGE_DB" 'SELECT count(*) FROM process'
	check member-queries-after-stop runuser -u vm-reader -- lineage-query window --since -1h
	# What ran meanwhile is not recorded, and is known not to be.
	/bin/true unrecorded
	check starts-again systemctl start lineaged
	check settles-again settle
	check stopped-run-is-told sql_is stopped "SELECT ended FROM recorder ORDER BY started_unix_ns LIMIT 1"
	check unrecorded-is-not-there sql_is 0 "SELECT count(*) FROM process WHERE args LIKE '%\"unrecorded\"%'"
	check time-between-is-a-gap sql_is 1 "SELECT count(*) FROM gap WHERE lost IS NULL AND cause = 'recorder_down'
		AND to_unix_ns > (SELECT min(started_unix_ns) FROM recorder)"
	# A restart is no stop: nothing is missing between its two runs, and the first of them says so.
	before=$(sql 'SELECT count(*) FROM gap')
	check restarts systemctl restart lineaged
	equal restart-is-no-gap "$(sql 'SELECT count(*) FROM gap')" "$before"
	equal runs-are-told "$(sql 'SELECT group_concat(ended, ", ") FROM (SELECT ended FROM recorder
		ORDER BY started_unix_ns)')" "stopped, handed over, running"
	lineage-query window --since -1h --strict >/dev/null
	equal answer-says-incomplete $? 4
}

# What Debian would run of the package, and its own words for each part.
package_tests()
{
	local word name
	sh "$VM/package/packaging/debian/tests/service" >/var/lib/vm/package-tests 2>&1
	equal package-tests-end-well $? 0
	while read -r word name; do
		name=${name%% (*}
		case $word in
		ok) ok "package/${name// /-}" ;;
		FAIL) not_ok "package/${name// /-}" "$(tail -n 5 /var/lib/vm/package-tests)" ;;
		esac
	done </var/lib/vm/package-tests
}

# Where the package is installed its service records the chain, and nothing is built.
quickstart()
{
	[ -e "$VM/lineaged.deb" ] || { skip quickstart "not installed from a package"; return 0; }
	check quickstart-ends-well sh -c "$VM/package/packaging/quickstart >/var/lib/vm/quickstart 2>&1"
	equal quickstart-shows-the-chain "$(grep -oE 'update.sh|base64 -d|kworker 0.3' /var/lib/vm/quickstart |
		sort -u | tr '\n' ' ')" "base64 -d kworker 0.3 update.sh "
	check quickstart-leaves-the-service systemctl is-active lineaged
}
