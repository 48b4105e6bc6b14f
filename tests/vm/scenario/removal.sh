# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The package is removed, which keeps the database, and purged, which does not.
# vm-boot:
# vm-timeout: 180

boot_1()
{
	check package-installs install_lineaged || return 0
	if [ ! -e "$VM/lineaged.deb" ]; then
		skip package-removes "not installed from a package"
		return
	fi
	check package-removes env DEBIAN_FRONTEND=noninteractive apt-get -y -q remove lineaged
	check remove-keeps-database test -s "$LINEAGE_DB"
	refused remove-takes-unit systemctl cat lineaged.service
	check package-purges env DEBIAN_FRONTEND=noninteractive apt-get -y -q purge lineaged
	refused purge-takes-database test -e /var/lib/lineaged
	refused purge-takes-configuration test -e /etc/lineaged
	refused purge-takes-pins test -e /sys/fs/bpf/lineaged
}
