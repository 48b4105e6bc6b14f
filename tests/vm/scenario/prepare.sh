# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Installs the package without starting it, and makes an image for containers: what scenarios with
# "vm-installed: yes" begin with.
# vm-boot:
# vm-timeout: 300
# vm-default: no

boot_1()
{
	printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
	chmod 755 /usr/sbin/policy-rc.d
	check installs install_lineaged
	rm /usr/sbin/policy-rc.d
	check enables systemctl enable lineaged
	refused starts-nothing is_active
	refused makes-no-database test -e "$LINEAGE_DB"
	# shellcheck source=/dev/null
	. "$VM/guest/containers"
	check image-is-made containers_image
	touch /var/lib/vm/prepared
}
