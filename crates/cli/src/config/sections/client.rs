//! `client`: what the client commands need.

use std::net::SocketAddr;
use std::path::PathBuf;

use secrecy::SecretString;
use url::Url;

use crate::config::reader::Reader;

/// How the client commands reach the API.
#[derive(Debug, Clone)]
pub(crate) struct ClientConfig {
    /// The API.
    pub(crate) server: Url,
    /// A file with the machine token.
    pub(crate) token_file: Option<PathBuf>,
    /// The operator's token, where this configuration is the server's own.
    pub(crate) operator_token: Option<SecretString>,
}

/// The file of the operator's token in the folder of `landfall dev`.
pub(crate) const OPERATOR_TOKEN_FILE: &str = "operator-token";

pub(super) fn client(reader: &mut Reader) -> ClientConfig {
    let server =
        reader.parsed("client.server").or_else(|| reader.parsed("api.public_url")).unwrap_or_else(|| {
            let listen: SocketAddr =
                reader.parsed("api.listen").unwrap_or_else(|| ([127, 0, 0, 1], 8080).into());
            local_url(listen)
        });
    let dev_file = reader.path("dev.data").unwrap_or_default().join(OPERATOR_TOKEN_FILE);
    let named: Option<PathBuf> = reader.path("client.token_file");
    let operator_token = if named.is_none() { reader.secret("api.operator_token") } else { None };
    let token_file = named.or_else(|| (operator_token.is_none() && dev_file.is_file()).then_some(dev_file));
    ClientConfig { server, token_file, operator_token }
}

/// The URL of a listener on this machine.
pub(crate) fn local_url(listen: SocketAddr) -> Url {
    let host = if listen.ip().is_unspecified() { "127.0.0.1".to_owned() } else { listen.ip().to_string() };
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    Url::parse(&format!("http://{host}:{}/", listen.port())).expect("an address and a port make a URL")
}
