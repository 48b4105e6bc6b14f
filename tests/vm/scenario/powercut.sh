# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The machine loses power in the middle of a flood. Afterwards the database opens and verifies, no more than
# the documented interval is missing, and a gap says so.
# vm-boot:
# vm-boot:
# vm-timeout: 480

# SyncIntervalSec=, and what a slow machine may need on top of it to carry the sync out.
INTERVAL=5
MARGIN=$((5 * VM_SLOW))
SECONDS_OF_FLOOD=$((10 + INTERVAL + MARGIN))

# The progress of the flood is written past the file system under test, so that it does not sync it.
progress_write()
{
	printf '%s\n' "$progress" | dd of="$(cat "$VM/out")" bs=64k conv=sync,notrunc oflag=direct status=none
}

rfc3339() { date -u -d "@$(($1 / 1000000000)).$(printf %09d $(($1 % 1000000000)))" +%Y-%m-%dT%H:%M:%S.%NZ; }

boot_1()
{
	local n=0 begin progress=''
	check package-installs install_lineaged || return 0
	check service-starts start_lineaged || return 0
	check settles settle
	sync
	cat /proc/sys/kernel/random/boot_id >/var/lib/vm/boot_id
	echo $MARGIN >/var/lib/vm/margin
	sync /var/lib/vm/boot_id /var/lib/vm/margin
	lineage-query follow --cursor-file /var/lib/vm/cursor -o ndjson >/dev/null &
	begin=$SECONDS
	while [ $((SECONDS - begin)) -lt $SECONDS_OF_FLOOD ]; do
		spawn_some cut $n 20
		n=$((n + 20))
		progress+="$n $(date +%s%N)"$'\n'
		progress_write
		sleep 0.1
	done
	spawn_some cut $n 500 &
	sleep 0.3
	report "HOST cut"
	sleep 60
}

boot_2()
{
	local old new last_n last_ns safe_n
	dd if="$(cat "$VM/out")" bs=64k count=1 iflag=direct status=none | tr -d '\0' >/var/lib/vm/progress
	MARGIN=$(cat /var/lib/vm/margin)
	read -r last_n last_ns < <(grep . /var/lib/vm/progress | tail -n 1)
	safe_n=$(awk -v limit=$((last_ns / 1000000 - (INTERVAL + MARGIN) * 1000)) \
		'NF == 2 && $2 / 1000000 <= limit { n = $1 } END { print n + 0 }' /var/lib/vm/progress)
	old=$(cat /var/lib/vm/boot_id)
	new=$(cat /proc/sys/kernel/random/boot_id)
	note "made at least $last_n before the cut, $safe_n more than $((INTERVAL + MARGIN)) s before it, recorded" \
		"$(sql "SELECT count(*) FROM process WHERE boot_id = '$old' AND args LIKE '%\"cut-%'")"
	check starts-at-boot wait_for 60 is_active || return 0
	check settles settle
	check database-is-sound sql_is ok 'PRAGMA integrity_check'
	check verify-passes verify_passes
	check flood-was-a-flood test "$safe_n" -ge 20
	check older-than-the-interval-is-there sql_is "$safe_n" "SELECT count(DISTINCT args) FROM process
		WHERE boot_id = '$old' AND args LIKE '%\"cut-%'
		AND CAST(substr(args, instr(args, 'cut-') + 4) AS INTEGER) < $safe_n"
	check nothing-twice sql_is 0 "SELECT count(*) FROM (SELECT 1 FROM process
		WHERE args LIKE '%\"cut-%' GROUP BY args HAVING count(*) > 1)"
	note "the gap begins $(sql "SELECT printf('%.1f', ($last_ns - from_unix_ns) / 1e9) FROM gap
		WHERE boot_id = '$old' AND cause = 'unclean_end'") s before the last that was made, SyncIntervalSec=$INTERVAL"
	# Until when the record is whole cannot be known exactly; that it ends there must be told.
	check end-is-a-gap sql_is 1 "SELECT count(*) FROM gap WHERE boot_id = '$old' AND lost IS NULL AND from_unix_ns >
		(SELECT min(started_unix_ns) FROM recorder WHERE boot_id = '$old')"
	# From the last that reached the disk to where this boot begins.
	check gap-reaches-to-this-boot sql_is 1 "SELECT count(*) FROM gap WHERE boot_id = '$old' AND cause = 'unclean_end'
		AND from_unix_ns >= (SELECT max(start_unix_ns) FROM process WHERE boot_id = '$old')
		AND to_unix_ns > $last_ns AND to_unix_ns < (SELECT min(started_unix_ns) FROM recorder WHERE boot_id = '$new')"
	check ends-that-nobody-saw-have-no-code sql_is 0 "SELECT count(*) FROM process WHERE boot_id = '$old'
		AND end_provenance = 'inferred' AND (exit_code IS NOT NULL OR exit_signal IS NOT NULL)"
	equal answer-about-the-cut-is-incomplete "$(lineage-query window -o json --since "$(rfc3339 $((last_ns - 1000000000)))" \
		--until "$(rfc3339 $((last_ns + 2000000000)))" | jq .completeness.complete)" false
	equal nothing-after-the-cut-is-incomplete "$(lineage-query window -o json --since "$(rfc3339 $((last_ns + 700000000)))" \
		--until "$(rfc3339 $((last_ns + 1700000000)))" | jq .completeness.complete)" false
	check last-boot-is-closed sql_is 0 "SELECT count(*) FROM process WHERE boot_id = '$old' AND end IS NULL"
	check last-run-is-told sql_is rebooted "SELECT ended FROM recorder WHERE boot_id = '$old'"
	lineage-query window --boot -1 --since -1day --strict >/dev/null
	equal answer-says-incomplete $? 4
	follow_goes_on
	keep_database powercut
}

# Though the database may have lost some of what was told before the cut, or the cursor's last place is lost.
follow_goes_on()
{
	spawn_some after 0 1
	timeout 3 lineage-query follow --cursor-file /var/lib/vm/cursor -o ndjson >/var/lib/vm/followed 2>/var/lib/vm/follow-said
	equal follow-goes-on $? 124
	note "follow: $(cat /var/lib/vm/follow-said)"
	check follow-tells-what-came-after grep -q '"after-0"' /var/lib/vm/followed
	check follow-tells-what-is-missing grep -qE '"event":"(gap|not-recorded)"' /var/lib/vm/followed
}
