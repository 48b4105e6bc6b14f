#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2034,SC2002,SC2005,SC2116,SC2012,SC2046,SC2093,SC1083
# The same processes each time: pipelines, subshells, substitutions, jobs, signals, failures.
# Recorded by strace and by lineaged, which must agree. $1 is an empty directory.
cd "$1" || exit 9
PATH=/usr/bin:/bin
export LC_ALL=C

seq 1 200 | grep 7 | sort -rn | head -n 3 | tr -d '\n' >numbers
cat numbers | wc -c | cat
x=$(echo $(echo nested $(echo deeper)))
(cd / && (/bin/true; /bin/false); exec /bin/echo from a subshell)
for word in one two 'three four' '' $'five\nsix'; do /bin/echo "$word" | cat; done
while read -r line; do /bin/true "$line"; done < <(seq 1 5)
/bin/false || /bin/sh -c 'exit 42' || sh -c 'kill -TERM $$' || sh -c 'kill -9 $$'
sleep 30 &
sleep 0.2 # until it is sleep
kill -INT $! ; kill -HUP $!
wait $!
{ sleep 0.1; exit 3; } &
wait $! || /bin/echo "job ended with $?"
./absent 2>/dev/null
: >plain && ./plain 2>/dev/null
printf '#!/bin/sh\n/bin/echo "$0" "$@"\n' >script && chmod +x script && ./script a 'b c'
printf '#!/nonexistent/interpreter\n' >broken && chmod +x broken && ./broken 2>/dev/null
find . -type f -name s\* -exec /bin/ls {} \; | sort | uniq -c
seq 1 12 | xargs -n 4 -P 3 /bin/echo
env -i NAME=value /bin/sh -c '/bin/true; exec /bin/true last'
timeout 5 /bin/sh -c '/bin/true & wait'
nice -n 1 /bin/sh -c 'trap "exit 7" USR1; kill -USR1 $$; sleep 5'
yes | head -n 1
cat <<END | sed 's/a/b/'
a line
END
coproc cat
echo through >&"${COPROC[1]}" && read -r line <&"${COPROC[0]}"
exec {COPROC[1]}>&-
wait
exec /bin/sh -c 'exit 5'
