# SPDX-License-Identifier: Apache-2.0
# bash completion for lineaged(8).

_lineaged() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	COMPREPLY=()

	# bash splits an option and its value at "=".
	if [[ $cur == '=' ]]; then
		cur=''
	elif [[ $prev == '=' ]]; then
		prev=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	case $prev in
	--config | --db)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		;;
	--pin-dir | --include-cgroup | --exclude-cgroup)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		;;
	--dump-config)
		mapfile -t COMPREPLY < <(compgen -W 'defaults effective' -- "$cur")
		;;
	*)
		mapfile -t COMPREPLY < <(compgen -W '--config --db --pin-dir --include-cgroup
			--exclude-cgroup --check --dump-config --version --help' -- "$cur")
		;;
	esac
}
complete -F _lineaged lineaged
