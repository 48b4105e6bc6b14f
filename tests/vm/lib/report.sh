# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What a person reads: the list, the line of each guest, the table of checks by kernel, the closing line.

# report_list CACHE VM
report_list()
{
	local line series release version suite file
	echo "Kernels:"
	while read -r series release version suite _; do
		echo "  $series  $release ($version, $suite)"
	done <"$1/kernels/resolved"
	echo "Left out:"
	for line in "${VM_LEFT_OUT[@]}"; do
		echo "  $line"
	done
	echo "Scenarios:"
	for file in "$2"/scenario/*.sh; do
		printf '  %-14s %s\n' "$(basename "$file" .sh)" "$(sed -n '3s/^# //p' "$file")"
	done
	echo "Guests of a whole run, boot after boot:"
	tours_lines "$2" | while IFS='|' read -r name arguments parts; do
		printf '  %-14s %s%s\n' "$name" "$parts" "${arguments:+, with $arguments}"
	done
}

# report_count FILE WORD
report_count() { grep -c "^CHECK $2 " "$1" 2>/dev/null || true; }

# report_line DIR KERNEL GUEST SECONDS: told when the guest is done, failures at once.
report_line()
{
	local log=$1/report.log
	# A scenario that checked nothing did not pass.
	grep -q '^CHECK ' "$log" || echo "CHECK not-ok $3/checks-something: no check was reported" >>"$log"
	printf '%-5s %-12s %3s s  (%3s s of CPU)  %s ok, %s failed, %s skipped\n' "$2" "$3" "$4" \
		"$(cat "$1"/cost.* 2>/dev/null | awk '{ n += $1 } END { print n + 0 }')" "$(report_count "$log" ok)" \
		"$(report_count "$log" not-ok)" "$(report_count "$log" skip)"
	sed -n "s/^CHECK not-ok /      FAILED on $2: /p; s/^CHECK skip /      skipped: /p; s/^NOTE /      /p" "$log"
	: >"$1/told"
}

# report_missing WORK ITEM...: a guest of which nothing was told, as where the disk is full, has failed.
report_missing()
{
	local work=$1 kernel guest
	shift
	while IFS='|' read -r kernel guest _; do
		[ -e "$work/$kernel.$guest/told" ] && continue
		mkdir -p "$work/$kernel.$guest"
		echo "CHECK not-ok $guest/runs: the harness ended before the guest did" >>"$work/$kernel.$guest/report.log"
		echo "      FAILED on $kernel: $guest/runs: the harness ended before the guest did"
	done < <(printf '%s\n' "$@")
}

# report_table WORK CACHE KERNEL...: one line per check, one column per kernel.
report_table()
{
	local work=$1 kernel log
	shift 2
	for log in "$work"/*/report.log; do
		kernel=$(sed 's|.*/\([0-9]*\.[0-9]*\)\.[^/]*/report.log$|\1|' <<<"$log")
		sed -n "s|^CHECK \([a-z-]*\) \([^ :]*\).*|$kernel \2 \1|p" "$log"
	done | awk '
		!($1 in kernel) { kernel[$1] = ++kernels; name[kernels] = $1 }
		!($2 in check) { check[$2] = ++checks; title[checks] = $2 }
		{ verdict[$2, $1] = $3 }
		END {
			printf "\n%-52s", "check"
			for (k = 1; k <= kernels; k++) order[k] = name[k]
			for (i = 1; i <= kernels; i++) for (j = i + 1; j <= kernels; j++) {
				split(order[i], a, "."); split(order[j], b, ".")
				if (a[1] * 1000 + a[2] > b[1] * 1000 + b[2]) { t = order[i]; order[i] = order[j]; order[j] = t }
			}
			for (k = 1; k <= kernels; k++) printf "%8s", order[k]
			printf "\n"
			for (c = 1; c <= checks; c++) {
				printf "%-52s", title[c]
				for (k = 1; k <= kernels; k++) {
					v = verdict[title[c], order[k]]
					printf "%8s", v == "not-ok" ? "FAILED" : v == "" ? "-" : v
				}
				printf "\n"
			}
		}'
}

# report_closing WORK: the last line; fails if a check failed.
report_closing()
{
	local failed
	failed=$(cat "$1"/*/report.log | grep -c '^CHECK not-ok ' || true)
	echo "$(cat "$1"/*/report.log | grep -c '^CHECK ok ' || true) passed, $failed failed," \
		"$(cat "$1"/*/report.log | grep -c '^CHECK skip ' || true) skipped"
	[ "$failed" -eq 0 ]
}

# report_unpack WORK: what the guests left on their disks for results.
report_unpack()
{
	local out
	for out in "$1"/*/out.tar; do
		[ -e "$out" ] || continue
		tar -C "$(dirname "$out")" --no-same-owner -xf "$out" 2>/dev/null || true
		rm -f "$out"
	done
}
