# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Kernel lockdown=confidentiality: it works or says precisely why not. (Integrity is in the scenario "reboot".)
# vm-boot: lockdown=confidentiality
# vm-timeout: 300

boot_1()
{
	local pid paths=known
	check confidentiality-is-on locked_down confidentiality || return 0
	# Started again, so that it sees /sys/kernel/security as it is on a node where that is mounted at boot.
	systemctl restart --no-block lineaged
	if ! wait_for 60 is_active; then
		skip confidentiality-service-starts "$(journalctl -b -u lineaged -o cat --no-pager | grep 'cannot record' | tail -n 1)"
		check confidentiality-reason-in-journal sh -c 'journalctl -b -u lineaged --no-pager | grep -qi lockdown='
		check confidentiality-reason-by-check sh -c 'lineaged --check 2>&1 | grep -qi lockdown='
		return 0
	fi
	ok confidentiality-service-starts
	# What paths are read with came with 6.2.
	if [ "$(printf '6.2\n%s\n' "$(uname -r)" | sort -V | head -n 1)" != 6.2 ]; then
		paths=unknown
		check confidentiality-check-says-paths-unknown sh -c 'lineaged --check 2>&1 | grep -q "paths would stay unknown"'
	fi
	pid=$(run_chain confidentiality)
	check confidentiality-settles settle
	check confidentiality-chain-is-right chain_holds "$pid" "$paths"
	check confidentiality-check-says-it-can lineaged --check
	check confidentiality-verify-passes verify_passes
	keep_database lockdown
}
