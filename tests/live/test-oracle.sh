# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Against recorders of another kind: strace over the same deterministic work, and /proc over what lives.

# Lines for oracle.pl: of everything born in the cgroup, and of each failed exec.
# Of a script the kernel replaces argv[0] by the interpreter's words and the script's name; strace sees
# what was asked for. Those words are taken away again.
lines_of_database() {
	sql -separator $'\t' "
		WITH word AS (
			SELECT e.process_id, e.unix_ns, e.filename, a.key AS at, a.value AS value, e.script,
				(SELECT min(key) FROM json_each(e.args) WHERE e.script AND value = e.filename) AS script_at
			FROM exec e LEFT JOIN json_each(e.args) a),
		called AS (
			SELECT process_id, unix_ns, lower(hex(filename)) || ',' || coalesce(group_concat(hex(value) || '.', ','), '') AS image
			FROM (SELECT * FROM word WHERE script_at IS NULL OR at >= script_at ORDER BY process_id, unix_ns, at)
			GROUP BY process_id, unix_ns)
		SELECT p.process_id, CASE p.provenance WHEN 'observed' THEN p.parent_id ELSE '' END,
			(SELECT count(*) FROM exec e WHERE e.process_id = p.parent_id AND coalesce(e.unix_ns, 0) <= p.start_unix_ns),
			coalesce('exit ' || p.exit_code, 'signal ' || p.exit_signal, 'runs'),
			(SELECT group_concat(image, char(9))
			 FROM (SELECT image FROM called c WHERE c.process_id = p.process_id ORDER BY c.unix_ns))
		FROM process p"
	sql -separator $'\t' "SELECT 'FAILED', hex(filename), error FROM exec_failure"
}

signal_names() {
	local number names=()
	for number in {1..64}; do names+=(-e "s/^signal $number\t/signal SIG$(kill -l "$number" 2>/dev/null)\t/"); done
	sed "${names[@]}" | LC_ALL=C sort
}

# agree COMMAND...: strace and lineaged tell the same of two runs of COMMAND. prepare is called before each.
agree() {
	command -v strace >/dev/null || skip "strace is not installed"
	prepare
	strace -f -q -xx -v -s 1000000 -e trace=process -o "$WORK/strace" -- "$@" \
		>"$WORK/said.strace" 2>&1 </dev/null || true
	record_start
	prepare
	in_cgroup "$@" >"$WORK/said.lineaged" 2>&1 </dev/null || true
	record_stop
	nothing_lost
	"$LIVE/oracle.pl" strace <"$WORK/strace" | signal_names >"$WORK/by-strace"
	lines_of_database | "$LIVE/oracle.pl" sql | signal_names >"$WORK/by-lineaged"
	[[ $(wc -l <"$WORK/by-strace") -ge $LEAST ]] || die "only $(wc -l <"$WORK/by-strace") processes: $(cat "$WORK/said.strace")"
	same '^FAILED' -v
	same '^FAILED'
}

# same PATTERN [-v]: of the lines that match, or do not.
same() {
	local count who
	for who in strace lineaged; do grep "${@:2}" -e "$1" "$WORK/by-$who" >"$WORK/lines-$who" || true; done
	diff "$WORK/lines-strace" "$WORK/lines-lineaged" >"$WORK/diff" ||
		die "strace (<) and lineaged (>) differ: $(grep -c '^[<>]' "$WORK/diff") lines: $(cut -c1-600 "$WORK/diff" | head -n 30)"
	count=$(wc -l <"$WORK/lines-strace")
	echo "note: the same for both: $count $(if (($# > 1)); then echo processes; else echo 'failed execs'; fi)"
}

test_pipelines() {
	prepare() { rm -rf "$WORK/directory"; mkdir "$WORK/directory"; }
	LEAST=60
	agree bash "$LIVE/workload.sh" "$WORK/directory"
}

# This project's own build, in parallel.
test_build() {
	local top=$LIVE/../..
	command -v ninja >/dev/null && command -v cmake >/dev/null || skip "cmake and ninja are not installed"
	[[ -e $top/CMakeLists.txt ]] || skip "the sources are not here"
	prepare() { rm -rf "$WORK/build"; }
	LEAST=200
	agree bash -c "cmake -S '$top' -B '$WORK/build' -G Ninja -DLINEAGED_TESTS=OFF -DLINEAGED_MAN=OFF &&
		ninja -C '$WORK/build' -j 2 lineage-query"
	[[ -x $WORK/build/cli/lineage-query ]] || die "it was not built: $(tail -n 20 "$WORK/said.lineaged")"
}

# Everything in the cgroup that still lives, as /proc has it.
test_proc() {
	local pid stat args tree
	record_start
	in_cgroup bash -c 'for i in 1 2 3; do sleep 60 & done; (cd /; sleep 61 & exec -a "other name" sleep 62) & 
		bash -c "sleep 63; :" & wait' 2>/dev/null &
	tree=$!
	until (($(wc -l <"$CGROUP/cgroup.procs") == 8)); do sleep 0.05; done
	sleep 1
	while read -r pid; do
		read -r -a stat < <(sed 's/.*) //' "/proc/$pid/stat")
		args=$(perl -0ne 'chomp; s/(["\\])/\\$1/g; s/\n/\\n/g; s/\t/\\t/g; push @a, "\"$_\""; END { print join ",", @a }' \
			"/proc/$pid/cmdline")
		printf '{"case":"proc","pid":%d,"start_ticks":%d,"pgid":%d,"sid":%d,"exe":"%s","cwd":"%s","comm":"%s","args":[%s]%s}\n' \
			"$pid" "${stat[19]}" "${stat[2]}" "${stat[3]}" "$(readlink "/proc/$pid/exe")" \
			"$(readlink "/proc/$pid/cwd")" "$(cat "/proc/$pid/comm")" "$args" \
			"$(! grep -qx "${stat[1]}" "$CGROUP/cgroup.procs" || echo ",\"exec_ppid\":${stat[1]}")"
	done <"$CGROUP/cgroup.procs" >>"$TRUTH"
	expect "living processes" 8 "$(wc -l <"$TRUTH")"
	truth_holds
	cgroup_empty
	wait "$tree" || true
	record_stop
	expect "killed" 8 "$(sql 'SELECT count(*) FROM exit WHERE exit_signal = 9')"
	nothing_lost
}
