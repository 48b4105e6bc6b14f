# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What retention takes out of the database of a daemon that goes on recording, and what it leaves.

quick() { if [[ $LIVE_QUICK ]]; then echo "$1"; else echo "$2"; fi; }

# Bytes of the database and its log, now.
used() { stat -c %s "$DB" "$DB-wal" 2>/dev/null | awk '{ n += $1 } END { print n }'; }

# All that was made is there or counted as pruned, with every ancestor of what is there.
retained() {
	proven
	expect "there or pruned" "$CREATED" "$(sql "SELECT (SELECT count(*) FROM fork WHERE provenance IN ('observed', 'recovered'))
		+ (SELECT coalesce(sum(processes), 0) FROM pruned_row)")"
	expect "without a parent" '' "$(sql "SELECT p.process_id FROM process p WHERE parent_id IS NOT NULL
		AND NOT EXISTS (SELECT 1 FROM process q WHERE q.process_id = p.parent_id)")"
	expect "parents that are not recorded" 0 "$(sql "SELECT count(*) FROM pruned_row WHERE parent_id > 0
		AND NOT EXISTS (SELECT 1 FROM process q WHERE q.process_id = pruned_row.parent_id)")"
}

# A flood at several times of what MaxUse= allows.
test_max_use() {
	local most=0 now
	configure Retention.MaxUse=8M Retention.KeepFree=0 Capture.CacheKeepSec=1s
	record_start
	flood_start --workers 2 --mode fork --rate 1000 --seconds "$(quick 40 120)"
	while kill -0 "$FLOOD" 2>/dev/null && [[ $(process_state "$FLOOD") != Z ]]; do
		now=$(used)
		((now <= most)) || most=$now
		sleep 0.1
	done
	flood_wait
	sleep 3
	cp "$DB-status.json" "$WORK/status.json"
	record_stop
	retained
	(($(sql "SELECT coalesce(sum(processes), 0) FROM pruned_row") > CREATED / 10)) || die "hardly anything was pruned"
	((most <= 8 << 20)) || die "database and log took $most bytes"
	grep -q '"processes": [1-9]' "$WORK/status.json" || die "the status file tells nothing of it"
	echo "note: $CREATED processes, $(sql "SELECT count(*) FROM process") kept, at most $most bytes"
}

# What has ended for long goes, while nothing happens; what runs stays.
test_max_retention() {
	local sleeper
	configure Retention.MaxRetentionSec=60s Capture.CacheKeepSec=1s
	[[ -z $LIVE_QUICK ]] || skip "takes more than a minute"
	record_start
	in_cgroup sleep 1000 &
	sleeper=$!
	flood_start --workers 1 --rate 500 --count 1000
	flood_wait
	CREATED=$((CREATED + 1))
	sleep 75
	expect "processes that are left" sleep "$(sql "SELECT comm FROM process WHERE provenance = 'observed' AND comm = 'sleep'")"
	((CREATED - $(sql "SELECT coalesce(sum(processes), 0) FROM pruned_row") < 10)) || die "not pruned"
	kill "$sleeper"
	wait "$sleeper" || true
	record_stop
	proven
}

# Whoever keeps the database open in a transaction stops neither recording nor, afterwards, pruning.
test_reader() {
	local reader
	configure Retention.MaxUse=8M Retention.KeepFree=0 Capture.CacheKeepSec=1s
	record_start
	flood_start --workers 2 --mode fork --rate 800 --seconds "$(quick 20 60)"
	sleep 1
	mkfifo "$WORK/shell"
	sqlite3 -batch -readonly "$DB" <"$WORK/shell" >"$WORK/read" &
	reader=$!
	exec 6>"$WORK/shell"
	echo "BEGIN; SELECT count(*) FROM process_row;" >&6
	flood_wait
	echo "COMMIT;" >&6
	exec 6>&-
	wait "$reader"
	sleep 12
	(($(used) <= 8 << 20)) || die "database and log still take $(used) bytes"
	record_stop
	retained
	nothing_lost
}
