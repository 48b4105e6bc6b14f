# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Kernels of the matrix: finds the newest cloud kernel of each Debian suite and unpacks it.
#
# Suites are named here; versions, ABI numbers and mirrors are not. The mirror is whatever this machine's
# own apt is set up for, the version is what the suite's meta package points at today. Everything is done
# in an apt root of its own, so the machine's package state is neither read nor changed.
# Not here: building the guest (guest.sh) and booting it (boot.sh).

# One line per kernel of the matrix: code name, and the suite beside it that brings security updates.
VM_SUITES=(
	"bullseye bullseye-security"
	"bookworm bookworm-security"
	"trixie trixie-security"
	"sid -"
)
# Kernels that exist and are left out, told by `run --list`.
# shellcheck disable=SC2034
VM_LEFT_OUT=(
	"4.19 (buster): before BPF ring buffers (5.8); also no longer on the mirrors"
	"5.15, 6.6 (other distributions' long-term kernels): not packaged by Debian"
	"6.13 to 7.1: no longer carried by a suite, between two kernels that are"
	"release candidates (experimental): come and go from day to day"
)
VM_META=linux-image-cloud-amd64
# Hours for which what the mirror said is believed, so that runs in a row do not ask again.
VM_RESOLVED_HOURS=12

# kernels_mirror RELEASE: the URI that this machine's apt uses for the archive that carries RELEASE.
kernels_mirror()
{
	local pattern=.
	case $1 in *-security) pattern=-security$ ;; esac
	apt-get indextargets --format "\$(REPO_URI) \$(RELEASE) \$(ORIGIN)" 'Created-By: Packages' |
		awk -v p="$pattern" '$3 == "Debian" && (p == "." ? $2 !~ /-/ : $2 ~ p) { print $1; exit }'
}

# kernels_apt_root DIR SUITE...: an empty apt root that knows only these suites. Prints nothing.
kernels_apt_root()
{
	local dir=$1 suite uri
	shift
	mkdir -p "$dir"/etc/apt/{apt.conf.d,preferences.d,trusted.gpg.d} "$dir"/var/lib/dpkg \
		"$dir"/var/lib/apt/lists/partial "$dir"/var/cache/apt/archives/partial
	: >"$dir/var/lib/dpkg/status"
	: >"$dir/etc/apt/sources.list"
	for suite; do
		[ "$suite" = - ] && continue
		uri=$(kernels_mirror "$suite")
		[ -n "$uri" ] || { echo "vm: apt knows no Debian mirror for $suite" >&2; return 1; }
		echo "deb [arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $uri $suite main" \
			>>"$dir/etc/apt/sources.list"
	done
	{
		# The machine's way out (proxies, retries) is kept, its sources and state are not.
		apt-config dump | grep -E '^Acquire::(http|https|ftp|Retries|ForceIPv)' || true
		printf 'Dir "%s";\nDir::State::status "%s/var/lib/dpkg/status";\n' "$dir" "$dir"
		printf 'Dir::Etc::trustedparts "%s/etc/apt/trusted.gpg.d";\n' "$dir"
		# shellcheck disable=SC2016
		printf 'APT::Architecture "amd64";\nAPT::Sandbox::User "root";\nAcquire::Languages "none";\n'
		printf 'Acquire::Check-Valid-Until "false";\nAcquire::Retries "3";\n'
	} >"$dir/apt.conf"
}

# kernels_field FILE PACKAGE FIELD: a field of the newest version of PACKAGE in the apt root of FILE.
kernels_field()
{
	APT_CONFIG=$1 apt-cache --no-all-versions show "$2" 2>/dev/null |
		awk -v f="$3:" '$1 == f { sub(/^[^:]*: /, ""); print; exit }'
}

# kernels_names_in DEPENDS PREFIX: package names of a Depends field that begin with PREFIX and a digit.
kernels_names_in()
{
	tr ',|' '\n\n' <<<"$1" | awk -v p="^$2[0-9]" '$1 ~ p { print $1 }'
}

