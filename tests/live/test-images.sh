# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What was executed: arguments to the byte, and the file's own path whatever name was asked for.
# together: tests here look at their own processes only, but for those marked alone.

recorded() {
	record_start
	helper "$@"
	record_stop
	truth_holds
	nothing_lost
}

test_args_empty_list() { recorded argv empty-list; }
test_args_empty_first() { recorded argv empty-first; }
test_args_empty_last() { recorded argv empty-last; }
test_args_only_empty() { recorded argv only-empty; }
test_args_newline() { recorded argv newline; }
test_args_unicode() { recorded argv unicode; }
test_args_not_utf8() { recorded argv not-utf8; }
test_args_100000() { recorded argv many; }
test_args_200_kib() { recorded argv huge; }
test_args_at_limit() { recorded argv limit; }

test_memfd() { recorded images memfd; }
test_deleted() { recorded images deleted "$WORK"; }
test_execveat_empty_path() { recorded images empty-path "$WORK"; }
test_execveat_directory() { recorded images at; }
test_four_images() { recorded images chain; }
test_exec_failures() { recorded images failures "$WORK"; }

# shown EXE [NAME=VALUE]... -- COMMAND...: COMMAND becomes show, found under the path EXE.
shown() {
	local exe=$1 environment=()
	shift
	while [[ $1 != -- ]]; do environment+=("$1"); shift; done
	shift
	record_start
	tell env LIVE_CASE=path LIVE_HELPERS="$LIVE_HELPERS" SHOW_EXE="$exe" "${environment[@]}" "$@"
	record_stop
	truth_holds
}

copy() { mkdir -p "$(dirname "$1")" && cp "$LIVE_HELPERS/show" "$1"; }

test_path_relative() {
	copy "$WORK/bin/show"
	mkdir "$WORK/bin/below"
	shown "$WORK/bin/show" SHOW_MEMBERS='"filename":"../show","cwd":"'"$WORK"'/bin/below"' SHOW_NO_CWD=1 -- \
		sh -c "cd $WORK/bin/below && exec ../show x"
}

test_path_of_search() {
	copy "$WORK/bin/show"
	shown "$WORK/bin/show" SHOW_MEMBERS='"filename":"'"$WORK"'/bin/show"' -- bash -c "PATH=$WORK/bin exec show"
}

# The directories of PATH are tried one after another by the process that then becomes the program.
test_exec_failures_of_search() {
	mkdir "$WORK"/{one,two}
	copy "$WORK/three/show"
	: >"$WORK/two/show"
	shown "$WORK/three/show" SHOW_MEMBERS='"failures":["2 '"$WORK"'/one/show","13 '"$WORK"'/two/show"],"exec_count":3' -- \
		/usr/bin/env PATH="$WORK/one:$WORK/two:$WORK/three" show
}

# A shell tries without asking first, too, where it replaces itself.
test_exec_failures_of_shell() { # alone
	copy "$WORK/three/show"
	record_start
	tell env LIVE_CASE=path SHOW_EXE="$WORK/three/show" dash -c "PATH=/nonexistent/1:/nonexistent/2:$WORK/three; exec show"
	record_stop
	truth_holds
	nothing_lost
	expect "tried before" "/nonexistent/1/show ENOENT
/nonexistent/2/show ENOENT" "$(sql -separator ' ' "SELECT filename, error FROM exec_failure WHERE filename LIKE '/nonexistent/%' ORDER BY unix_ns")"
}

# Kernels differ in what they tell of the length of an empty string.
test_exec_failures_with_empty_args() {
	record_start
	in_cgroup bash -c 'exec /nonexistent/empty "" a "" ""' 2>/dev/null || true
	record_stop
	expect "arguments" '["/nonexistent/empty","","a","",""]' "$(sql "
		SELECT args FROM exec_failure WHERE filename = '/nonexistent/empty'")"
}

test_exec_failures_not_wanted() { # alone
	configure Capture.ExecFailures=no
	record_start
	in_cgroup sh -c '/nonexistent/program; true' 2>/dev/null
	record_stop
	nothing_lost
	expect "failed execs" 0 "$(sql "SELECT count(*) FROM exec_failure")"
}

# The other way to find them than the one that is found by itself here, if the kernel has both.
test_exec_failures_by_tracepoint() { # alone
	configure Capture.ExecFailures=tracepoint
	recorded images failures "$WORK"
	grep -q 'by the tracepoint' "$DAEMON_LOG" || die "$(cat "$DAEMON_LOG")"
}

# What happens while no daemon runs waits in the ring.
test_exec_failures_are_handed_over() { # alone
	configure_to_stay
	record_start
	record_hand_over
	in_cgroup env PATH=/nonexistent/path program 2>/dev/null || true
	record_start
	in_cgroup env PATH=/nonexistent/later program 2>/dev/null || true
	record_finish
	nothing_lost
	grep -q 'resumed' "$DAEMON_LOG" || die "the programs were not taken over"
	expect "failed execs" "/nonexistent/path/program
/nonexistent/later/program" "$(sql "SELECT filename FROM exec_failure ORDER BY unix_ns")"
}

test_path_symlink() {
	copy "$WORK/real/show"
	ln -s real "$WORK/directory"
	ln -s show "$WORK/real/alias"
	shown "$WORK/real/show" SHOW_MEMBERS='"filename":"'"$WORK"'/directory/alias","comm":"alias"' -- \
		"$WORK/directory/alias"
}

