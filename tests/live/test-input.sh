# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What cannot work says so in a sentence that helps, with the right exit status, and overwrites nothing.

# refuses STATUS PATTERN COMMAND...: ends soon, with this status (one of a list such as "1 78") and a
# message that matches, in at most three lines.
refuses() {
	local wanted=$1 pattern=$2 status=0
	shift 2
	timeout --foreground 60 "$@" >"$WORK/said" 2>&1 </dev/null || status=$?
	[[ " $wanted " == *" $status "* ]] || die "status $status, not $wanted: $* said: $(cat "$WORK/said")"
	grep -qiE -- "$pattern" "$WORK/said" || die "nothing about '$pattern': $* said: $(cat "$WORK/said")"
	(($(wc -l <"$WORK/said") <= 3)) || die "too many words: $* said: $(cat "$WORK/said")"
}

command_line() {
	printf '%s\n' "$LINEAGED" --config "$CONFIG" --db "$DB" --pin-dir "$PINS" --include-cgroup "$CGROUP"
}

refused_daemon() {
	local command
	mapfile -t command < <(command_line)
	refuses "$1" "$2" "${@:3}" "${command[@]}"
	[[ ! -e $PINS || -z $(ls -A "$PINS") ]] || die "pins are left: $(ls "$PINS")"
}

test_daemon_flags() {
	refuses 2 'nonsense' "$LINEAGED" --nonsense
	refuses 2 'needs' "$LINEAGED" --db
	refuses 2 'surplus' "$LINEAGED" surplus
	refuses 0 'lineaged [0-9]' "$LINEAGED" --version
}

test_daemon_configuration() {
	refuses 78 'absent.conf' "$LINEAGED" --config "$WORK/absent.conf"
	printf '[Capture]\nRingSize=3 bananas\n' >"$CONFIG"
	refused_daemon 78 'lineaged.conf:2.*(RingSize|bananas)'
	printf '[Capture]\nRingSize=1000\n' >"$CONFIG"
	refused_daemon 78 'lineaged.conf:2.*(RingSize|power)'
	printf 'no section and no key\n' >"$CONFIG"
	refused_daemon 78 'lineaged.conf:1'
	[[ ! -e $DB ]] || die "a database was made"
}

# A file may serve several versions: what is not known is told and passed over.
test_daemon_unknown_key() {
	printf '[Capture]\nFuture=yes\n[Elsewhere]\nKey=1\n' >"$CONFIG"
	record_start
	record_stop
	grep -q 'Future' "$DAEMON_LOG" || die "no word about the unknown key: $(cat "$DAEMON_LOG")"
	grep -q 'Elsewhere' "$DAEMON_LOG" || die "no word about the unknown section: $(cat "$DAEMON_LOG")"
}

test_daemon_no_such_cgroup() {
	refuses '1 78' 'absent' "$LINEAGED" --config "$CONFIG" --db "$DB" --pin-dir "$PINS" \
		--include-cgroup "$CGROUP/absent"
}

test_daemon_no_capability() {
	command -v setpriv >/dev/null || skip "setpriv is not installed"
	refused_daemon 1 'CAP_BPF' setpriv --bounding-set=-bpf,-sys_admin
	refused_daemon 1 'CAP_PERFMON' setpriv --bounding-set=-perfmon,-sys_admin
	refused_daemon 1 'CAP_BPF' setpriv --bounding-set=-bpf,-perfmon,-sys_admin
	[[ $(setpriv --bounding-set=-bpf,-perfmon,-sys_admin "$LINEAGED" --check 2>&1) == *CAP_BPF* ]] ||
		die "--check does not name the missing capability"
}

test_daemon_no_root() {
	chmod 777 "$WORK"
	refused_daemon 1 'CAP_BPF|root|permission' setpriv --reuid=65534 --regid=65534 --clear-groups
}

test_daemon_no_btf() {
	[[ -d /sys/kernel/btf ]] || skip "this kernel has no BTF to hide"
	mount -t tmpfs none /sys/kernel/btf
	refused_daemon 1 'BTF'
	if "$LINEAGED" --check >"$WORK/said" 2>&1; then die "--check: could record without BTF"; fi
	grep -q BTF "$WORK/said" || die "--check says nothing of BTF: $(cat "$WORK/said")"
	umount /sys/kernel/btf
}

test_daemon_no_bpffs() {
	PINS=$WORK/pins
	mkdir "$PINS"
	refused_daemon '1 78' 'bpf'
}

test_check_says_yes() {
	"$LINEAGED" --check --config "$CONFIG" --db "$DB" --pin-dir "$PINS" >"$WORK/said" 2>&1 || die "--check: $(cat "$WORK/said")"
	grep -qi 'btf' "$WORK/said" || die "--check says nothing of BTF: $(cat "$WORK/said")"
}

# kept SUM: a file with this content is still there, under its own name or beside it.
kept() {
	grep -q "^$1" <<<"$(sha256sum "$DB"* 2>/dev/null)" || die "overwritten; there is: $(ls -l "$WORK")"
}

# Refused, or set aside for a new one: in no case is the file changed.
foreign_database() {
	local sum command
	sum=$(sha256sum "$DB" | cut -d' ' -f1)
	mapfile -t command < <(command_line)
	timeout --signal=TERM --kill-after=20 5 "${command[@]}" >"$WORK/said" 2>&1 </dev/null || true
	kept "$sum"
	grep -qiE "$1" "$WORK/said" || die "nothing about '$1': $(cat "$WORK/said")"
}

