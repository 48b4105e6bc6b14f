# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What every test does, and what waits, without starting a program: an emulated machine spends some 25 ms on one,
# of the only processor that it has, and what is waited for needs that too.
# Not here: anything about lineaged (lib.sh).

exec {PAUSE}<> <(:)

# pause SECONDS
pause() { read -rt "$1" -u "$PAUSE" || true; }

# now NAME: sets it to the time, in UTC.
now() {
	local at=${EPOCHREALTIME/,/.}
	TZ=UTC printf -v "$1" '%(%FT%T)T.%sZ' "${at%.*}" "${at#*.}"
}

# now_ms NAME: sets it, to a count.
now_ms() {
	local us=${EPOCHREALTIME/[.,]/}
	printf -v "$1" %s $((us / 1000))
}

# has_ended PID: all but waited for.
has_ended() {
	local stat
	read -r stat 2>/dev/null <"/proc/$1/stat" || return 0
	[[ ${stat##*) } == [ZX]* ]]
}

# says FD WORDS: whether a line of a log that has come since this was asked last begins with them.
SAID=''
says() {
	local line
	while read -r -u "$1" line; do
		line=$SAID$line SAID=''
		[[ $line != "$2"* ]] || return 0
	done
	# The beginning of one that is being written.
	SAID+=$line
	return 1
}

# mounted_type TYPE: where the first of them is.
mounted_type() {
	local where type
	while read -r _ where type _; do [[ $type != "$1" ]] || { echo "$where"; return; }; done </proc/mounts
}

# mounted_below DIRECTORY: the last first.
mounted_below() {
	local where all=()
	while read -r _ where _; do [[ $where != "$1"/* ]] || all=("$where" "${all[@]}"); done </proc/mounts
	((${#all[@]} == 0)) || printf '%s\n' "${all[@]}"
}
