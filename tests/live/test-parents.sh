# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Parent and creator are what the kernel made them, however the process was born; threads are none.
# together: tests here look at their own processes only, but for those marked alone.

recorded() {
	record_start
	helper "$@"
	record_stop
	truth_holds
	nothing_lost
}

test_double_fork() { recorded parents double-fork; }
test_orphan_late_exec() { recorded parents orphan-late-exec; }
test_subreaper() { recorded parents subreaper; }
test_clone_parent() { recorded parents clone-parent; }
test_clone_parent_thread() { recorded parents clone-parent-thread; }
test_thread_forks() { recorded parents thread-forks; }
test_vfork() { recorded parents vfork; }
test_posix_spawn() { recorded parents posix-spawn; }
test_ptrace() { recorded parents ptrace; }

test_reuse() {
	recorded parents reuse
	expect "processes of that pid" 21 "$(sql 'SELECT max(n) FROM (SELECT count(*) n FROM fork GROUP BY pid)')"
}

test_exec_of_thread() { recorded threads exec; }
test_leader_first() { recorded threads leader-first; }
test_leader_code() { recorded threads leader-code; }
test_threads_killed() { recorded threads killed; }

# Two last threads end at once: one end each, and not one number too many.
test_last_two() { # alone
	local loops=100000
	[[ $LIVE_QUICK ]] && loops=10000
	[[ $LIVE_EMULATED ]] && loops=1000
	record_start
	helper threads last-two "$loops"
	record_stop
	nothing_lost
	expect births "$loops" "$(sql "SELECT count(*) FROM fork WHERE provenance = 'observed'")"
	expect ends $((loops + 1)) "$(sql "SELECT count(*) FROM exit WHERE provenance = 'observed'")"
	expect "events of the children" $((2 * loops)) "$(sql "
		SELECT (SELECT count(*) FROM fork f WHERE f.provenance = 'observed')
		+ (SELECT count(*) FROM exit x JOIN fork f USING (process_id) WHERE f.provenance = 'observed')")"
}
