#compdef lineaged
# SPDX-License-Identifier: Apache-2.0
# zsh completion for lineaged(8).

_arguments -S \
	'--config=[read this configuration file instead]:file:_files' \
	'--db=[write this database]:file:_files' \
	'--pin-dir=[pin the maps in this directory]:directory:_directories' \
	'*--include-cgroup=[record only this cgroup subtree]:cgroup:_directories -W /sys/fs/cgroup' \
	'*--exclude-cgroup=[do not record this cgroup subtree]:cgroup:_directories -W /sys/fs/cgroup' \
	'(- *)--check[say what this kernel and these permissions allow]' \
	'(- *)--dump-config=-[show the configuration]::what:(defaults effective)' \
	'(- *)--version[show the version]' \
	'(- *)--help[show help]'
