# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# lineage-query follow beside a daemon that writes: every event is told, and a cursor goes on where it stopped.

follow_start() {
	RUNS=$((RUNS + 1))
	"$LINEAGE_QUERY" follow --db "$DB" -o ndjson --cursor-file "$WORK/cursor" >"$WORK/told.$RUNS" \
		2>"$WORK/follow.error" </dev/null 9>&- &
	FOLLOW=$!
}

# follow_end SIGNAL
follow_end() {
	kill "-$1" "$FOLLOW" 2>/dev/null || die "follow ended by itself: $(cat "$WORK/follow.error")"
	wait "$FOLLOW" 2>/dev/null || true
}

# Until it has looked once: what it has not seen by then is new to it.
follow_ready() {
	local tries
	for ((tries = 0; tries < 500; tries++)); do
		[[ ! -s $WORK/cursor ]] || return 0
		sleep 0.02
	done
	die "follow keeps no cursor: $(cat "$WORK/follow.error")"
}

# Until it has told all that there is: two looks without another cursor.
follow_settle() {
	local before=''
	until [[ -n $before && $before == "$(cat "$WORK/cursor")" ]]; do
		before=$(cat "$WORK/cursor")
		sleep 1
	done
}

# The events of all runs, each as often as it was told; the last line of a killed run may be cut short.
told() {
	cat "$WORK"/told.* | sed -n 's/^{"event":"\([a-z]*\)","time":"[^"]*","unix_ns":\([0-9]*\),"process_id":\([0-9]*\),.*}$/\1 \3 \2/p'
}

# Of processes that were recorded after the first look.
recorded() {
	sql -separator ' ' "SELECT 'fork', process_id, unix_ns FROM fork WHERE process_id > $FIRST AND provenance <> 'snapshot'
		UNION ALL SELECT 'exec', process_id, unix_ns FROM exec WHERE process_id > $FIRST AND provenance <> 'snapshot'
		UNION ALL SELECT 'exit', process_id, unix_ns FROM exit WHERE process_id > $FIRST"
}

follow_begin() {
	RUNS=0
	record_start
	FIRST=$(sql 'SELECT coalesce(max(process_id), 0) FROM process')
	follow_start
	follow_ready
}

# Everything that is recorded was told. Prints how much of it more than once.
all_told() {
	told | sort >"$WORK/told"
	recorded | sort >"$WORK/recorded"
	[[ -s $WORK/recorded ]] || die "nothing was recorded"
	comm -13 <(uniq "$WORK/told") "$WORK/recorded" >"$WORK/not-told"
	[[ ! -s $WORK/not-told ]] || die "$(wc -l <"$WORK/not-told") of $(wc -l <"$WORK/recorded") were not told: $(head -5 "$WORK/not-told")"
	comm -23 <(uniq "$WORK/told") "$WORK/recorded" >"$WORK/made-up"
	[[ ! -s $WORK/made-up ]] || die "told and not recorded: $(head -5 "$WORK/made-up")"
	TWICE=$(uniq -d "$WORK/told" | wc -l)
}

test_beside_the_writer() {
	follow_begin
	flood_start --workers 2 --rate 300 --seconds 4
	flood_wait
	record_stop
	follow_settle
	follow_end TERM
	all_told
	expect "told twice" 0 "$TWICE"
	flood_is_whole
	echo "note: $CREATED processes, $(wc -l <"$WORK/told") events"
}

# Whoever kills it loses nothing. What it had told and not yet noted down is told again, by one look of each run.
test_killed_and_resumed() {
	local i rounds=8
	[[ $LIVE_QUICK ]] || rounds=40
	follow_begin
	flood_start --workers 2 --rate 300 --seconds 1000
	for ((i = 0; i < rounds; i++)); do
		sleep "0.$(printf %03d $((RANDOM % 700 + 100)))"
		follow_end KILL
		follow_start
	done
	flood_stop
	record_stop
	follow_settle
	follow_end TERM
	all_told
	((TWICE * 2 < $(wc -l <"$WORK/recorded"))) || die "$TWICE of $(wc -l <"$WORK/recorded") were told twice"
	echo "note: killed $rounds times, $CREATED processes, $(wc -l <"$WORK/recorded") events, $TWICE told twice"
}

# In portions: each goes on exactly behind the one before.
test_portions() {
	local status before=''
	RUNS=0
	record_start
	FIRST=$(sql 'SELECT coalesce(max(process_id), 0) FROM process')
	follow_start
	follow_ready
	follow_end TERM
	flood_start --workers 2 --rate 200 --seconds 2
	flood_wait
	record_stop
	while [[ $before != "$(cat "$WORK/cursor")" ]]; do
		before=$(cat "$WORK/cursor")
		status=0
		RUNS=$((RUNS + 1))
		timeout 1 "$LINEAGE_QUERY" follow --db "$DB" -o ndjson --cursor-file "$WORK/cursor" -n 97 \
			>"$WORK/told.$RUNS" || status=$?
		((status == 0 || status == 124)) || die "follow: status $status"
	done
	all_told
	((RUNS > 10)) || die "only $RUNS portions"
	# Births are passed by their number; one that began earlier and was recorded later may come again.
	((TWICE <= RUNS)) || die "$TWICE told twice in $RUNS portions"
	echo "note: $RUNS portions, $(wc -l <"$WORK/recorded") events, $TWICE told twice"
}
