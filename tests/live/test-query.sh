# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# lineage-query over what was really recorded: the same facts in every form, and nothing hostile in any.

query() { "$LINEAGE_QUERY" "$@" --db "$DB"; }

record_some() {
	record_start
	helper parents double-fork
	helper parents ptrace
	helper argv newline
	helper argv not-utf8
	helper argv huge
	helper ids setuid
	helper ids namespaces
	helper images memfd
	helper endings signals
	helper endings core "$WORK"
	record_stop
}

answer_holds() {
	sed -e "s|\$TRUTH|$TRUTH.json|" -e "s|\$ANSWER|$1|" "$LIVE/answer.sql" >"$WORK/answer.sql"
	differences=$(sqlite3 -batch :memory: <"$WORK/answer.sql") || die "sqlite3: $differences"
	[[ -z $differences ]] || die "$differences"
}

test_window_json() {
	record_some
	truth_holds
	query window --since "$STARTED" -o json >"$WORK/answer.json"
	# One argument list is longer than is kept, and the answer says so.
	expect "missing" '["truncated"]' "$(sqlite3 :memory: "SELECT json_group_array(json_extract(value, '\$.kind'))
		FROM json_each(readfile('$WORK/answer.json'), '\$.completeness.missing')")"
	answer_holds "$WORK/answer.json"
}

# Each process on its own, by pid and start: it, its ancestors and its descendants.
test_tree_json() {
	local pid start
	record_start
	helper parents double-fork
	helper parents reuse
	helper threads leader-first
	record_stop
	truth_holds
	while IFS='|' read -r pid start; do
		query tree --pid "$pid@$start" -o json >"$WORK/answer.json" || die "tree --pid $pid@$start: status $?"
		expect "target" "$pid|$start" "$(sqlite3 :memory: "SELECT json_extract(value, '\$.pid'), json_extract(value, '\$.start_boot_ns')
			FROM json_each(readfile('$WORK/answer.json'), '\$.processes') WHERE json_extract(value, '\$.target')")"
	done < <(sql "SELECT pid, start_boot_ns FROM process WHERE provenance = 'observed'")
}

# A PID that 21 processes had: the newest is shown, the others are named.
test_tree_of_reused_pid() {
	local pid
	record_start
	helper parents reuse
	record_stop
	pid=$(sql 'SELECT pid FROM fork GROUP BY pid HAVING count(*) > 1')
	query tree --pid "$pid" -o json >"$WORK/answer.json"
	expect "others" 20 "$(sqlite3 :memory: "SELECT count(*) FROM json_each(readfile('$WORK/answer.json'), '\$.same_pid')")"
	expect "newest" '["show","round 19"]' "$(sqlite3 :memory: "SELECT json_extract(value, '\$.args')
		FROM json_each(readfile('$WORK/answer.json'), '\$.processes') WHERE json_extract(value, '\$.target')")"
}

# What a process calls itself never reaches the terminal raw.
test_hostile_bytes() {
	local verb
	record_start
	helper argv newline
	helper argv not-utf8
	in_cgroup bash -c $'exec -a \'\e]0;owned\a\e[2J\' sleep 0.1'
	in_cgroup bash -c $'printf "\e[31mname" >/proc/$$/comm; /bin/true \'\e[1;31mred\' $\'\x9b31m\'; :'
	record_stop
	for verb in "window --since $STARTED" "tree --pid $(sql "SELECT pid FROM process WHERE comm LIKE '%name%' LIMIT 1")"; do
		# shellcheck disable=SC2086
		query $verb --color never >"$WORK/text"
		! LC_ALL=C grep -nP '[\x00-\x08\x0b-\x1f\x7f]' "$WORK/text" || die "raw control bytes in: $verb"
		iconv -f UTF-8 -t UTF-8 "$WORK/text" >/dev/null || die "no valid UTF-8 in: $verb"
		! grep -nP '[\x{80}-\x{9f}]' "$WORK/text" || die "raw C1 control bytes in: $verb"
		# shellcheck disable=SC2086
		query $verb -o json >"$WORK/json"
		expect "valid JSON of $verb" 1 "$(sqlite3 :memory: "SELECT json_valid(readfile('$WORK/json'))")"
		! LC_ALL=C grep -nP '[\x00-\x08\x0b-\x1f\x7f]' "$WORK/json" || die "raw control bytes in JSON of: $verb"
	done
}

