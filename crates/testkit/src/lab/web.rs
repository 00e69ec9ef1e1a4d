//! A web host: nginx in front of PHP-FPM, both running as the site's own account.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

use super::account::Account;
use super::daemon::Daemon;
use super::guardian::Guardian;
use super::ports::{accepts, free_port};

const START_LIMIT: Duration = Duration::from_secs(30);

/// What differs from an ordinary host.
#[derive(Clone, Debug)]
pub struct WebOptions {
    /// PHP workers, all started at once.
    pub php_workers: u32,
    /// `php_admin_value` lines, such as `("memory_limit", "64M")`.
    pub ini: Vec<(String, String)>,
}

impl Default for WebOptions {
    fn default() -> Self {
        let ini = [
            ("memory_limit", "128M"),
            ("max_execution_time", "30"),
            ("upload_max_filesize", "64M"),
            ("post_max_size", "64M"),
        ];
        let ini = ini.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
        Self { php_workers: 4, ini }
    }
}

/// nginx and PHP-FPM for one document root, answering to any host name on one port of 127.0.0.1.
#[derive(Debug)]
pub struct WebHost {
    /// The web server.
    pub nginx: Daemon,
    /// PHP.
    pub php: Daemon,
    guardian: Arc<Guardian>,
    name: String,
    folder: PathBuf,
    port: u16,
}

impl WebHost {
    pub(super) async fn start(
        guardian: &Arc<Guardian>,
        name: &str,
        docroot: &Path,
        account: &Account,
        options: &WebOptions,
    ) -> Result<Self> {
        let folder = guardian.folder().join(name);
        fs::create_dir_all(&folder)?;
        let port = free_port()?;
        fs::write(folder.join("php-fpm.conf"), php_config(&folder, account, options))?;
        fs::write(folder.join("nginx.conf"), nginx_config(&folder, docroot, account, port))?;
        let php = Daemon::spawn(guardian, &format!("{name}-php"), php_command(&folder))?;
        let nginx = Daemon::spawn(guardian, &format!("{name}-nginx"), nginx_command(&folder))?;
        let guardian = Arc::clone(guardian);
        let mut host = Self { nginx, php, guardian, name: name.to_owned(), folder, port };
        host.wait_ready().await?;
        Ok(host)
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// nginx's log of requests, one a line.
    pub fn access_log(&self) -> PathBuf {
        self.folder.join("access.log")
    }

    /// What PHP complained about.
    pub fn php_log(&self) -> PathBuf {
        self.folder.join("php-error.log")
    }

    /// Starts both again with the same configuration, killing what still runs.
    pub async fn restart(&mut self) -> Result<()> {
        self.nginx.kill9()?;
        self.php.kill9()?;
        self.php = Daemon::spawn(&self.guardian, &format!("{}-php", self.name), php_command(&self.folder))?;
        self.nginx =
            Daemon::spawn(&self.guardian, &format!("{}-nginx", self.name), nginx_command(&self.folder))?;
        self.wait_ready().await
    }

    async fn wait_ready(&mut self) -> Result<()> {
        let socket = self.folder.join("php.sock");
        self.php
            .wait_ready(START_LIMIT, || async { tokio::net::UnixStream::connect(&socket).await.is_ok() })
            .await?;
        let port = self.port;
        self.nginx.wait_ready(START_LIMIT, || accepts(port)).await
    }
}

fn php_command(folder: &Path) -> Command {
    let mut command = Command::new("php-fpm8.2");
    command
        .args(["--nodaemonize", "--allow-to-run-as-root", "--fpm-config"])
        .arg(folder.join("php-fpm.conf"));
    command
}

fn nginx_command(folder: &Path) -> Command {
    let mut command = Command::new("nginx");
    command.arg("-c").arg(folder.join("nginx.conf")).arg("-e").arg(folder.join("nginx-error.log"));
    command
}

fn php_config(folder: &Path, account: &Account, options: &WebOptions) -> String {
    let user = &account.name;
    let folder = folder.display();
    let workers = options.php_workers;
    let mut config = format!(
        "[global]\nerror_log = {folder}/php-fpm.log\ndaemonize = no\n\
         [site]\nuser = {user}\ngroup = {user}\nlisten = {folder}/php.sock\nlisten.owner = {user}\n\
         listen.group = {user}\npm = static\npm.max_children = {workers}\ncatch_workers_output = yes\n\
         php_admin_value[error_log] = {folder}/php-error.log\nphp_admin_flag[log_errors] = on\n\
         php_admin_value[sendmail_path] = /bin/true\n"
    );
    for (key, value) in &options.ini {
        let _ = writeln!(config, "php_admin_value[{key}] = {value}");
    }
    config
}

/// As hosting companies set WordPress up. Dot-folders are deliberately not refused: some hosts serve them, and
/// what is staged in one has to be safe there. Debian's parameters give PHP a host without its port, which makes
/// WordPress redirect to itself for ever on a port such as ours.
fn nginx_config(folder: &Path, docroot: &Path, account: &Account, port: u16) -> String {
    let user = &account.name;
    let folder = folder.display();
    let docroot = docroot.display();
    format!(
        "daemon off;\nuser {user};\nworker_processes 2;\npid {folder}/nginx.pid;\nerror_log {folder}/nginx-error.log;\n\
         events {{ worker_connections 512; }}\n\
         http {{\n  include /etc/nginx/mime.types;\n  default_type application/octet-stream;\n\
         \x20 access_log {folder}/access.log;\n  sendfile on;\n  client_max_body_size 64m;\n\
         \x20 client_body_temp_path {folder}/tmp-body;\n  fastcgi_temp_path {folder}/tmp-fastcgi;\n\
         \x20 proxy_temp_path {folder}/tmp-proxy;\n  scgi_temp_path {folder}/tmp-scgi;\n\
         \x20 uwsgi_temp_path {folder}/tmp-uwsgi;\n  fastcgi_read_timeout 60s;\n\
         \x20 server {{\n    listen 127.0.0.1:{port} default_server;\n    server_name _;\n    root {docroot};\n\
         \x20   index index.php index.html;\n\
         \x20   location / {{ try_files $uri $uri/ /index.php?$args; }}\n\
         \x20   location ~ \\.php$ {{\n      try_files $uri =404;\n      include /etc/nginx/fastcgi_params;\n\
         \x20     fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;\n\
         \x20     fastcgi_param SERVER_NAME $host;\n\
         \x20     fastcgi_param HTTP_HOST $host:{port};\n\
         \x20     fastcgi_pass unix:{folder}/php.sock;\n    }}\n  }}\n}}\n"
    )
}
