# SPDX-License-Identifier: Apache-2.0
# fish completion for lineaged(8).

complete -c lineaged -f
complete -c lineaged -l config -r -F -d 'Read this configuration file instead'
complete -c lineaged -l db -r -F -d 'Write this database'
complete -c lineaged -l pin-dir -r -a '(__fish_complete_directories)' -d 'Pin the maps in this directory'
complete -c lineaged -l include-cgroup -r -a '(__fish_complete_directories)' -d 'Record only this cgroup subtree'
complete -c lineaged -l exclude-cgroup -r -a '(__fish_complete_directories)' -d 'Do not record this cgroup subtree'
complete -c lineaged -l check -d 'Say what this kernel and these permissions allow'
complete -c lineaged -l dump-config -a 'defaults effective' -d 'Show the configuration'
complete -c lineaged -l version -d 'Show the version'
complete -c lineaged -l help -d 'Show help'
