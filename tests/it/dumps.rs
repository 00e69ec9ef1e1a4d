//! `landfall rewrite` between a real dump program and a real server: what arrives is what the independent checker expects
//! of a site that moved.

use anyhow::{Result, ensure};
use landfall_testkit::lab::{CheckJob, Lab, Pair, Profile, Source, check};
use landfall_tests::installation::binary;
use tokio::process::Command;

const NEW_ADDRESS: &str = "https://www.moved-shop.example";
const NEW_ROOT: &str = "/srv/sites/moved-shop";

/// Dump programs write a FLOAT with six digits, whoever reads it.
const LOST_BY_THE_DUMP: &str = "wp_odd_types (6) f";

/// How a database is dumped to standard output, in `sh`. `$C` are the arguments that reach it.
const DUMPS: [(&str, &str); 3] = [
    ("as_it_comes", "mariadb-dump $C --single-transaction --triggers old_shop"),
    (
        "rows_and_hex",
        "mariadb-dump $C --single-transaction --triggers --skip-extended-insert --complete-insert --hex-blob old_shop",
    ),
    // Its definitions of tables are in files of their own, which say what the rows' columns are: they go first.
    (
        "mydumper",
        "mydumper $C --database=old_shop --trx-consistency-only --triggers --threads=2 --outputdir=$D >&2 \
         && echo \"SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO', foreign_key_checks = 0;\" && cat $D/*-schema.sql \
         && find $D -name 'old_shop.*.sql' ! -name '*-schema*' -exec cat '{}' + \
         && cat $D/*-schema-view.sql $D/*-schema-triggers.sql",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_arrives_as_a_site_that_moved() -> Result<()> {
    let lab = Lab::temporary()?;
    let source = lab.source(Profile::Small).await?;
    for (name, dump) in DUMPS {
        let destination = source.mariadb.create_database(&format!("moved_{name}")).await?;
        pipe(&lab, &source, name, dump).await?;
        let mut job = CheckJob::between(&source.site, &source.site);
        job.destination_database = destination;
        job.urls = vec![Pair::new(source.site.base_url(), NEW_ADDRESS)];
        job.paths = vec![Pair::new(job.source_root.clone(), NEW_ROOT)];
        let found = check(&lab, &job).await?;
        let ours: Vec<_> =
            found.differences.iter().filter(|found| found.at != LOST_BY_THE_DUMP).take(5).collect();
        ensure!(ours.is_empty(), "{name}: {ours:#?}");
        ensure!(found.mapped_values > 50 && found.tables > 10, "{name}: {found:?}");
    }
    Ok(())
}

/// Dumps the source, rewrites, takes away definers, who have no rights on the copy, and loads into the database `moved_NAME` of the same server, as its root.
async fn pipe(lab: &Lab, source: &Source, name: &str, dump: &str) -> Result<()> {
    let folder = lab.folder().join(format!("dump-{name}"));
    std::fs::create_dir_all(&folder)?;
    let (site, new_address) = (source.site.base_url(), NEW_ADDRESS);
    let script = format!(
        "set -euo pipefail; C='--user=root --socket={socket}'; D={folder}; \
         {{ {dump}; }} \
         | {landfall} rewrite --map {site} {new_address} --path-map {root} {NEW_ROOT} --report json 2>$D/report.json \
         | sed 's/DEFINER=`[^`]*`@`[^`]*`//g' \
         | mariadb --no-defaults $C --binary-mode --max-allowed-packet=1G moved_{name}",
        socket = source.mariadb.socket().display(),
        folder = folder.display(),
        landfall = binary()?.display(),
        root = source.site.docroot.display(),
    );
    let done = Command::new("bash").args(["-c", &script]).output().await?;
    let report = std::fs::read_to_string(folder.join("report.json")).unwrap_or_default();
    ensure!(done.status.success(), "{name}: {}\n{report}", String::from_utf8_lossy(&done.stderr));
    Ok(())
}
