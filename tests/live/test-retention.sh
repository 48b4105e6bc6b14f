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
	while kill -0 "$FLOOD" 2>/dev/null && ! has_ended "$FLOOD"; do
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
	expect "flood that is still there" 1 "$(sql "SELECT count(*) FROM process WHERE pid = $FLOOD")"
	"$LINEAGE_QUERY" tree "$FLOOD" --db "$DB" >"$WORK/tree" || die "lineage-query tree: status $?"
	grep -q '[0-9] children pruned\]' "$WORK/tree" || die "the tree tells nothing of it: $(head "$WORK/tree")"
	((most <= 8 << 20)) || die "database and log took $most bytes"
	grep -q '"processes": [1-9]' "$WORK/status.json" || die "the status file tells nothing of it"
	echo "note: $CREATED processes, $(sql "SELECT count(*) FROM process") kept, at most $most bytes"
}

# What has ended for long goes, while nothing happens; what runs stays, with what it came from.
test_max_retention() {
	local pid pruned
	[[ -z $LIVE_QUICK ]] || skip "takes more than a minute"
	configure Retention.MaxRetentionSec=60s Capture.CacheKeepSec=1s
	record_start
	in_cgroup bash -c 'bash -c "bash -c \"sleep 1000; :\"; :"; :' &
	pid=$!
	flood_start --workers 1 --rate 500 --count 1000
	flood_wait
	sleep 78
	expect "images that are left" 'bash sleep' "$(sql "SELECT DISTINCT comm FROM process WHERE end_unix_ns IS NULL
		AND cgroup LIKE '%lineaged-test-$$%' ORDER BY 1" | xargs)"
	pruned=$(sql "SELECT coalesce(sum(processes), 0) FROM pruned_row")
	# But for the newest process and those from which it comes: ids of new rows follow it.
	((pruned >= CREATED - 5 && pruned <= CREATED)) || die "$pruned pruned of $CREATED"
	expect "ancestors of sleep" 'bash bash sleep' "$(sql "SELECT c.comm, b.comm, a.comm FROM process a
		JOIN process b ON b.process_id = a.parent_id JOIN process c ON c.process_id = b.parent_id
		WHERE a.comm = 'sleep'" | tr '|' ' ')"
	cgroup_empty
	wait "$pid" || true
	record_stop
	proven
}

# Space that others take on the file system of the database is taken from it, down to an eighth of that.
test_keep_free() {
	local free least=64
	mkdir "$WORK/small"
	mount -t tmpfs -o size=64m none "$WORK/small"
	DB=$WORK/small/lineage.db
	configure Retention.MaxUse=0 Retention.KeepFree=4M Capture.CacheKeepSec=1s
	fallocate -l 52M "$WORK/small/others"
	record_start
	flood_start --workers 2 --mode fork --rate 1000 --seconds "$(quick 50 120)"
	while kill -0 "$FLOOD" 2>/dev/null && ! has_ended "$FLOOD"; do
		free=$(df --output=avail -k "$WORK/small" | tail -n 1)
		((free / 1024 >= least)) || least=$((free / 1024))
		sleep 0.1
	done
	flood_wait
	record_stop
	retained
	nothing_lost
	(($(sql "SELECT coalesce(sum(processes), 0) FROM pruned_row") > CREATED / 10)) || die "hardly anything was pruned"
	((least >= 3)) || die "only $least MiB were left"
	echo "note: $CREATED processes, $(sql "SELECT count(*) FROM process") kept, at least $least MiB were free"
}

