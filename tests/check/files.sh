# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What the checks look at: the files of the repository, without what is built or ignored.
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$top" || exit 1

# files [PATTERN]...: one path per line; patterns as for git ls-files, where * crosses directories.
files() {
	local path
	if git rev-parse --git-dir >/dev/null 2>&1; then
		git ls-files --cached --others --exclude-standard -- "$@"
	else
		find . -type f -not -path './build*' -not -path './dist/*' -printf '%P\n' |
			while read -r path; do
				(($#)) || echo "$path"
				for pattern; do
					# shellcheck disable=SC2053
					[[ $path == $pattern ]] && echo "$path"
				done
			done
	fi | sort -u | while read -r path; do [[ ! -f $path ]] || echo "$path"; done
}

need() {
	local tool
	for tool; do
		command -v "$tool" >/dev/null || { echo "$tool is not installed"; exit 77; }
	done
}
