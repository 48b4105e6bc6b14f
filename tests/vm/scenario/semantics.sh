# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The live tests of parents, images and lives, which also run on the machine that builds, on this kernel.
# vm-boot:
# vm-timeout: 1500

boot_1()
{
	local word name rest
	cd "$VM/live" || return 1
	export LIVE_READY_TIMEOUT=$((120 * VM_SLOW))
	export LINEAGED=$VM/live/bin/lineaged LINEAGE_QUERY=$VM/live/bin/lineage-query LIVE_HELPERS=$VM/live/bin/helpers
	# Loading the programs takes seconds under emulation, so most tests share one recording. The rest of the live
	# tests is about the daemon, which other scenarios restart, kill and cut off here.
	stdbuf -oL ./run --build "$VM/live/bin" --quick --together \
		parents/ images/ life/ 2>&1 | tee /var/lib/vm/live.log |
		while read -r word name rest; do
			case $word in
			pass) ok "${name#live/}" ;;
			skip | FAIL) echo "$word ${name%% *}" >>/run/vm/live-told ;;
			esac
		done
	# Why a test failed or was skipped stands below its line.
	[ -e /run/vm/live-told ] && while read -r word name; do
		rest=$(awk -v n="$name" '/^(pass|FAIL|skip) / { on = $2 == n; next } on { print }' /var/lib/vm/live.log |
			tail -n 8)
		if [ "$word" = skip ]; then skip "${name#live/}" "$rest"; else not_ok "${name#live/}" "$rest"; fi
	done </run/vm/live-told
	check comes-to-its-end sh -c "tail -n 1 /var/lib/vm/live.log | grep -q ' passed, '"
}
