# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Nothing is lost unless it cannot be helped, nothing is there twice, and what is missing is counted.

quick() { if [[ $LIVE_QUICK ]]; then echo "$1"; else echo "$2"; fi; }

pause_random() { sleep "0.$(printf %03d $((RANDOM % 400 + 20)))"; }

# The daemon is killed at any moment, and another goes on.
test_sigkill() {
	local i rounds
	rounds=$(quick 15 200)
	configure_to_stay
	record_start
	flood_start --workers 2 --rate 400 --seconds 1000
	for ((i = 0; i < rounds; i++)); do
		pause_random
		record_kill
		record_start
	done
	flood_stop
	record_finish
	nothing_lost
	flood_is_whole
	expect "runs told as killed" "$rounds" "$(sql "SELECT count(*) FROM recorder WHERE ended = 'killed'")"
	echo "note: killed $rounds times, $CREATED processes"
}

# Killed while it starts, takes over and reconciles.
test_sigkill_while_starting() {
	local i rounds
	rounds=$(quick 10 60)
	configure_to_stay
	record_start
	flood_start --workers 2 --rate 400 --seconds 1000
	record_kill
	for ((i = 0; i < rounds; i++)); do
		"$LINEAGED" --config "$CONFIG" --db "$DB" --pin-dir "$PINS" --include-cgroup "$CGROUP" \
			2>>"$DAEMON_LOG" </dev/null &
		DAEMON=$!
		sleep "0.$(printf %03d $((RANDOM % 250)))"
		record_kill
	done
	record_start
	flood_stop
	record_finish
	nothing_lost
	flood_is_whole
}

test_restart_under_load() {
	local i rounds
	rounds=$(quick 8 50)
	configure_to_stay
	record_start
	flood_start --workers 2 --rate 500 --seconds 1000
	for ((i = 0; i < rounds; i++)); do
		pause_random
		record_hand_over
		pause_random
		record_start
	done
	flood_stop
	record_finish
	nothing_lost
	flood_is_whole
	expect "runs told as handed over" $((rounds + 1)) \
		"$(sql "SELECT count(*) FROM recorder WHERE ended = 'handed over'")"
	echo "note: restarted $rounds times, $CREATED processes"
}

# Another RingSize= needs programs with another ring: both record until the new ones are read.
other_ring() {
	ring=$([[ ${ring:-} == 16M ]] && echo 8M || echo 16M)
	configure_to_stay "Capture.RingSize=$ring"
}

# fail_start SECONDS: each name once, told by whichever ring.
fail_start() {
	cat >"$WORK/fail.py" <<-'END'
		import os, sys, time
		end, i = time.time() + float(sys.argv[1]), 0
		while time.time() < end:
		    try:
		        os.execv('/nonexistent/%d' % i, ['x'])
		    except OSError:
		        i += 1
		    if i % 20 == 0:
		        time.sleep(0.002)
		print(i)
	END
	in_cgroup python3 "$WORK/fail.py" "$1" >"$WORK/failed" &
	FAILING=$!
}

test_take_over() {
	local i rounds
	rounds=$(quick 4 12)
	command -v python3 >/dev/null || skip "python3 is not installed"
	configure_to_stay
	record_start
	fail_start $((rounds * 2))
	flood_start --workers 2 --rate 300 --seconds 1000
	# Five execs in a row, of which both generations of programs tell.
	# shellcheck disable=SC2016
	in_cgroup bash -c 'while [[ ! -e $0 ]]; do env env env env true; done' "$WORK/enough" &
	CHAINS=$!
	for ((i = 0; i < rounds; i++)); do
		pause_random
		record_hand_over
		other_ring
		record_start
	done
	wait "$FAILING"
	: >"$WORK/enough"
	wait "$CHAINS"
	flood_stop
	record_hand_over
	expect "taken over" "$rounds" "$(grep -c 'taken over' "$DAEMON_LOG")"
	record_finish "Capture.RingSize=$ring"
	nothing_lost
	expect "execs of each chain" 5 "$(sql "SELECT group_concat(DISTINCT n) FROM (SELECT count(*) AS n FROM exec
		WHERE process_id IN (SELECT process_id FROM exec WHERE exe LIKE '%/true') GROUP BY process_id)")"
	# The programs themselves are processes, too.
	expect "processes that ended" 0 "$(sql "SELECT count(*) FROM process WHERE exe LIKE '%/tiny' AND exit_code IS NULL")"
	expect "processes of the flood" $((CREATED - 2)) "$(sql "SELECT count(*) FROM exec WHERE exe LIKE '%/tiny'")"
	expect "failed execs" "$(cat "$WORK/failed") $(cat "$WORK/failed")" "$(sql "
		SELECT count(*) || ' ' || count(DISTINCT filename) FROM exec_failure WHERE filename LIKE '/nonexistent/%'")"
	echo "note: taken over $rounds times, $(cat "$WORK/failed") failed execs"
}

