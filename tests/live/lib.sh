# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What live tests share: a cgroup and a database of their own, a lineaged that records just that cgroup,
# and comparison with the truth. Everything made here is taken away by live_end, also after a failure.
# Not here: what is tested (test-*.sh), and finding and counting the tests (run).
#
# LIVE_KEEP names a directory into which the files of a test that failed are copied.
# From run: LINEAGED, LINEAGE_QUERY, LIVE_HELPERS, LIVE_QUICK, LIVE_EMULATED, LIVE_TOGETHER.
# For tests: WORK, DB, CGROUP, PINS, CONFIG.

# shellcheck source=tests/live/within.sh
source "$LIVE/within.sh"

# Seconds. The sanitized daemon on two busy CPUs is the slowest that we wait for.
READY_TIMEOUT=${LIVE_READY_TIMEOUT:-60}
STOP_TIMEOUT=$((2 * READY_TIMEOUT))

die() { echo "$*"; exit 1; }
skip() { echo "$*"; exit 77; }

live_begin() {
	WORK=${TMPDIR:-/tmp}/lineaged-live.$$.$RANDOM
	mkdir -m 755 "$WORK"
	CGROUP_ROOT=$(mounted_type cgroup2)
	[[ $CGROUP_ROOT ]] || skip "no cgroup2 hierarchy is mounted"
	CGROUP=$CGROUP_ROOT/lineaged-test-$$
	DB=$WORK/lineage.db
	PINS=/sys/fs/bpf/lineaged-test-$$
	CONFIG=$WORK/lineaged.conf
	TRUTH=$WORK/truth
	DAEMON='' DAEMON_LOG=$WORK/log
	configure
	if [[ ${LIVE_TOGETHER:-} ]]; then
		# shellcheck source=/dev/null
		source "$LIVE_TOGETHER/recording"
		DB=$LIVE_DB CGROUP=$LIVE_CGROUP/$LIVE_NUMBER
	fi
	(umask 0; : >"$TRUTH")
	: >"$DAEMON_LOG"
	mkdir "$CGROUP"
	trap live_end EXIT
}

live_end() {
	local status=$? where
	set +e
	[[ $DAEMON ]] && kill -KILL "$DAEMON" 2>/dev/null && wait "$DAEMON" 2>/dev/null
	cgroup_empty
	rmdir "$CGROUP"
	[[ ! -e $PINS ]] || rm -rf "$PINS"
	if ((status != 0 && status != 77)) && [[ -s $DAEMON_LOG ]]; then
		echo "-- the daemon said:"
		tail -n 20 "$DAEMON_LOG"
	fi
	((status == 0 || status == 77)) || [[ -z ${LIVE_KEEP:-} ]] || cp -r "$WORK" "$LIVE_KEEP"
	while read -r where; do umount -l "$where"; done < <(mounted_below "$WORK")
	rm -rf "$WORK"
	exit "$status"
}