# kernels_resolve_suite DIR SUITE...: asks the mirror; prints "SERIES RELEASE VERSION SUITE PACKAGE...".
kernels_resolve_suite()
{
	local dir=$1 conf=$1/apt.conf image depends packages version release
	shift
	kernels_apt_root "$dir" "$@" || return 1
	APT_CONFIG=$conf apt-get -qq update >"$dir/update.log" 2>&1 ||
		{ echo "vm: apt-get update for $1 failed: $(tail -n 1 "$dir/update.log")" >&2; return 1; }
	image=$(kernels_names_in "$(kernels_field "$conf" "$VM_META" Depends)" linux-image- | head -n 1)
	[ -n "$image" ] || { echo "vm: $1 has no $VM_META" >&2; return 1; }
	depends=$(kernels_field "$conf" "$image" Depends)
	# Since 6.19 the image package is empty and points at one with the image and one with the modules.
	packages=$(kernels_names_in "$depends" linux-binary- && kernels_names_in "$depends" linux-modules-)
	[ -n "$packages" ] || packages=$image
	version=$(kernels_field "$conf" "${packages%%$'\n'*}" Version)
	release=${image#linux-image-}
	release=${release%-unsigned}
	echo "$(cut -d. -f1,2 <<<"$version" | sed 's/[^0-9.].*//') $release $version $1" $packages
}

# kernels_resolve CACHE: writes CACHE/kernels/resolved, one line per kernel, oldest first.
kernels_resolve()
{
	local cache=$1/kernels suites line tmp
	mkdir -p "$cache"
	if [ -n "$(find "$cache/resolved" -mmin -$((VM_RESOLVED_HOURS * 60)) 2>/dev/null)" ]; then
		return 0
	fi
	tmp=$(mktemp -d "$cache/apt.XXXXXX")
	for suites in "${VM_SUITES[@]}"; do
		# shellcheck disable=SC2086
		kernels_resolve_suite "$tmp/${suites%% *}" $suites >"$tmp/line.${suites%% *}" &
	done
	wait
	for suites in "${VM_SUITES[@]}"; do
		line=$(cat "$tmp/line.${suites%% *}")
		[ -n "$line" ] || { echo "vm: no kernel found for ${suites%% *}" >&2; rm -rf "$tmp"; return 1; }
		echo "$line" >>"$tmp/resolved"
	done
	mv "$tmp/resolved" "$cache/resolved"
	rm -rf "$cache/apt"
	mv "$tmp" "$cache/apt"
	# The paths inside the configuration name the directory that has just moved.
	sed -i "s|$tmp|$cache/apt|g" "$cache"/apt/*/apt.conf
}

# kernels_line CACHE NAME: the line of `resolved` for a series (6.1), a release or a suite.
kernels_line()
{
	awk -v n="$2" '$1 == n || $2 == n || $4 == n { print; exit }' "$1/kernels/resolved"
}

# kernels_unpack CACHE LINE: leaves vmlinuz and lib/modules of that kernel in a directory, prints it.
kernels_unpack()
{
	local cache=$1/kernels series release version suite dir deb
	local packages
	read -r series release version suite packages <<<"$2"
	dir=$cache/$release-$version
	if [ ! -e "$dir/done" ]; then
		rm -rf "$dir" "$dir.tmp"
		mkdir -p "$dir.tmp/debs" "$dir.tmp/root"
		# shellcheck disable=SC2086
		(cd "$dir.tmp/debs" && APT_CONFIG=$cache/apt/$suite/apt.conf apt-get -qq download $packages) >&2 ||
			{ echo "vm: cannot download $packages" >&2; return 1; }
		for deb in "$dir.tmp"/debs/*.deb; do
			dpkg-deb -x "$deb" "$dir.tmp/root"
		done
		rm -rf "$dir.tmp/debs"
		[ -d "$dir.tmp/root/lib/modules" ] || ln -s usr/lib "$dir.tmp/root/lib"
		cp "$(find "$dir.tmp/root" -name 'vmlinuz*' -type f | head -n 1)" "$dir.tmp/vmlinuz"
		echo "$series $release $version $suite" >"$dir.tmp/done"
		mv "$dir.tmp" "$dir"
	fi
	echo "$dir"
}
