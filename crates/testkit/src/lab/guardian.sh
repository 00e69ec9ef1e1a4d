#!/bin/sh
# Undoes what a lab has made. Input: one line for each thing made, in the order of making.
#
#   process PID START    a server and everything below it; START (clock ticks, field 22 of
#                        /proc/PID/stat) tells it from a later process with the same id
#   forget PID           that server has ended and needs no attention
#   user NAME            a system user that the lab created
#   folder PATH          the lab's folder, removed at the end
#   keep                 leave everything as it is
#
# A running lab holds a pipe to this script, so its input ends whenever the lab does: at an
# orderly end, a panic, Ctrl-C or kill -9. The same lines lie in the lab's folder, for a lab
# that was kept: `sh stop.sh` there feeds them to this script.
set -u
processes= users= folder=
while read -r verb first rest; do
    case $verb in
        process) processes="$processes $first:$rest" ;;
        forget)
            left=
            for entry in $processes; do
                [ "${entry%%:*}" = "$first" ] || left="$left $entry"
            done
            processes=$left
            ;;
        user) users="$users $first" ;;
        folder) folder="$first${rest:+ $rest}" ;;
        keep) exit 0 ;;
    esac
done

start_of() {
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
    stat=${stat##*) }
    # shellcheck disable=SC2086 # The fields are to be split.
    set -- $stat
    echo "${20}"
}

tree_of() {
    echo "$1"
    for kid in $(cat "/proc/$1/task/"*/children 2>/dev/null); do
        tree_of "$kid"
    done
}

for entry in $processes; do
    pid=${entry%%:*}
    start=$(start_of "$pid")
    # An id cannot be given to another process while its group lives, so a missing leader is safe.
    if [ -z "$start" ] || [ "$start" = "${entry#*:}" ]; then
        # shellcheck disable=SC2046 # One id a word.
        kill -s KILL -- "-$pid" $(tree_of "$pid") 2>/dev/null
    fi
done

for user in $users; do
    # userdel fails while a process of the user is ending, or another lab holds the user database.
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        userdel "$user" 2>/dev/null
        id "$user" >/dev/null 2>&1 || break
        sleep 0.2
    done
done

if [ -n "$folder" ] && [ -f "$folder/.landfall-lab" ]; then
    # A copy or a seeder that a killed lab had running goes on writing until it notices.
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do
        rm -rf -- "$folder" 2>/dev/null
        sleep 0.05
        [ -e "$folder" ] || break
        sleep 0.25
    done
    rmdir -- "$(dirname -- "$folder")" 2>/dev/null
fi
exit 0