# Ends whatever is left in the cgroup, and waits for it.
cgroup_empty() {
	local tries pids pid
	for ((tries = 0; tries < 100; tries++)); do
		pids=()
		mapfile -t pids 2>/dev/null <"$CGROUP/cgroup.procs"
		((${#pids[@]})) || return 0
		for pid in "${pids[@]}"; do kill -KILL "$pid" 2>/dev/null; done
		pause 0.05
	done
}

# -- the daemon

# configure [Section.Key=value]...: replaces the configuration.
configure() {
	local setting
	[[ ! ${LIVE_TOGETHER:-} ]] || (($# == 0)) || die "a test that configures cannot share a recording"
	for setting; do
		printf '[%s]\n%s\n' "${setting%%.*}" "${setting#*.}"
	done >"$CONFIG"
}

# The same, for a daemon whose programs stay attached when it stops or is killed.
configure_to_stay() { configure Report.KeepAttached=yes "$@"; }

# shellcheck disable=SC2120
# record_start [OPTION]...: returns once everything that starts from now on, STARTED, is recorded.
record_start() {
	if [[ ${LIVE_TOGETHER:-} ]]; then
		(($# == 0)) || die "a test that gives options cannot share a recording"
		now STARTED
		return
	fi
	local deadline=$((SECONDS + READY_TIMEOUT)) log
	: >>"$DAEMON_LOG"
	SAID=''
	exec {log}<"$DAEMON_LOG"
	says "$log" 'nothing, to its end' || true
	"$LINEAGED" --config "$CONFIG" --db "$DB" --pin-dir "$PINS" --include-cgroup "$CGROUP" "$@" \
		2>>"$DAEMON_LOG" </dev/null 9>&- &
	DAEMON=$!
	until says "$log" 'lineaged: ready'; do
		kill -0 "$DAEMON" 2>/dev/null || die "lineaged ended before it was ready"
		((SECONDS < deadline)) || die "lineaged is not ready after $READY_TIMEOUT s"
		pause 0.02
	done
	exec {log}<&-
	# shellcheck disable=SC2034
	now STARTED
}

# Ends the run: everything that was in the ring is in the database then, and nothing stays attached.
record_stop() {
	if [[ ${LIVE_TOGETHER:-} ]]; then
		: >"$LIVE_TOGETHER/worked.$LIVE_NUMBER"
		read -r <"$LIVE_TOGETHER/look.$LIVE_NUMBER"
		[[ -e $LIVE_TOGETHER/stopped ]] || die "the shared recording did not end well"
		return
	fi
	local pid=$DAEMON
	kill -TERM "$pid"
	record_wait 0
	[[ ! -e $PINS || -z $(ls -A "$PINS") ]] || die "pins are left after a clean stop: $(ls "$PINS")"
}

# record_wait STATUS: the daemon ends by itself, with this exit status.
record_wait() {
	local deadline=$((SECONDS + STOP_TIMEOUT)) pid=$DAEMON status=0
	while kill -0 "$pid" 2>/dev/null && ! has_ended "$pid"; do
		((SECONDS < deadline)) || die "lineaged has not stopped after $STOP_TIMEOUT s"
		pause 0.02
	done
	DAEMON=''
	wait "$pid" || status=$?
	((status == $1)) || die "lineaged ended with status $status, not $1"
}

# After configure_to_stay the next two leave the programs attached: events go on into ring and cache.
record_kill() {
	kill -KILL "$DAEMON"
	wait "$DAEMON" 2>/dev/null || true
	DAEMON=''
}

record_hand_over() {
	kill -TERM "$DAEMON"
	record_wait 0
}

# Ends what configure_to_stay began: takes the rest of the ring in, and detaches.
record_finish() {
	[[ -z $DAEMON ]] || record_hand_over
	configure "$@"
	record_start
	record_stop
}

# -- what is recorded

# in_cgroup COMMAND...: as a child that has entered the cgroup before its exec.
in_cgroup() {
	(
		echo "$BASHPID" >"$CGROUP/cgroup.procs"
		exec "$@"
	)
}

# tell COMMAND...: the same, for what writes the truth (helpers/truth.h).
tell() { in_cgroup "$@" 7>>"$TRUTH" 8</proc; }

helper() { tell "$LIVE_HELPERS/$1" "${@:2}"; }

# flood_start OPTION...: in the background; flood_stop ends it and waits. CREATED is the number of
# processes that it made, FLOOD its own pid.
flood_start() {
	: >"$WORK/flood"
	(
		echo "$BASHPID" >"$CGROUP/cgroup.procs"
		exec "$LIVE_HELPERS/flood" "$@" >"$WORK/flood" 2>"$WORK/flood.error"
	) &
	FLOOD=$!
}

flood_stop() {
	kill -TERM "$FLOOD" 2>/dev/null || true
	flood_wait
}

flood_wait() {
	wait "$FLOOD" || die "flood failed: $(cat "$WORK/flood.error")"
	CREATED=$(sed 's/.*"created":\([0-9]*\).*/\1/' "$WORK/flood" | awk '{ n += $1 } END { print n }')
	((CREATED > 0)) || die "flood made nothing"
}

# -- what the database says

sql() { sqlite3 -batch -readonly -cmd '.timeout 5000' "$DB" "$@"; }

# until_sql WANTED QUERY: waits for it, and goes on without after READY_TIMEOUT.
until_sql() {
	local deadline=$((SECONDS + READY_TIMEOUT))
	until [[ $(sql "$2") == "$1" ]] || ((SECONDS >= deadline)); do pause 0.1; done
}

# expect WHAT WANTED FOUND
expect() { [[ $2 == "$3" ]] || die "$1: expected '$2', found '$3'"; }

# Every fact of the truth file is in the database.
truth_holds() {
	local differences
	[[ -s $TRUTH ]] || die "the helper told nothing"
	{ echo '['; sed '$!s/$/,/' "$TRUTH"; echo ']'; } >"$TRUTH.json"
	# shellcheck disable=SC2016
	sed "s|\$TRUTH|$TRUTH.json|" "$LIVE/seen.sql" >"$WORK/seen.sql"
	differences=$(sqlite3 -batch -readonly "$DB" <"$WORK/seen.sql") || die "sqlite3: $differences"
	[[ -z $differences ]] || die "$differences"
}

# The numbers of each CPU are there once, without holes that no gap row tells of; one end per process;
# and lineage-query comes to the same result.
proven() {
	local problems output status=0
	[[ ! -e ${LIVE_TOGETHER:-/nowhere}/proven ]] || return 0
	problems=$(sql <"$LIVE/proof.sql")
	[[ -z $problems ]] || die "$problems"
	output=$("$LINEAGE_QUERY" verify --db "$DB" 2>&1) || status=$?
	((status == 0)) || die "lineage-query verify: status $status: $output"
	[[ ! ${LIVE_TOGETHER:-} ]] || : >"$LIVE_TOGETHER/proven"
}

# How many events a kernel that preempts tracepoints (since 6.19) may be said to have cost at most: a bound, which
# is above what was lost. That everything is there is for the tests to count.
DOUBT_MAX=0
[[ $(uname -v) != *PREEMPT* || $(printf '%s\n' 6.19 "$(uname -r)" | sort -V | head -n 1) != 6.19 ]] || DOUBT_MAX=8

# proven, and nothing at all is missing but what was before the first start.
nothing_lost() {
	proven
	expect "gaps" '' "$(sql "SELECT cause, cpu, first_seq, last_seq, lost, recovered, detail FROM gap
		WHERE NOT (cause = 'recorder_down' AND from_unix_ns <= (SELECT min(started_unix_ns) FROM recorder))
		AND NOT (cause = 'program_missed' AND lost <= $DOUBT_MAX)")"
}

# Every process of the flood is there, with its birth, its image if it had one, and its end.
flood_is_whole() {
	expect "births" "$CREATED" "$(sql "SELECT count(*) FROM fork WHERE provenance IN ('observed', 'recovered')")"
	expect "without an end" 0 "$(sql "SELECT count(*) FROM process WHERE provenance IN ('observed', 'recovered') AND exit_code IS NULL")"
	expect "images other than tiny" '' "$(sql "
		SELECT DISTINCT exe, args, comm FROM process WHERE NOT image_inherited
		AND provenance IN ('observed', 'recovered') AND NOT (exe = '$LIVE_HELPERS/tiny' AND args = '[\"tiny\"]' AND comm = 'tiny')")"
}