# Of who stays and has run a hundred programs the oldest go, and answers about them and their time say so.
test_images() {
	local pid early late rest
	mkdir "$WORK/small"
	mount -t tmpfs -o size=16m none "$WORK/small"
	DB=$WORK/small/lineage.db
	configure Retention.MaxUse=0 Retention.KeepFree=1M Capture.CacheKeepSec=1s
	fallocate -l 13M "$WORK/small/others"
	printf '#!/bin/sh\n[ "$1" -gt 0 ] && exec "$0" $(($1 - 1)) "$2"\necho $$ >"$2"\nexec sleep 1000\n' >"$WORK/chain"
	chmod 755 "$WORK/chain"
	record_start
	early=$(date -u +%FT%T.%NZ)
	in_cgroup "$WORK/chain" 100 "$WORK/pid" 2>/dev/null &
	sleep 2
	pid=$(<"$WORK/pid")
	late=$(date -u +%FT%T.%NZ)
	flood_start --workers 2 --mode fork --rate 1000 --seconds 12
	flood_wait
	sleep 1
	rest=$(date -u +%FT%T.%NZ)
	in_cgroup true
	record_stop
	proven
	expect "images that are there or counted" 102 "$(sql "SELECT (SELECT count(*) FROM exec WHERE pid = $pid)
		+ (SELECT execs FROM pruned_exec WHERE failed = 0 AND process_id = (SELECT process_id FROM process WHERE pid = $pid))")"
	"$LINEAGE_QUERY" show "$pid" --db "$DB" >"$WORK/show" || die "lineage-query show: status $?"
	grep -q '[0-9] earlier images removed by retention' "$WORK/show" || die "show tells nothing of it: $(cat "$WORK/show")"
	asked 4 --since "$early" --until "$late"
	grep -q '[0-9] earlier images not in this database' "$WORK/window" || die "the window tells nothing of it: $(cat "$WORK/window")"
	asked 0 --since "$rest"
	"$LINEAGE_QUERY" window --db "$DB" -o json --since "$early" --until "$late" |
		grep -q '"kind":"pruned-execs"' || die "nothing of it in JSON"
	echo "note: $(grep -m 1 'earlier images' "$WORK/show"), $CREATED processes made"
}

# asked STATUS OPTION...: a window, strictly.
asked() {
	local status=0
	"$LINEAGE_QUERY" window --strict --db "$DB" "${@:2}" >"$WORK/window" || status=$?
	((status == $1)) || die "lineage-query window ${*:2}: status $status, not $1: $(tail -n 20 "$WORK/window")"
}

# The file of the status and that of the metrics say the same, and what lineage-query and the database say.
test_figures() {
	local json=$WORK/status.json metrics=$WORK/lineaged.prom tries told
	command -v python3 >/dev/null || skip "python3 is not installed"
	configure Report.StatusFile="$json" Report.MetricsFile="$metrics" Capture.CacheKeepSec=1s
	record_start
	flood_start --workers 2 --rate 500 --count 1000
	flood_wait
	# Both are replaced, one after the other, every ten seconds at least: take two of the same time.
	for ((tries = 0; tries < 100; tries++)); do
		sleep 0.3
		cp "$json" "$WORK/a" && cp "$metrics" "$WORK/b" && cmp -s "$json" "$WORK/a" || continue
		told=$(python3 -c 'import json, sys; print(json.load(sys.stdin)["events"]["exit"])' <"$WORK/a")
		((told >= CREATED)) && python3 "$LIVE/metrics.py" "$WORK/a" "$WORK/b" >"$WORK/wrong" && break
	done
	[[ ! -s $WORK/wrong ]] || die "$(cat "$WORK/wrong")"
	((told >= CREATED)) || die "the status tells of $told ends, $CREATED were made"
	python3 - "$WORK/a" <(sql "SELECT 'fork', count(*) FROM fork WHERE provenance = 'observed'
		UNION ALL SELECT 'exec', count(*) FROM exec WHERE provenance = 'observed'
		UNION ALL SELECT 'exit', count(*) FROM exit WHERE provenance = 'observed'") \
		<("$LINEAGE_QUERY" status --db "$DB" --status-file "$json" --output json) <<-'EOF' || die "the figures differ"
		import json, sys
		status = json.load(open(sys.argv[1]))
		wrong = []
		for line in open(sys.argv[2]):
		    kind, count = line.strip().split("|")
		    if status["events"][kind] != int(count):
		        wrong.append(f"{kind}: {status['events'][kind]} in the status, {count} in the database")
		answer = json.load(open(sys.argv[3]))
		if f'"fork": {status["events"]["fork"]}' not in json.dumps(answer):
		    wrong.append(f"lineage-query status: {answer}")
		if status["losses"]["missing"] or status["rates"]["events_per_second"] <= 0:
		    wrong.append(f"losses or rates: {status['losses']}, {status['rates']}")
		print("\n".join(wrong))
		sys.exit(bool(wrong))
	EOF
	record_stop
	[[ ! -e $json && ! -e $metrics ]] || die "figures of a daemon that has ended are left"
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
