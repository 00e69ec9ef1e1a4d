//! The zip of the WordPress plugin, with this installation's address and name in it.

use std::io::{Cursor, Write as _};

use anyhow::Context as _;
use url::Url;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

mod files {
    include!(concat!(env!("OUT_DIR"), "/plugin_files.rs"));
}

/// The plugin's folder within `wp-content/plugins`, and within the zip.
const FOLDER: &str = "landfall-migrate";
/// The file that the address and the name are written into.
const CONFIG: &str = "landfall-config.php";

/// Packs the zip. The same address and name give the same bytes.
pub(crate) fn zip(api: &Url, brand: &str) -> anyhow::Result<Vec<u8>> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options =
        SimpleFileOptions::default().compression_method(CompressionMethod::Deflated).unix_permissions(0o644);
    for (name, bytes) in files::FILES {
        zip.start_file(format!("{FOLDER}/{name}"), options)?;
        if *name == CONFIG {
            zip.write_all(configured(bytes, api, brand)?.as_bytes())?;
        } else {
            zip.write_all(bytes)?;
        }
    }
    Ok(zip.finish()?.into_inner())
}

fn configured(template: &[u8], api: &Url, brand: &str) -> anyhow::Result<String> {
    let template = std::str::from_utf8(template).context("the plugin's configuration is UTF-8")?;
    let written = template
        .replace("@@LANDFALL_API_URL@@", &in_quotes(api.as_str().trim_end_matches('/')))
        .replace("@@LANDFALL_BRAND@@", &in_quotes(brand));
    anyhow::ensure!(!written.contains("@@"), "the plugin's configuration has a place that nobody fills");
    Ok(written)
}

/// A text within single quotes of PHP.
fn in_quotes(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\'', "\\'")
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn read(zip: &[u8], name: &str) -> String {
        let mut archive = zip::ZipArchive::new(Cursor::new(zip)).unwrap();
        let mut text = String::new();
        archive.by_name(name).unwrap().read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn the_zip_carries_the_address_and_the_name() {
        let api = Url::parse("https://migrate.example.org/").unwrap();
        let zip = zip(&api, "L'Hôte").unwrap();
        let config = read(&zip, "landfall-migrate/landfall-config.php");
        assert!(config.contains("'https://migrate.example.org'"), "{config}");
        assert!(config.contains("'L\\'Hôte'"), "{config}");
        assert!(read(&zip, "landfall-migrate/landfall-migrate.php").contains("Plugin Name:"));
    }

    #[test]
    fn the_same_installation_packs_the_same_bytes() {
        let api = Url::parse("http://127.0.0.1:8080/").unwrap();
        assert_eq!(zip(&api, "Landfall").unwrap(), zip(&api, "Landfall").unwrap());
    }
}
