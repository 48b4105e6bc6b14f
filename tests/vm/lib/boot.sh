# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Boots a guest, as often as its tour says, on one kernel and collects what it reports.
#
# A guest has two serial lines. The first is its console, kept for a person. On the second the agent writes
#   VM up BOOT RELEASE UPTIME              it is at work
#   CHECK ok NAME | CHECK not-ok NAME: DETAIL | CHECK skip NAME: REASON
#   NOTE TEXT                              shown, not counted
#   VM part SCENARIO.PART SECONDS          it is done with that
#   HOST cut                               pull the plug now
#   VM end BOOT                            it is done
# and one that ends without its last line has failed, whatever it said before. A scenario's head says how it is
# booted, in comments: "vm-boot: ARGUMENTS" once per part, "vm-timeout:" of a part in seconds of a quiet machine,
# "vm-default: no" (only if named).
# Not here: how guests and kernels come to be (guest.sh, kernels.sh), and what belongs together (tours.sh).

# Emulated processors that wait for each other cost twice as much, and one may run what another has just patched (the
# kernel's int3 in a function that is being traced: a panic on 7.2). What happens at the same time on several is tested
# on the machine that builds.
VM_CPUS=${VM_CPUS:-1}
VM_MEMORY=2G

# boot_disk ID FILE FORMAT [OPTIONS]: arguments of QEMU for one disk, in the array `qemu`.
boot_disk()
{
	qemu+=(-drive "if=none,id=$1,file=$2,format=$3,${4:-cache=writeback}"
		-device "virtio-blk-pci,drive=$1,serial=$1")
}

