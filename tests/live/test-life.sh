# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Who a process was and how it ended.
# together: tests here look at their own processes only, but for those marked alone.

recorded() {
	record_start
	helper "$@"
	record_stop
	truth_holds
	nothing_lost
}

test_setuid() { recorded ids setuid; }
test_setsid() { recorded ids setsid; }
test_ids_at_fork() { recorded ids fork-ids; }
test_namespaces() { recorded ids namespaces; }
test_user_namespace() { recorded ids user-namespace; }

test_set_id_file() {
	install -m 4755 "$LIVE_HELPERS/show" "$WORK/set-id"
	[[ $(findmnt -no OPTIONS -T "$WORK") != *nosuid* ]] || skip "$WORK is mounted nosuid"
	recorded ids set-id-file "$WORK/set-id"
}

test_exit_codes() { recorded endings codes; }
test_exit_signals() { recorded endings signals; }
test_core_dumps() { recorded endings core "$WORK"; }
test_peak_memory() { recorded endings memory; }
test_processor_time() { recorded endings time; }

# What runs before the recorder does: snapshot, with parent, image and arguments; its end is observed.
test_snapshot() { # alone
	local pid
	mkfifo "$WORK/leash"
	tell env LIVE_CASE=snapshot SHOW_WAIT=1 SHOW_MEMBERS='"provenance":"snapshot","end_provenance":"observed"' \
		"$LIVE_HELPERS/show" running before <"$WORK/leash" &
	pid=$!
	exec 9>"$WORK/leash"
	until [[ -s $TRUTH ]]; do sleep 0.02; done
	record_start
	exec 9>&-
	wait "$pid"
	record_stop
	truth_holds
	while read -r pid; do
		[[ ! -e /proc/$pid ]] || die "pid $pid lives, told as ended"
	done < <(sql 'SELECT pid FROM process WHERE end_provenance IS NOT NULL')
	expect "first ancestor" "1|$(cat /proc/1/comm)" "$(sql "SELECT pid, comm FROM process WHERE parent_id IS NULL")"
}

# What is moved into the cgroup is recorded from its next event on.
test_moved_in() { # alone
	local pid
	record_start
	# Without a child before it has been moved; and alive for long enough afterwards to be looked at.
	bash -c 'until read -r -d "" where <"/proc/$$/cgroup"; [[ $where == *lineaged-test* ]]; do :; done
		/bin/sleep 1; exec /bin/true in' &
	pid=$!
	echo "$pid" >"$CGROUP/cgroup.procs"
	wait "$pid"
	record_stop
	expect "its parent" "$$" "$(sql "SELECT ppid FROM process WHERE pid = $pid")"
	expect "image after the move" '["/bin/true","in"]' "$(sql "SELECT args FROM process WHERE pid = $pid")"
	expect "its children" 1 "$(sql "SELECT count(*) > 0 FROM fork WHERE ppid = $pid AND provenance = 'observed'")"
}

# Several at once, each forking at once: all of them are looked up, with what they have begotten.
test_moved_in_together() {
	local i pids=() moved
	for ((i = 0; i < 8; i++)); do
		mkfifo "$WORK/gate$i"
		# shellcheck disable=SC2016
		bash -c 'read -r x <"$0"; (read -r x <"$0.end"); :' "$WORK/gate$i" &
		pids+=($!)
		mkfifo "$WORK/gate$i.end"
	done
	record_start
	for i in "${pids[@]}"; do echo "$i" >"$CGROUP/cgroup.procs"; done
	for ((i = 0; i < 8; i++)); do echo >"$WORK/gate$i" & done
	moved=$(IFS=,; echo "${pids[*]}")
	# Whoever has gone by the time of the next look cannot be told of.
	until_sql 8 "SELECT count(*) FROM fork WHERE provenance = 'observed' AND ppid IN ($moved)"
	until_sql 8 "SELECT count(*) FROM process WHERE pid IN ($moved) AND exe NOT NULL"
	for ((i = 0; i < 8; i++)); do echo >"$WORK/gate$i.end" & done
	wait "${pids[@]}"
	record_stop
	expect "moved ones" "8|$$|$(readlink -f /bin/bash)|snapshot" "$(sql "
		SELECT count(*), ppid, exe, provenance FROM process WHERE pid IN ($moved) AND args LIKE '%gate%' GROUP BY 2, 3, 4")"
	expect "their children" "8|$(readlink -f /bin/bash)" "$(sql "
		SELECT count(*), exe FROM process WHERE ppid IN ($moved) AND args LIKE '%gate%' GROUP BY 2")"
	expect "this one" 1 "$(sql "SELECT count(*) FROM process WHERE pid = $$ AND exe NOT NULL AND parent_id NOT NULL")"
}

