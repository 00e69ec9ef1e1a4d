#!/bin/sh
# Copies a site by hand, as an expert would, and prints the wall seconds of each step as JSON.
#
#   copy.sh SOURCE.cnf DESTINATION.cnf SOURCE_DB DESTINATION_DB SOURCE_ROOT DESTINATION_ROOT OWNER
#
# SOURCE.cnf and DESTINATION.cnf are option files of MariaDB's clients. Nothing is rewritten: the addresses in the
# copy are still the source's. wp-config.php, caches, logs and another program's table stay behind, as with Landfall.
set -eu
source_cnf=$1 destination_cnf=$2 source_db=$3 destination_db=$4 source_root=$5 destination_root=$6 owner=$7

now() { date +%s.%N; }

failed=$(mktemp)
trap 'rm -f "$failed"' EXIT

# dump ARGUMENTS…: a dump whose failure is noticed behind the pipe as well.
dump() {
    mariadb-dump --defaults-file="$source_cnf" --single-transaction --quick --default-character-set=binary "$@" \
        || echo failed >"$failed"
}

load() {
    mariadb --defaults-file="$destination_cnf" --binary-mode --default-character-set=binary "$destination_db"
    [ ! -s "$failed" ] || { echo "copy.sh: the dump failed" >&2; exit 1; }
}

begin=$(now)
views=$(mariadb --defaults-file="$source_cnf" --batch --skip-column-names \
    --execute="SELECT table_name FROM information_schema.views WHERE table_schema = '$source_db'")
ignored=$(for view in $views; do echo "--ignore-table=$source_db.$view"; done)
# shellcheck disable=SC2086 # One word a view, and their names are plain.
dump --hex-blob --skip-triggers --ignore-table="$source_db.crm_contacts" $ignored "$source_db" | load
# Views and triggers name their definer, a user that the destination does not have.
# shellcheck disable=SC2086
{
    dump --no-data --no-create-info --triggers "$source_db"
    [ -z "$views" ] || dump --no-data --skip-triggers "$source_db" $views
} | sed 's/DEFINER=`[^`]*`@`[^`]*`//g' | load
middle=$(now)
rsync --archive --delete --chown="$owner" --exclude=/wp-config.php --exclude=/wp-content/cache \
    --exclude=/wp-content/debug.log "$source_root/" "$destination_root/"
end=$(now)

awk -v a="$begin" -v b="$middle" -v c="$end" 'BEGIN {
    printf "{\"database_seconds\":%.3f,\"files_seconds\":%.3f,\"total_seconds\":%.3f}\n", b - a, c - b, c - a }'