# boot_cost PID: seconds of processor time that it has used.
boot_cost()
{
	local stat
	{ read -r stat <"/proc/$1/stat"; } 2>/dev/null || return
	# shellcheck disable=SC2086
	set -- ${stat##*) }
	echo $(((${12} + ${13}) / $(getconf CLK_TCK)))
}

# boot_once DIR KERNELDIR INITRD APPEND TIMEOUT: one QEMU from start to end.
# Status: 0 it ended by itself, 1 it had to be killed, 2 it asked for the plug to be pulled.
boot_once()
{
	local dir=$1 kernel=$2 initrd=$3 append=$4 limit=$5 pid end cost
	# clocksource: the frequency of the TSC is measured at boot, wrongly if QEMU has to wait for a processor then.
	# norandmaps: QEMU translates code anew at each address that it is mapped to; so it does that once per program
	# rather than once per process, a quarter of the time.
	# shellcheck disable=SC2054 # the commas belong to QEMU
	local -a qemu=(qemu-system-x86_64 -accel tcg,thread=multi -cpu max,-la57 -smp "$VM_CPUS" -m "$VM_MEMORY"
		-nodefaults -no-user-config -display none -no-reboot
		-chardev "file,id=console,path=$dir/console.log,append=on" -serial chardev:console
		-chardev "file,id=report,path=$dir/report.log,append=on" -serial chardev:report
		-kernel "$kernel/vmlinuz" -initrd "$initrd"
		-append "console=ttyS0 quiet loglevel=4 panic=-1 mitigations=off random.trust_cpu=on net.ifnames=0 no_timer_check clocksource=hpet norandmaps \
systemd.unit=vm.target systemd.show_status=false $append")
	# What the guest wrote is with the host once QEMU has it, also if QEMU is killed: no need to sync on the host.
	boot_disk root "$dir/root.qcow2" qcow2 cache=unsafe
	boot_disk modules "$kernel/modules.img" raw readonly=on
	boot_disk payload "$dir/../payload.tar" raw readonly=on
	boot_disk out "$dir/out.tar" raw
	"${qemu[@]}" </dev/null >"$dir/qemu.log" 2>&1 &
	pid=$!
	# So that whoever ends this run also ends its guests.
	echo "$pid" >"$dir/pid"
	end=$((SECONDS + limit))
	while kill -0 "$pid" 2>/dev/null; do
		cost=$(boot_cost "$pid") && echo "$cost" >"$dir/cost.$boot"
		if grep -q '^HOST cut' "$dir/report.log" 2>/dev/null; then
			kill -KILL "$pid"
			wait "$pid" 2>/dev/null
			rm -f "$dir/pid"
			sed -i 's/^HOST cut/HOST was cut/' "$dir/report.log"
			return 2
		fi
		if [ "$SECONDS" -ge "$end" ]; then
			kill -KILL "$pid"
			wait "$pid" 2>/dev/null
			rm -f "$dir/pid"
			return 1
		fi
		sleep 0.3
	done
	rm -f "$dir/pid"
	# A guest that found no way to end, such as a QEMU that did not start, is told by its report.
	wait "$pid" || true
}

# boot_slowness: by how much more than one processor each those share them that want to run now, 1 to 6.
boot_slowness()
{
	awk -v cpus="$(nproc)" '{ n = $1 / cpus; print(n < 1 ? 1 : n > 6 ? 6 : int(n + 0.5)) }' /proc/loadavg
}

# boot_limit SCENARIOS PARTS: seconds for a boot of these parts.
boot_limit()
{
	local part limit=0
	for part in $2; do
		limit=$((limit + $(tours_header "$1/${part%.*}.sh" vm-timeout 180)))
	done
	echo $((limit * $(boot_slowness)))
}

# boot_tour DIR KERNELDIR INITRD IMAGE SCENARIOS: all boots of a tour, whose lines are on standard input; the report
# is in DIR/report.log.
boot_tour()
{
	local dir=$1 kernel=$2 initrd=$3 image=$4 scenarios=$5 limit append parts boot=0 status
	mkdir -p "$dir"
	: >"$dir/report.log"
	: >"$dir/console.log"
	truncate -s 256M "$dir/out.tar"
	qemu-img create -q -f qcow2 -F raw -b "$image" "$dir/root.qcow2"
	while IFS='|' read -r _ append parts; do
		boot=$((boot + 1))
		limit=$(boot_limit "$scenarios" "$parts")
		append+=" vm.boot=$boot vm.parts=$(tr ' ' , <<<"$parts")"
		status=0
		boot_once "$dir" "$kernel" "$initrd" "$append" "$limit" || status=$?
		if [ "$status" = 0 ] && boot_never_began "$dir" "$boot"; then
			echo "NOTE boot $boot: the kernel panicked before it began anything, and was booted again" >>"$dir/report.log"
			boot_once "$dir" "$kernel" "$initrd" "$append" "$limit" || status=$?
		fi
		case $status in
		1) echo "CHECK not-ok boot-$boot/finishes: killed after $limit s, parts $parts" >>"$dir/report.log"; return ;;
		2) continue ;;
		esac
		if ! grep -q "^VM up $boot " "$dir/report.log"; then
			echo "CHECK not-ok boot-$boot/comes-up: $(boot_last_words "$dir")" >>"$dir/report.log"
			return
		elif ! grep -q "^VM end $boot" "$dir/report.log"; then
			echo "CHECK not-ok boot-$boot/finishes: $(boot_last_words "$dir")" >>"$dir/report.log"
		fi
	done
}

# boot_never_began DIR BOOT: the kernel panicked in its first seconds, while it still set up the emulated machine: no
# init, no service, no BPF program has run by then.
boot_never_began()
{
	! grep -q "^VM up $2 " "$1/report.log" &&
		tail -n 40 "$1/console.log" | grep -qE '^\[ *[0-3]\.[0-9]*\] Kernel panic'
}

# boot_last_words DIR: what a guest said before it went silent, on one line.
boot_last_words()
{
	{ tail -n 2 "$1/qemu.log"; tail -n 3 "$1/console.log"; } | tr -c '[:print:]\n' ' ' | tr '\n' ' ' |
		cut -c1-300
}