# Outside of the cgroup but for the moments in which it forks: what it calls exec on in between is not recorded, and yet
# its children have the image that it had then.
test_exec_outside() { # alone
	local pid own
	own=$CGROUP_ROOT$(sed -n 's/^0:://p' /proc/self/cgroup)
	[[ -w $own/cgroup.procs ]] || skip "cannot move out of a cgroup here"
	mkfifo "$WORK/gate" "$WORK/end"
	# Two wait for it: whoever came later would find it closed.
	exec 9<>"$WORK/end"
	record_start
	# shellcheck disable=SC2016
	WHERE=$CGROUP OWN=$own WORK=$WORK bash -c 'fork='\''echo $$ >"$WHERE/cgroup.procs"; (:); (read -r x <"$WORK/end") &
			echo $$ >"$OWN/cgroup.procs"; read -r x <"$WORK/gate";'\''
		eval "$fork"
		exec bash -c "$fork :" second' first &
	pid=$!
	until_sql '1|1' "SELECT count(*), p.args LIKE '%\"first\"]' FROM process p WHERE pid = $pid"
	echo >"$WORK/gate"
	until_sql 4 "SELECT count(*) FROM fork WHERE ppid = $pid AND provenance = 'observed'"
	until_sql 1 "SELECT count(*) FROM process WHERE pid = $pid AND args LIKE '%\"second\"]'"
	echo >"$WORK/gate"
	printf '\n\n' >&9
	wait "$pid"
	record_stop
	nothing_lost
	expect "images of its children" 'first first second second' "$(sql "
		SELECT group_concat(word, ' ') FROM (SELECT CASE WHEN args LIKE '%\"first\"]' THEN 'first'
		WHEN args LIKE '%\"second\"]' THEN 'second' END word FROM process WHERE ppid = $pid ORDER BY start_boot_ns)")"
	expect "its own images" 'snapshot snapshot' "$(sql "
		SELECT group_concat(provenance, ' ') FROM exec WHERE pid = $pid")"
	expect "its second image is dated" 1 "$(sql "
		SELECT count(*) FROM exec e JOIN fork f ON f.parent_id = e.process_id AND f.unix_ns = e.unix_ns WHERE e.pid = $pid")"
	expect "its end" observed "$(sql "SELECT end_provenance FROM process WHERE pid = $pid")"
}

# It has ended before the recorder hears of it, and it is met by nothing but a child that was moved.
test_launcher_has_gone() { # alone
	local pid
	record_start
	kill -STOP "$DAEMON"
	# shellcheck disable=SC2016
	bash -c '(echo "$BASHPID" >"$0/cgroup.procs"; exec /bin/true launched); :' "$CGROUP" &
	pid=$!
	wait "$pid"
	kill -CONT "$DAEMON"
	record_stop
	nothing_lost
	expect "what it launched" "$pid" "$(sql "SELECT ppid FROM exec WHERE args = '[\"/bin/true\",\"launched\"]'")"
	expect "its end" inferred "$(sql "SELECT end_provenance FROM process WHERE pid = $pid")"
	expect "the end of this one" '' "$(sql "SELECT end_provenance FROM process WHERE pid = $$")"
}

# Nothing but the cgroup is recorded.
test_other_cgroup() { # alone
	record_start
	/bin/sh -c '/bin/true; /bin/true'
	in_cgroup /bin/true
	record_stop
	expect "births elsewhere" 0 "$(sql "SELECT count(*) FROM fork WHERE provenance = 'observed' AND cgroup NOT LIKE '%lineaged-test-%'")"
	expect "images elsewhere" 0 "$(sql "SELECT count(*) FROM exec WHERE provenance = 'observed' AND cgroup NOT LIKE '%lineaged-test-%'")"
	expect "image in the cgroup" 1 "$(sql "SELECT count(*) FROM exec WHERE provenance = 'observed' AND args = '[\"/bin/true\"]'")"
}

test_excluded_cgroup() { # alone
	mkdir "$CGROUP/quiet"
	record_start --exclude-cgroup "$CGROUP/quiet"
	# shellcheck disable=SC2016
	in_cgroup bash -c 'echo $$ >"$1"/quiet/cgroup.procs; /bin/true not recorded' - "$CGROUP"
	in_cgroup /bin/true recorded
	record_stop
	rmdir "$CGROUP/quiet"
	expect "recorded" '["/bin/true","recorded"]' \
		"$(sql "SELECT group_concat(args) FROM exec WHERE provenance = 'observed' AND exe LIKE '%/true'")"
}
