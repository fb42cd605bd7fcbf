//! AWS over TLS: a chain of three RSA certificates, as AWS has, and listeners that present it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use axum::serve::Listener;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::Failed;

/// The addresses of S3, DynamoDB and SNS. Three names, so that none resumes the session of another.
pub(crate) const HOSTS: [Ipv4Addr; 3] =
    [Ipv4Addr::new(127, 0, 0, 2), Ipv4Addr::new(127, 0, 0, 3), Ipv4Addr::new(127, 0, 0, 4)];

/// The roots that this machine trusts. Lambda has as many.
const SYSTEM_ROOTS: [&str; 2] = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];

/// The certificate of a server.
pub(crate) struct Identity {
    acceptor: TlsAcceptor,
    /// The roots of this machine, and the root of this certificate. For `SSL_CERT_FILE`.
    pub(crate) roots: PathBuf,
}

impl Identity {
    /// Makes a root, an intermediate certificate and that of the server, with the command `openssl`.
    pub(crate) fn make(directory: &Path) -> Result<Self, Failed> {
        std::fs::create_dir_all(directory)?;
        std::fs::write(directory.join("openssl.cnf"), "[req]\ndistinguished_name = name\n[name]\n")?;
        certify(directory, "root", None, &["basicConstraints=critical,CA:TRUE"])?;
        certify(directory, "intermediate", Some("root"), &["basicConstraints=critical,CA:TRUE"])?;
        let names = HOSTS.map(|host| format!("IP:{host}")).join(",");
        let names = format!("subjectAltName={names}");
        certify(directory, "server", Some("intermediate"), &["basicConstraints=critical,CA:FALSE", &names])?;
        let certificate = |name: &str| CertificateDer::from_pem_file(directory.join(format!("{name}.pem")));
        let chain = vec![certificate("server")?, certificate("intermediate")?];
        let key = PrivateKeyDer::from_pem_file(directory.join("server.key"))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let config = config.with_no_client_auth().with_single_cert(chain, key)?;
        let roots = directory.join("roots.pem");
        let system =
            SYSTEM_ROOTS.iter().find_map(|path| std::fs::read(path).ok()).ok_or("no file of root certificates")?;
        std::fs::write(&roots, [system, std::fs::read(directory.join("root.pem"))?].concat())?;
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), roots })
    }

    /// Returns a listener on a free port.
    pub(crate) async fn listen(&self, host: Ipv4Addr) -> Result<TlsListener, Failed> {
        Ok(TlsListener { tcp: TcpListener::bind((host, 0)).await?, acceptor: self.acceptor.clone() })
    }
}

/// Makes the certificate `name`, issued by another one or by itself.
fn certify(directory: &Path, name: &str, issuer: Option<&str>, extensions: &[&str]) -> Result<(), Failed> {
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-config", "openssl.cnf", "-newkey", "rsa:2048", "-nodes", "-days", "1"]);
    openssl.args(["-subj", &format!("/CN={name}"), "-keyout", &format!("{name}.key"), "-out", &format!("{name}.pem")]);
    if let Some(issuer) = issuer {
        openssl.args(["-CA", &format!("{issuer}.pem"), "-CAkey", &format!("{issuer}.key")]);
    }
    openssl.args(extensions.iter().flat_map(|extension| ["-addext", extension]));
    openssl.current_dir(directory).stdin(Stdio::null()).stderr(Stdio::null());
    let status = openssl.status().map_err(|error| format!("the command openssl: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("openssl makes no certificate {name}").into()) }
}

/// Accepts connections with TLS.
pub(crate) struct TlsListener {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = Listener::accept(&mut self.tcp).await;
            match self.acceptor.accept(stream).await {
                Ok(stream) => return (stream, address),
                Err(error) => eprintln!("a TLS connection failed: {error}"),
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.tcp.local_addr()
    }
}
