//! The copy that an expert makes by hand, `tests/by-hand/copy.sh`, as the measure for `make bench`.

use std::fs;
use std::os::unix::fs::OpenOptionsExt;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::mariadb::DatabaseAccess;
use super::wordpress::WordPressSite;
use super::{Lab, Tool, random_word, run, workspace};

/// Wall seconds of a copy by hand, which rewrites nothing.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct ByHand {
    /// `mysqldump | mysql`.
    pub database_seconds: f64,
    /// `rsync`.
    pub files_seconds: f64,
    /// Both, one after the other.
    pub total_seconds: f64,
}

/// Copies `source` over `destination` with mariadb-dump, mariadb and rsync. The tables keep their names.
pub async fn copy_by_hand(lab: &Lab, source: &WordPressSite, destination: &WordPressSite) -> Result<ByHand> {
    let from = client_file(lab, &source.database)?;
    let to = client_file(lab, &destination.database)?;
    let output = run(Tool::new("sh")
        .arg(workspace().join("tests/by-hand/copy.sh"))
        .args([&from, &to])
        .args([&source.database.database, &destination.database.database])
        .args([&source.docroot, &destination.docroot])
        .arg(destination.account.owner()))
    .await?;
    serde_json::from_str(&output).with_context(|| format!("the copy by hand printed {output:?}"))
}

/// A client's option file: a password among the arguments could be read by every user of the machine.
fn client_file(lab: &Lab, access: &DatabaseAccess) -> Result<String> {
    let path = lab.folder().join(format!("client-{}.cnf", random_word(8)));
    let text = format!(
        "[client]\nhost={}\nport={}\nuser={}\npassword={}\nmax_allowed_packet=1G\n",
        access.host, access.port, access.user, access.password
    );
    let mut file = fs::File::options().create_new(true).write(true).mode(0o600).open(&path)?;
    std::io::Write::write_all(&mut file, text.as_bytes())?;
    Ok(path.display().to_string())
}
