# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Which parts of which scenarios a guest runs, boot after boot. Not here: booting it (boot.sh).

# tours_header FILE KEY DEFAULT: the values of a key in the head of a scenario, one per line.
tours_header()
{
	# A value may be empty, which $(...) would not tell from none.
	if grep -q "^# $2:" "$1"; then sed -n "s/^# $2: *//p" "$1"; else echo "$3"; fi
}

# tours_lines VM [SCENARIO]...: "GUEST|ARGUMENTS|PARTS" per boot, of the file "tours" or of these scenarios.
tours_lines()
{
	local vm=$1 scenario
	shift
	if (($# == 0)); then
		sed -E '/^#/d; s/ *\| */|/g' "$vm/tours"
	fi
	for scenario; do
		tours_header "$vm/scenario/$scenario.sh" vm-boot "" |
			awk -v s="$scenario" '{ printf "%s|%s|%s.%d\n", s, $0, s, NR }'
	done
}

# tours_guests LINES: their names, in order.
tours_guests() { cut -d'|' -f1 <<<"$1" | awk '!seen[$0]++'; }

# tours_scenarios LINES: what is in them, each once.
tours_scenarios() { cut -d'|' -f3 <<<"$1" | tr ' ' '\n' | sed 's/\.[0-9]*$//' | awk 'NF && !seen[$0]++'; }

# tours_left_out VM: parts of scenarios that no guest of the file "tours" runs, and that are not for being named only.
tours_left_out()
{
	local file
	for file in "$1"/scenario/*.sh; do
		[ "$(tours_header "$file" vm-default yes)" = no ] || tours_lines "$1" "$(basename "$file" .sh)"
	done | cut -d'|' -f3 | sort | comm -23 - <(tours_lines "$1" | cut -d'|' -f3 | tr ' ' '\n' | sort) | tr '\n' ' '
}
