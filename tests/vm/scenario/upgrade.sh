# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# Under load the package is upgraded to one with other maps and another version of the database: nothing lost.
# vm-boot:
# vm-timeout: 600

boot_1()
{
	local before
	if [ ! -e "$VM/upgrade.deb" ]; then
		skip upgrade "no package of a later version; give one with --upgrade"
		return 0
	fi
	check package-installs install_lineaged || return 0
	check service-starts start_lineaged || return 0
	before=$(sql 'PRAGMA user_version')
	echo '# a change of the administrator' >>/etc/lineaged/lineaged.conf
	flood_start upgrade
	sleep 3
	check package-upgrades install_lineaged upgrade
	check service-is-active wait_for 60 is_active
	sleep 3
	flood_stop 200
	check settles settle 120
	note "processes made under load: $flood_made"
	check load-was-a-load test "$flood_made" -ge 200
	check later-version-runs sql_is 99.0.0 'SELECT version FROM recorder ORDER BY started_unix_ns DESC LIMIT 1'
	equal database-is-migrated "$(sql 'PRAGMA user_version')" $((before + 1))
	check all-are-recorded-once flood_recorded upgrade "$flood_made"
	check nothing-is-lost nothing_lost
	check verify-passes verify_passes
	check no-program-is-left-over wait_for 60 sh -c "[ \"\$(bpftool prog list | grep -c 'name lineage_exec ')\" = 1 ]"
	check configuration-is-kept grep -q administrator /etc/lineaged/lineaged.conf
	earlier_refuses
	keep_database upgrade
}

# The earlier version refuses what the later one wrote, and leaves it as it is.
earlier_refuses()
{
	local status=0 said sum
	dpkg-deb -x "$VM/lineaged.deb" /opt/earlier
	sqlite3 -readonly "$LINEAGE_DB" "VACUUM INTO '/opt/later.db'"
	sum=$(sha256sum </opt/later.db)
	said=$(timeout 60 /opt/earlier/usr/sbin/lineaged --db /opt/later.db --pin-dir /sys/fs/bpf/earlier 2>&1) || status=$?
	check earlier-refuses-later test "$status" -ne 0
	check earlier-says-why grep -qi newer <<<"$said"
	equal earlier-leaves-it-alone "$(sha256sum </opt/later.db)" "$sum"
	status=0
	/opt/earlier/usr/bin/lineage-query window --db /opt/later.db --since -1h >/dev/null 2>&1 || status=$?
	equal earlier-query-says-unreadable "$status" 3
}