test_database_is_text() {
	seq 10000 >"$DB"
	foreign_database 'not (a|an SQLite) database|no SQLite database|damaged'
}

test_database_is_another() {
	sqlite3 "$DB" 'CREATE TABLE precious (x); INSERT INTO precious VALUES (1)'
	foreign_database 'not.*lineage|another|lineaged'
	refused_daemon '1 78' .
	expect "its content" 1 "$(sqlite3 "$DB" 'SELECT x FROM precious')"
}

test_database_is_newer() {
	record_start
	in_cgroup /bin/true
	record_stop
	sqlite3 "$DB" 'PRAGMA user_version = 9999; PRAGMA wal_checkpoint(TRUNCATE)' >/dev/null
	foreign_database 'newer'
	refused_daemon '1 78' 'newer'
	refuses 3 'newer' "$LINEAGE_QUERY" window --db "$DB"
}

test_database_is_directory() {
	mkdir "$DB"
	: >"$DB/inside"
	refused_daemon '1 78' 'directory|lineage.db'
	[[ -e $DB/inside ]] || die "the directory was emptied"
	refuses 3 'lineage.db' "$LINEAGE_QUERY" window --db "$DB"
}

test_database_in_no_directory() {
	DB=$WORK/absent/lineage.db
	refused_daemon '1 78' 'absent'
}

test_database_is_read_only() {
	mkdir "$WORK/ro"
	mount -t tmpfs -o ro none "$WORK/ro"
	DB=$WORK/ro/lineage.db
	refused_daemon '1 78' 'read-only|lineage.db'
}

test_database_is_in_use() {
	record_start
	refuses '1 78' 'another|in use|lock' "$LINEAGED" --config "$CONFIG" --db "$DB" --pin-dir "$PINS-second" \
		--include-cgroup "$CGROUP"
	rm -rf "$PINS-second"
	helper parents vfork
	record_stop
	truth_holds
	nothing_lost
}

# Two recorders beside each other: each has all of its own.
test_two_daemons() {
	local first first_db=$DB first_pins=$PINS
	record_start
	first=$DAEMON
	DB=$WORK/second.db PINS+=-second DAEMON_LOG=$WORK/second.log
	record_start
	helper parents double-fork
	record_stop
	truth_holds
	nothing_lost
	rm -rf "$PINS"
	DB=$first_db PINS=$first_pins DAEMON=$first
	record_stop
	truth_holds
	nothing_lost
}

test_query_flags() {
	refuses 2 'nonsense' "$LINEAGE_QUERY" --nonsense
	refuses 2 'nonsense' "$LINEAGE_QUERY" nonsense
	refuses 2 'since' "$LINEAGE_QUERY" window --since 'the day before' --db "$DB"
}

test_query_databases() {
	refuses 3 'lineage.db' "$LINEAGE_QUERY" window --db "$DB"
	[[ ! -e $DB ]] || die "a reader made a database"
	: >"$DB"
	refuses 3 'lineage.db' "$LINEAGE_QUERY" window --db "$DB"
	[[ ! -s $DB ]] || die "a reader wrote"
	head -c 100000 /dev/urandom >"$DB"
	refuses 3 'lineage.db' "$LINEAGE_QUERY" window --db "$DB"
	rm "$DB"
	sqlite3 "$DB" 'CREATE TABLE precious (x)'
	refuses 3 'lineage.db' "$LINEAGE_QUERY" window --db "$DB"
}

test_query_nothing_found() {
	record_start
	record_stop
	refuses 1 . "$LINEAGE_QUERY" tree --pid 4194303 --db "$DB"
	refuses 2 'pid|process' "$LINEAGE_QUERY" tree --pid x --db "$DB"
}

# A start that is refused takes nothing out of the filters of programs that go on.
test_filters_stay() {
	local status=0
	configure_to_stay
	record_start
	record_hand_over
	"$LINEAGED" --config "$CONFIG" --db "$DB" --pin-dir "$PINS" --include-cgroup "$CGROUP/nowhere" \
		--include-cgroup "$CGROUP" 2>>"$DAEMON_LOG" </dev/null || status=$?
	expect "status of a cgroup that is not there" 78 "$status"
	mkdir "$CGROUP/met"
	(echo "$BASHPID" >"$CGROUP/met/cgroup.procs"; exec "$LIVE_HELPERS/tiny")
	record_start
	(echo "$BASHPID" >"$CGROUP/met/cgroup.procs"; exec "$LIVE_HELPERS/tiny")
	rmdir "$CGROUP/met"
	record_hand_over
	record_finish
	proven
	expect "while it was away, and after" 2 "$(sql "SELECT count(*) FROM exec WHERE exe LIKE '%/tiny'")"
}

# Of a process that was running before, the arguments may be longer than what is kept.
test_long_args_before() {
	local long running
	printf -v long '%0100000d' 0
	in_cgroup bash -c 'sleep 1000; :' "$long" last &
	running=$!
	until [[ $(<"$CGROUP/cgroup.procs") ]]; do pause 0.02; done
	pause 0.2
	record_start
	expect "bytes, count, cut" '100028 5 1' "$(sql "SELECT args_bytes || ' ' || args_count || ' ' || args_truncated
		FROM exec WHERE args_bytes > 100000 AND provenance = 'snapshot'")"
	cgroup_empty
	wait "$running" || true
	record_stop
	proven
}