# Killed between two rings: the old one is still there for the next start.
test_take_over_killed() {
	local i rounds from
	rounds=$(quick 6 30)
	configure_to_stay
	record_start
	flood_start --workers 2 --rate 500 --seconds 1000
	for ((i = 0; i < rounds; i++)); do
		record_kill
		pause_random
		other_ring
		from=$(wc -l <"$DAEMON_LOG")
		"$LINEAGED" --config "$CONFIG" --db "$DB" --pin-dir "$PINS" --include-cgroup "$CGROUP" \
			2>>"$DAEMON_LOG" </dev/null &
		DAEMON=$!
		until tail -n +$((from + 1)) "$DAEMON_LOG" | grep -q 'taken over'; do sleep 0.001; done
		((i % 2)) || sleep "0.0$((RANDOM % 10))"
		record_kill
		record_start
	done
	flood_stop
	record_hand_over
	record_finish "Capture.RingSize=$ring"
	nothing_lost
	flood_is_whole
	echo "note: killed $rounds times, $(grep -c 'cut off' "$DAEMON_LOG" || true) times between two rings, $CREATED processes"
}

# refused_start [COMMAND...]: some are recorded, more are only in the ring, and the next start finds the database
# locked, after COMMAND. $made is how many there were. The lock is held by $lock, for some seconds.
refused_start() {
	local status=0
	configure_to_stay
	record_start
	flood_start --workers 2 --count 200
	flood_wait
	made=$CREATED
	record_kill
	flood_start --workers 2 --count 500
	flood_wait
	made=$((made + CREATED))
	[[ $# -eq 0 ]] || "$@"
	sqlite3 "$DB" 'BEGIN IMMEDIATE' '.shell sleep 4' 'ROLLBACK' >/dev/null &
	lock=$!
	sleep 0.5
	"$LINEAGED" --config "$CONFIG" --db "$DB" --pin-dir "$PINS" --include-cgroup "$CGROUP" \
		2>>"$DAEMON_LOG" </dev/null 9>&- || status=$?
	expect "status of the start that failed" 1 "$status"
}

# The database refuses between two rings: the start fails, and the next one loses nothing.
test_take_over_fails() {
	local lock
	refused_start other_ring
	grep -q 'taken over' "$DAEMON_LOG" || die "it failed before it took over"
	flood_start --workers 2 --count 100
	flood_wait
	made=$((made + CREATED))
	wait "$lock"
	record_start
	grep -q 'cut off' "$DAEMON_LOG" || die "nothing was left to be drained"
	record_finish "Capture.RingSize=$ring"
	CREATED=$made
	nothing_lost
	flood_is_whole
}

# A clean stop detaches; what runs until the next start is a gap, and told as one.
test_stop_is_a_gap() {
	record_start
	in_cgroup /bin/true first
	record_stop
	in_cgroup /bin/true missed
	record_start
	in_cgroup /bin/true second
	record_stop
	proven
	expect images '["/bin/true","first"],["/bin/true","second"]' \
		"$(sql "SELECT group_concat(args) FROM (SELECT args FROM exec WHERE exe LIKE '%/true' ORDER BY unix_ns)")"
	expect "gaps that tell of it" 1 "$(sql "SELECT count(*) FROM gap WHERE from_unix_ns < to_unix_ns")"
	expect "runs" 'stopped,stopped' "$(sql 'SELECT group_concat(ended) FROM recorder')"
}

# The default configuration holds what happens in half a minute at 1000 processes per second.
test_sigstop() {
	local seconds
	seconds=$(quick 5 30)
	record_start
	kill -STOP "$DAEMON"
	flood_start --workers 2 --rate 500 --seconds "$seconds"
	flood_wait
	kill -CONT "$DAEMON"
	record_stop
	nothing_lost
	flood_is_whole
	((CREATED >= seconds * 900)) || die "only $CREATED processes in $seconds s"
}

# writer_held SECONDS: only the thread that writes; the flood has been on for long enough to be drained by another.
writer_held() {
	sleep 1
	"$LIVE_HELPERS/hold" "$DAEMON" "$1" >"$WORK/held" &
	HOLDING=$!
	until [[ -s $WORK/held ]]; do
		kill -0 "$HOLDING" 2>/dev/null || skip "threads cannot be held here"
		sleep 0.02
	done
}

# The writer waits for longer than the ring lasts: what is moved out of it is not lost.
test_writer_waits() {
	configure Capture.RingSize=4M
	record_start
	flood_start --workers 2 --seconds 5
	writer_held 2
	sleep 1.5
	compgen -G "$PINS/overflow_*" >/dev/null || die "nothing was moved out of the ring"
	wait "$HOLDING"
	flood_wait
	record_stop
	nothing_lost
	flood_is_whole
	echo "note: $CREATED processes"
}

# Killed while it waits, too.
test_writer_killed() {
	local i
	configure_to_stay Capture.RingSize=4M
	record_start
	for ((i = 0; i < $(quick 2 20); i++)); do
		flood_start --workers 2 --seconds 3
		writer_held 100
		flood_wait
		compgen -G "$PINS/overflow_*" >/dev/null || die "nothing was moved out of the ring"
		kill -KILL "$DAEMON"
		# Until its tracer is gone it cannot be waited for.
		kill "$HOLDING"
		wait "$HOLDING" "$DAEMON" 2>/dev/null || true
		DAEMON=''
		record_start
		ALL=$((${ALL:-0} + CREATED))
	done
	record_finish Capture.RingSize=4M
	nothing_lost
	CREATED=$ALL
	flood_is_whole
	echo "note: killed $i times, $CREATED processes"
}

# The smallest ring and a daemon that does not read: what the ring cannot hold, the cache gives back.
test_small_ring_heals() {
	local from to created
	configure Capture.RingSize=64K
	record_start
	kill -STOP "$DAEMON"
	flood_start --workers 2 --count 1500 --bursts 3 --pause-ms 300
	flood_wait
	kill -CONT "$DAEMON"
	record_stop
	proven
	(($(sql 'SELECT coalesce(sum(recovered), 0) FROM gap') > 1000)) || die "the ring was not too small"
	expect "not recovered" 0 "$(sql 'SELECT sum(lost) FROM gap')"
	flood_is_whole
	while read -r from to created; do
		expect "processes of a burst" "$created" "$(sql "SELECT count(*) FROM process
			WHERE start_boot_ns BETWEEN $from AND $to AND provenance IN ('observed', 'recovered')")"
	done < <(sed 's/[^0-9]*\([0-9]*\)[^0-9]*/\1 /g' "$WORK/flood")
	expect "ends recovered" 1 "$(sql "SELECT count(*) > 500 FROM exit WHERE provenance = 'recovered'")"
}

# With too small a cache as well, events are lost for good, and every one of them is counted.
test_small_cache_counts() {
	local events
	configure Capture.RingSize=64K Capture.CacheEntries=1024
	record_start
	kill -STOP "$DAEMON"
	flood_start --workers 2 --count 3000 --bursts 2 --pause-ms 300
	flood_wait
	kill -CONT "$DAEMON"
	record_stop
	proven
	# A child has three events and a worker two; of the flood itself there are image and end.
	events=$((3 * (CREATED - 4) + 2 * 4 + 2))
	expect "events, arrived or lost" "$events" "$(sql "
		SELECT (SELECT count(*) FROM fork WHERE seq IS NOT NULL) + (SELECT count(*) FROM exec WHERE seq IS NOT NULL)
			+ (SELECT count(*) FROM exit WHERE seq IS NOT NULL) + (SELECT sum(lost) FROM gap)")"
	(($(sql 'SELECT sum(lost) FROM gap') > 1000)) || die "the cache was not too small"
	status=0
	"$LINEAGE_QUERY" window --strict --since "$STARTED" --db "$DB" >"$WORK/answer" 2>&1 || status=$?
	expect "status of window --strict" 4 "$status"
	grep -q '^incomplete' <<<"$(tail -n 20 "$WORK/answer")" || die "the answer does not end so: $(tail -n 20 "$WORK/answer")"
}

# A flood that the daemon has to follow: whatever it loses is counted.
test_flood() {
	record_start
	flood_start --workers 4 --count "$(quick 3000 20000)"
	flood_wait
	record_stop
	proven
	expect "lost for good" 0 "$(sql 'SELECT coalesce(sum(lost), 0) FROM gap')"
	flood_is_whole
	echo "note: $CREATED processes, $(sql 'SELECT coalesce(sum(recovered), 0) FROM gap') events recovered"
}

# On one CPU, with work of higher priority that interrupts the programs wherever they are.
test_preemption() {
	local mode='' count urgent debug=/sys/kernel/debug
	command -v chrt >/dev/null || skip "chrt is not installed"
	count=$(quick 3000 20000)
	mountpoint -q $debug || mount -t debugfs none $debug 2>/dev/null || true
	# Not where the kernel is locked down: it then stays as preemptible as it was booted (preempt=full).
	if mode=$(sed 's/.*(\(.*\)).*/\1/' $debug/sched/preempt 2>/dev/null) && [[ $mode ]]; then
		echo full >$debug/sched/preempt
		# shellcheck disable=SC2064
		trap "echo $mode >$debug/sched/preempt; live_end" EXIT
	fi
	record_start
	taskset -c 0 chrt -f 20 "$LIVE_HELPERS/flood" --cgroup "$CGROUP" --rate 1500 --seconds "$(quick 3 15)" >"$WORK/urgent" &
	urgent=$!
	flood_start --workers 8 --count $((count / 8))
	taskset -acp 0 "$FLOOD" >/dev/null
	flood_wait
	wait "$urgent"
	sleep 3
	grep -q '"malformed": *0' "$DB-status.json" || die "malformed records: $(cat "$DB-status.json")"
	record_stop
	CREATED=$((CREATED + $(sed 's/.*"created":\([0-9]*\).*/\1/' "$WORK/urgent")))
	nothing_lost
	flood_is_whole
	echo "note: $CREATED processes on one CPU${mode:+, fully preemptible}"
}

# An analyst's shell in a read transaction: recording goes on, and what it sees stands still.
test_reader_pinned() {
	local before during
	record_start
	flood_start --workers 2 --rate 300 --seconds 1000
	sleep 1
	mkfifo "$WORK/shell"
	sqlite3 -batch "$DB" <"$WORK/shell" >"$WORK/reader" &
	exec 9>"$WORK/shell"
	echo 'BEGIN; SELECT count(*) FROM process;' >&9
	sleep "$(quick 3 20)"
	echo 'SELECT count(*) FROM process; COMMIT;' >&9
	during=$(sql 'SELECT count(*) FROM process')
	exec 9>&-
	sleep 1
	flood_stop
	record_stop
	before=$(head -n 1 "$WORK/reader")
	expect "what the reader saw later" "$before" "$(tail -n 1 "$WORK/reader")"
	((during > before)) || die "recording stood still: $before, then $during"
	nothing_lost
	flood_is_whole
}

# A file system that fills up, and is freed again, three times.
test_disk_full() {
	local i
	mkdir "$WORK/disk"
	mount -t tmpfs -o size=20m none "$WORK/disk"
	DB=$WORK/disk/lineage.db
	configure Retention.MaxUse=0 Retention.KeepFree=0 Storage.WalMax=1M
	record_start
	for i in 1 2 3; do
		flood_start --workers 2 --count 500
		flood_wait
		made=$((${made:-0} + CREATED))
		dd if=/dev/zero of="$WORK/disk/filler" bs=64K 2>/dev/null || true
		flood_start --workers 2 --count 2000
		flood_wait
		made=$((made + CREATED))
		sleep 2
		kill -0 "$DAEMON" || die "lineaged ended when the disk was full"
		rm "$WORK/disk/filler"
		sleep 3
	done
	record_stop
	CREATED=$made
	proven
	expect "lost for good" 0 "$(sql 'SELECT coalesce(sum(lost), 0) FROM gap')"
	flood_is_whole
	grep -qi 'full\|space' "$DAEMON_LOG" || die "not a word of the full disk"
	(($(grep -ci 'full\|space' "$DAEMON_LOG") <= 12)) || die "too many words of the full disk"
}

# The ring holds what was recorded while nobody read: a start that fails must not let go of it.
test_start_fails() {
	local lock
	refused_start
	wait "$lock"
	record_start
	record_finish
	CREATED=$made
	nothing_lost
	flood_is_whole
}

# What went to the database that was removed is one gap, however much it was.
test_removed() {
	local kib before
	record_start
	flood_start --workers 2 --count "$(quick 2000 20000)"
	flood_wait
	until (($(sql 'SELECT count(*) FROM process') > CREATED)); do sleep 0.1; done
	before=$(date +%s%N)
	rm -f "$DB" "$DB-wal" "$DB-shm"
	until [[ -s $DB ]] && [[ $(sql 'SELECT count(*) FROM recorder' 2>/dev/null) == 1 ]]; do sleep 0.1; done
	sleep 1
	flood_start --workers 1 --count 10
	flood_wait
	kib=$(awk '/^VmHWM/ { print $2 }' "/proc/$DAEMON/status")
	record_stop
	proven
	flood_is_whole
	expect "in a cgroup without a name" 0 "$(sql "SELECT count(*) FROM fork WHERE provenance = 'observed' AND cgroup IS NULL")"
	expect "gaps" 'database_begun|||0|1' "$(sql "SELECT cause, cpu, lost, recovered, to_unix_ns > $before FROM gap")"
	((kib < 32768)) || die "the daemon took $kib KiB"
}

# Removed under the daemon, on a disk that has no room for another one at first: what runs is in the
# new one in the end, what was in between is told as missing, and the log is kept short again.
test_removed_when_full() {
	local i sleepers=()
	mkdir "$WORK/disk"
	mount -t tmpfs -o size=20m none "$WORK/disk"
	DB=$WORK/disk/lineage.db
	configure Retention.MaxUse=0 Retention.KeepFree=0 Storage.WalMax=1M Storage.SyncIntervalSec=1
	for ((i = 0; i < 20; i++)); do in_cgroup sleep 600 & sleepers+=($!); done
	record_start
	dd if=/dev/zero of="$WORK/disk/filler" bs=4K 2>/dev/null || true
	rm -f "$DB" "$DB-wal" "$DB-shm"
	# What the old one took is free once the daemon lets go of it: not for long.
	for ((i = 0; i < 20; i++)); do
		dd if=/dev/zero of="$WORK/disk/filler" bs=4K oflag=append conv=notrunc 2>/dev/null || true
		sleep 0.1
	done
	truncate -s -200K "$WORK/disk/filler"
	sleep 3
	kill -0 "$DAEMON" || die "lineaged ended"
	rm "$WORK/disk/filler"
	sleep 7
	flood_start --workers 2 --count 3000
	flood_wait
	sleep 4
	(($(stat -c %s "$DB-wal") <= 3 << 20)) || die "the log has grown to $(stat -c %s "$DB-wal") bytes"
	record_stop
	{ kill "${sleepers[@]}" && wait "${sleepers[@]}"; } 2>/dev/null || true
	flood_is_whole
	expect "what ran all the time" 20 "$(sql "SELECT count(*) FROM process WHERE comm = 'sleep'")"
}

# damaged HOW: recording goes on in a new database; the damaged file is kept beside it.
damaged() {
	local sum
	record_start
	flood_start --workers 1 --count 500
	flood_wait
	record_stop
	sqlite3 "$DB" 'PRAGMA wal_checkpoint(TRUNCATE)' >/dev/null
	rm -f "$DB-wal" "$DB-shm"
	"$@"
	sum=$(sha256sum <"$DB" | cut -d' ' -f1)
	record_start
	helper parents vfork
	record_stop
	truth_holds
	proven
	grep -q "^$sum" <<<"$(sha256sum "$WORK"/lineage.db?*)" || die "the damaged file is gone: $(ls "$WORK")"
	grep -qi 'damaged\|set aside\|no SQLite database' "$DAEMON_LOG" || die "not a word of it"
}

test_damaged_truncated() {
	cut_off() { truncate -s "$(($(stat -c %s "$DB") / 2))" "$DB"; }
	damaged cut_off
}

test_damaged_noise() {
	noise() { dd if=/dev/urandom of="$DB" bs=1K seek=1 count=40 conv=notrunc 2>/dev/null; }
	damaged noise
}

test_damaged_head() {
	noise() { dd if=/dev/urandom of="$DB" bs=100 count=1 conv=notrunc 2>/dev/null; }
	damaged noise
}

# MiB that lineaged(8) promises with the default configuration: of the daemon itself, and of its BPF
# maps with the ring. An hour of 100 processes per second is what they have to stand.
test_memory() {
	local kib maps deadline
	record_start
	flood_start --workers 4 --count "$(quick 3000 90000)"
	flood_wait
	sleep 1
	# What the ring was moved to is given back.
	deadline=$((SECONDS + 30))
	while compgen -G "$PINS/overflow_*" >/dev/null; do
		((SECONDS < deadline)) || die "the overflow has not been given back"
		sleep 0.2
	done
	kib=$(awk '/^VmHWM/ { print $2 }' "/proc/$DAEMON/status")
	maps=$(cat "/proc/$DAEMON"/fdinfo/* 2>/dev/null |
		awk '/^map_id/ { map = 1 } /^memlock/ { n = $2 } /^map_id/ { if (!seen[$2]++) sum += n } END { print int(sum / 1024) }')
	record_stop
	((maps > 32768)) || die "the maps cannot take only $maps KiB, with the ring in them"
	((kib < 32768)) || die "the daemon took $kib KiB"
	((maps < 81920)) || die "the maps take $maps KiB"
	echo "note: $CREATED processes, at most $kib KiB, maps $maps KiB"
}

# Children whose birth was lost, of a parent that has become something else by the time of recovery: they
# have what it ran when they were born.
test_recovered_image() {
	local wanted
	configure Capture.RingSize=64K
	record_start
	kill -STOP "$DAEMON"
	mkfifo "$WORK/leash"
	# shellcheck disable=SC2016
	in_cgroup bash -c 'for ((i = 0; i < 400; i++)); do (:); done
		for ((i = 0; i < 20; i++)); do (read -r x <"$0/leash") & done
		touch "$0/forked"; exec tail -f /dev/null' "$WORK" &
	exec 9>"$WORK/leash"
	until [[ -e $WORK/forked && $(cat "$CGROUP"/cgroup.procs | xargs -I{} readlink /proc/{}/exe) == */tail* ]]; do sleep 0.1; done
	kill -CONT "$DAEMON"
	wanted="20|[\"bash\"|1"
	until_sql 20 "SELECT count(*) FROM process WHERE provenance = 'recovered' AND end IS NULL"
	expect "those that wait" "$wanted" "$(sql "SELECT count(*), substr(args, 1, 7), image_inherited FROM process
		WHERE provenance = 'recovered' AND end IS NULL GROUP BY 2, 3")"
	exec 9>&-
	cgroup_empty
	record_stop
	proven
}

# What is forked while the programs are being attached, calls exec a moment later, and stays.
test_busy_start() {
	local i
	for ((i = 0; i < $(quick 2 10); i++)); do
		rm -f "$DB"*
		# shellcheck disable=SC2016
		in_cgroup bash -c 'for ((i = 0; i < 600; i++)); do sleep 1000 & done; wait' &
		pause "0.$((RANDOM % 3))"
		record_start
		until (($(wc -l <"$CGROUP/cgroup.procs") == 601)); do pause 0.05; done
		sleep 0.5
		record_stop
		expect "running something else" 1 "$(sql "SELECT count(*) FROM process p WHERE exe NOT LIKE '%/sleep'
			AND end IS NULL AND cgroup LIKE '%${CGROUP##*/}'")"
		cgroup_empty
		wait
	done
}