test_path_hard_link() {
	copy "$WORK/bin/show"
	ln "$WORK/bin/show" "$WORK/bin/other"
	shown "$WORK/bin/other" -- "$WORK/bin/other"
}

test_path_renamed_while_running() {
	copy "$WORK/bin/show"
	shown "$WORK/bin/show" -- bash -c "(sleep 0.2; mv $WORK/bin/show $WORK/bin/gone) &
		SHOW_WAIT_MS=500 $WORK/bin/show"
}

test_path_deep() {
	local deep=$WORK i
	for ((i = 0; i < 100; i++)); do deep+=/d$i; done
	copy "$deep/show"
	shown "$deep/show" SHOW_MEMBERS='"exe_truncated":0' -- "$deep/show"
}

test_path_too_deep() {
	local deep=$WORK i
	for ((i = 0; i < 200; i++)); do deep+=/d$i; done
	copy "$deep/show"
	record_start
	tell env LIVE_CASE=path SHOW_EXE=unknown "$deep/show"
	record_stop
	expect "told as truncated" "1|1" \
		"$(sql "SELECT exe_truncated, exe LIKE '%/d198/d199/show' FROM exec WHERE filename LIKE '%/d199/show'")"
}

test_path_long_name() {
	local name
	name=$(printf 'n%.0s' {1..255})
	copy "$WORK/$name"
	shown "$WORK/$name" -- "$WORK/$name"
}

test_path_bind_mount() {
	copy "$WORK/from/show"
	mkdir "$WORK/to"
	mount --bind "$WORK/from" "$WORK/to"
	shown "$WORK/to/show" -- "$WORK/to/show"
}

test_path_bind_mounted_file() {
	copy "$WORK/from/show"
	: >"$WORK/alone"
	mount --bind "$WORK/from/show" "$WORK/alone"
	shown "$WORK/alone" -- "$WORK/alone"
}

test_path_of_other_file_system() {
	mkdir "$WORK/mnt"
	mount -t tmpfs none "$WORK/mnt"
	copy "$WORK/mnt/a/show"
	shown "$WORK/mnt/a/show" -- "$WORK/mnt/a/show"
}

# As named from the root of the mount namespace, so that the file can be found from outside.
test_path_chroot() {
	copy "$WORK/root/bin/show"
	shown "$WORK/root/bin/show" SHOW_NO_CWD=1 -- chroot "$WORK/root" /bin/show
}

test_path_mount_namespace() {
	mkdir "$WORK/mnt"
	copy "$WORK/from/show"
	shown "$WORK/mnt/show" -- unshare -m bash -c "mount --bind $WORK/from $WORK/mnt && exec $WORK/mnt/show"
}

overlay() {
	mkdir "$WORK"/{lower,upper,work,merged}
	copy "$WORK/lower/from-image"
	mount -t tmpfs none "$WORK/upper" && mkdir "$WORK/upper"/{data,work}
	mount -t overlay none "$WORK/merged" \
		-o "lowerdir=$WORK/lower,upperdir=$WORK/upper/data,workdir=$WORK/upper/work" ||
		skip "this kernel has no overlay file system"
}

test_path_overlay_lower() {
	overlay
	shown "$WORK/merged/from-image" SHOW_MEMBERS='"overlay":1,"upper_layer":0' -- "$WORK/merged/from-image"
}

test_path_overlay_upper() {
	overlay
	copy "$WORK/merged/dropped"
	shown "$WORK/merged/dropped" SHOW_MEMBERS='"overlay":1,"upper_layer":1' -- "$WORK/merged/dropped"
}

test_path_script() {
	printf '#!%s one argument\n' "$LIVE_HELPERS/show" >"$WORK/script"
	chmod +x "$WORK/script"
	shown "$LIVE_HELPERS/show" \
		SHOW_MEMBERS='"script":1,"filename":"'"$WORK"'/script","interpreter":"'"$LIVE_HELPERS"'/show"' -- \
		"$WORK/script" a b
}

# A script whose interpreter is a script: the executable is the last of the chain.
test_path_script_chain() {
	printf '#!%s\n' "$LIVE_HELPERS/show" >"$WORK/inner"
	printf '#!%s\n' "$WORK/inner" >"$WORK/middle"
	printf '#!%s\n' "$WORK/middle" >"$WORK/outer"
	chmod +x "$WORK"/{inner,middle,outer}
	shown "$LIVE_HELPERS/show" SHOW_MEMBERS='"script":1,"filename":"'"$WORK"'/outer"' -- "$WORK/outer" a
}

test_path_no_script() {
	shown "$LIVE_HELPERS/show" SHOW_MEMBERS='"script":0,"interpreter":null,"memfd":0,"deleted":0' -- \
		"$LIVE_HELPERS/show"
}

test_cwd_deleted() {
	mkdir "$WORK/gone"
	shown "$LIVE_HELPERS/show" SHOW_NO_CWD=1 SHOW_MEMBERS='"cwd_deleted":1,"cwd":"'"$WORK"'/gone"' -- \
		bash -c "cd $WORK/gone && rmdir $WORK/gone && exec $LIVE_HELPERS/show"
}

test_inode_and_device() {
	copy "$WORK/bin/show"
	shown "$WORK/bin/show" SHOW_MEMBERS="$(stat -c '"inode":%i' "$WORK/bin/show")" -- "$WORK/bin/show"
	expect device "$(stat -c '%Hd:%Ld' "$WORK/bin/show")" \
		"$(sql "SELECT dev_major || ':' || dev_minor FROM exec WHERE exe = '$WORK/bin/show'")"
}
