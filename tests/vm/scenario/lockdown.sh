# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Kernel lockdown: integrity must not matter; under confidentiality it works or says precisely why not.
# vm-boot: lockdown=integrity
# vm-boot: lockdown=confidentiality
# vm-timeout: 480

locked_down()
{
	mountpoint -q /sys/kernel/security || mount -t securityfs securityfs /sys/kernel/security
	grep -q "\[$1\]" /sys/kernel/security/lockdown
}

works()
{
	local pid
	pid=$(run_chain "lockdown-$1")
	check "$1-settles" settle
	check "$1-chain-is-right" chain_holds "$pid"
	check "$1-check-says-it-can" lineaged --check
}

boot_1()
{
	check integrity-is-on locked_down integrity || return 0
	check package-installs install_lineaged || return 0
	check integrity-service-starts start_lineaged || return 0
	works integrity
	touch /run/vm/reboot
}

boot_2()
{
	check confidentiality-is-on locked_down confidentiality || return 0
	if wait_for 60 is_active; then
		ok confidentiality-service-starts
		works confidentiality
		return 0
	fi
	skip confidentiality-service-starts "$(journalctl -b -u lineaged -p err -o cat --no-pager | tail -n 1)"
	check confidentiality-reason-in-journal sh -c 'journalctl -b -u lineaged --no-pager | grep -qi lockdown'
	check confidentiality-reason-by-check sh -c 'lineaged --check 2>&1 | grep -qi lockdown'
}
