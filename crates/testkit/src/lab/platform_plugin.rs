//! A plugin of the platform, such as an operator has installed with every site: small, but real. Its activation hook
//! makes a table and an option, so what only edited the list of active plugins is found out.

use std::fs;
use std::io::{Cursor, Write as _};
use std::path::PathBuf;

use anyhow::Result;
use sha2::{Digest as _, Sha256};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::Lab;

const FILE: &str = "platform-sessions/platform-sessions.php";
const PHP: &str = r#"<?php
/*
Plugin Name: Platform Sessions
Description: Stands for what a platform installs with every site.
Version: 1.0.0
*/
register_activation_hook(
	__FILE__,
	function () {
		global $wpdb;
		$wpdb->query( "CREATE TABLE {$wpdb->prefix}platform_sessions (id INT PRIMARY KEY)" );
		add_option( 'platform_sessions', 'hook ran' );
	}
);
"#;

/// A plugin of the platform as a worker is configured with it.
#[derive(Clone, Debug)]
pub struct PlatformPluginZip {
    /// Its main file, as WordPress names it.
    pub file: &'static str,
    /// The zip.
    pub zip: PathBuf,
    /// The zip's SHA-256, in hex.
    pub sha256: String,
    /// The option that its hook adds, with the value `hook ran`; the table `<prefix>platform_sessions` bears its name.
    pub option: &'static str,
}

impl PlatformPluginZip {
    /// Writes the zip into the lab's folder.
    pub fn write(lab: &Lab) -> Result<Self> {
        let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
        archive.start_file(FILE, SimpleFileOptions::default())?;
        archive.write_all(PHP.as_bytes())?;
        let bytes = archive.finish()?.into_inner();
        let sha256 = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        let zip = lab.folder().join("platform-sessions.zip");
        fs::write(&zip, bytes)?;
        Ok(Self { file: FILE, zip, sha256, option: "platform_sessions" })
    }
}