# The text says how it ends: complete.
test_closing_line() {
	record_start
	helper parents vfork
	record_stop
	query window --since "$STARTED" >"$WORK/text"
	grep -q '^complete' <<<"$(tail -n 3 "$WORK/text")" || die "$(tail -n 3 "$WORK/text")"
	query window --since "$STARTED" --strict >/dev/null || die "--strict: status $?"
}

# with_parent PPID: those of the cgroup whose parent the kernel says that it is.
with_parent() {
	local pids pid parent
	mapfile -t pids <"$CGROUP/cgroup.procs"
	for pid in "${pids[@]}"; do
		parent=$(sed -n 's/^PPid:\t//p' "/proc/$pid/status" 2>/dev/null) || continue
		[[ $parent != "$1" ]] || echo "$pid"
	done
}

# until_one COMMAND...: what it prints, once that is something.
until_one() {
	local deadline=$((SECONDS + READY_TIMEOUT))
	until [[ $("$@") ]]; do
		((SECONDS < deadline)) || die "nothing after $READY_TIMEOUT s: $*"
		pause 0.02
	done
	"$@"
}

below() { query tree "$@" --descendants -q -o csv --fields pid | tr -d '\r' | tail -n +2; }

# Who was put into a PID namespace from outside leaves what it had to its init, which is not above it.
test_tree_of_a_namespace() {
	local outside init orphan
	mkfifo "$WORK/hold"
	record_start
	# shellcheck disable=SC2016
	(
		echo "$BASHPID" >"$CGROUP/cgroup.procs"
		exec unshare --pid --fork bash -c 'read -r <"$0"; :' "$WORK/hold"
	) &
	outside=$!
	init=$(until_one with_parent "$outside")
	# shellcheck disable=SC2016
	in_cgroup nsenter --target "$init" --pid bash -c '(read -r <"$0") & :' "$WORK/hold"
	orphan=$(until_one with_parent "$init")
	until_sql 1 "SELECT end IS NOT NULL FROM process WHERE process_id =
		(SELECT parent_id FROM process WHERE pid = $orphan)"
	expect "below it now" "$orphan" "$(below "$init" --at now)"
	expect "below it by birth" "" "$(below "$init")"
	kill -KILL "$orphan"
	until_sql 1 "SELECT end IS NOT NULL FROM process WHERE pid = $orphan"
	expect "below it last" "$orphan" "$(below "$init" --parent reaper)"
	expect "below it now" "" "$(below "$init" --at now)"
	record_stop
	nothing_lost
}

# A recorder that was killed a moment ago, and a copy of what it wrote, know nothing of the time since.
test_killed_is_told() {
	local db status
	configure_to_stay
	record_start
	in_cgroup "$LIVE_HELPERS/tiny"
	sleep 0.5
	query window --since "$STARTED" >"$WORK/text" || die "while recording: status $?: $(cat "$WORK/text")"
	! grep -q 'nothing was recorded' "$WORK/text" || die "while recording: $(cat "$WORK/text")"
	sql "VACUUM INTO '$WORK/copy.db'"
	record_kill
	in_cgroup "$LIVE_HELPERS/tiny"
	sleep 1
	for db in "$DB" "$WORK/copy.db"; do
		status=0
		"$LINEAGE_QUERY" window --since "$STARTED" --strict --db "$db" >"$WORK/text" 2>&1 || status=$?
		expect "status of $db" 4 "$status"
		grep -q 'nothing was recorded from .* to ' "$WORK/text" || die "$(cat "$WORK/text")"
	done
	record_finish
	expect "both are there then" 2 "$(sql "SELECT count(*) FROM exec WHERE exe LIKE '%/tiny'")"
}

# While it is written, by who may read it; and a copy of the one file, on its own.
test_readers() {
	record_start
	helper parents vfork
	sleep 1
	query window --since "$STARTED" -o json >"$WORK/answer.json" || die "while recording: status $?"
	truth_holds
	answer_holds "$WORK/answer.json"
	record_stop
	mkdir -m 755 "$WORK/copy"
	sql "VACUUM INTO '$WORK/copy/copy.db'"
	chmod 644 "$WORK/copy/copy.db"
	setpriv --reuid=65534 --regid=65534 --clear-groups "$LINEAGE_QUERY" window --since "$STARTED" --db "$WORK/copy/copy.db" \
		-o json >"$WORK/answer.json" || die "the copy: status $?"
	answer_holds "$WORK/answer.json"
	expect "files beside the copy" copy.db "$(ls "$WORK/copy")"
}
