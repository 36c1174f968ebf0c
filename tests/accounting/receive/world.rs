//! A receiver in this process, an authority of its own, and nodes that call it.

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use accounting::ledger::Ledger;
use accounting::receive::{Drained, Limits, Receiver};
use accounting::settings::TlsFiles;
use accounting::tls::Keeper;
use federation::usage::{FORMAT, Header};
use flate2::Compression;
use flate2::write::GzEncoder;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, SanType,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use sha2::{Digest as _, Sha256};
use tokio::sync::oneshot;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};

use super::DEADLINE;

/// A certificate and its key, in PEM.
pub(crate) struct Leaf {
    certificate: String,
    key: String,
}

/// A certificate authority.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    fn sign(&self, names: Vec<SanType>, usage: ExtendedKeyUsagePurpose) -> Leaf {
        let mut params = CertificateParams::default();
        params.subject_alt_names = names;
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate().unwrap();
        Leaf {
            certificate: params.signed_by(&key, &self.0).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }

    /// A caller's certificate with these URIs.
    pub(crate) fn leaf(&self, uris: &[&str]) -> Leaf {
        let uri = |uri: &&str| SanType::URI((*uri).try_into().unwrap());
        let names = uris.iter().map(uri).collect();
        self.sign(names, ExtendedKeyUsagePurpose::ClientAuth)
    }

    /// Writes a receiver's certificate, its key, and this authority.
    pub(crate) fn write_server(&self, files: &TlsFiles) {
        let names = vec![SanType::IpAddress([127, 0, 0, 1].into())];
        let leaf = self.sign(names, ExtendedKeyUsagePurpose::ServerAuth);
        for (path, text) in [
            (&files.certificate, leaf.certificate),
            (&files.key, leaf.key),
            (&files.authority, self.0.pem()),
        ] {
            std::fs::write(path, text).unwrap();
        }
    }
}

/// A running receiver.
pub(crate) struct World {
    pub(crate) address: SocketAddr,
    pub(crate) authority: Authority,
    pub(crate) files: TlsFiles,
    pub(crate) ledger: PathBuf,
    stop: std::cell::Cell<Option<oneshot::Sender<()>>>,
    thread: Option<JoinHandle<Drained>>,
    _folder: tempfile::TempDir,
}

/// Where a receiver has its PEM files.
pub(crate) fn files_in(folder: &Path) -> TlsFiles {
    TlsFiles {
        certificate: folder.join("certificate.pem"),
        key: folder.join("key.pem"),
        authority: folder.join("authority.pem"),
    }
}

impl World {
    pub(crate) fn start(limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (files, ledger) = (files_in(folder.path()), folder.path().join("ledger.db"));
        let authority = Authority::new("example ca");
        authority.write_server(&files);
        // Looks at the files for each connection.
        let keeper = Keeper::open(files.clone(), Duration::ZERO, Instant::now()).unwrap();
        let opened = Ledger::open(&ledger).unwrap();
        let receiver = Receiver::new("example".parse().unwrap(), keeper, opened, limits);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                receiver.run(listener, async { drop(stopped.await) }).await
            })
        });
        Self {
            address,
            authority,
            files,
            ledger,
            stop: std::cell::Cell::new(Some(stop)),
            thread: Some(thread),
            _folder: folder,
        }
    }

    pub(crate) fn ask_to_stop(&self) {
        drop(self.stop.take());
    }

    /// Stops it, and opens what it has kept.
    pub(crate) fn stop(mut self) -> (Drained, Ledger) {
        self.ask_to_stop();
        let drained = self.thread.take().unwrap().join().unwrap();
        (drained, Ledger::open_read_only(&self.ledger).unwrap())
    }

    pub(crate) fn node(&self, node: &str) -> Client {
        let uri = format!("atoll://example/one/{node}");
        self.client(Some(self.authority.leaf(&[&uri])))
    }

    pub(crate) fn client(&self, leaf: Option<Leaf>) -> Client {
        self.client_of(&self.authority, leaf)
    }

    /// A client that trusts an authority, and may show a certificate.
    pub(crate) fn client_of(&self, trusted: &Authority, leaf: Option<Leaf>) -> Client {
        let root = Certificate::from_pem(trusted.0.pem().as_bytes()).unwrap();
        let shown = leaf.map(|leaf| {
            let certificate = Certificate::from_pem(leaf.certificate.as_bytes()).unwrap();
            let key = PrivateKey::from_pem(leaf.key.as_bytes()).unwrap();
            ClientCert::new_with_certs(&[certificate], key)
        });
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::new_with_certs(&[root]))
            .client_cert(shown)
            .build();
        let config = ureq::Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .timeout_global(Some(DEADLINE))
            .build();
        Client {
            agent: config.new_agent(),
            base: format!("https://{}", self.address),
        }
    }

    /// A node's connection after its handshake, to write and break off at will.
    pub(crate) fn raw(&self, node: &str) -> StreamOwned<ClientConnection, TcpStream> {
        let leaf = self
            .authority
            .leaf(&[&format!("atoll://example/one/{node}")]);
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.0.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_client_auth_cert(
                vec![CertificateDer::from_pem_slice(leaf.certificate.as_bytes()).unwrap()],
                PrivateKeyDer::from_pem_slice(leaf.key.as_bytes()).unwrap(),
            )
            .unwrap();
        let name = "127.0.0.1".try_into().unwrap();
        let mut connection = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        while connection.is_handshaking() {
            connection.complete_io(&mut stream).unwrap();
        }
        StreamOwned::new(connection, stream)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.ask_to_stop();
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// A caller.
pub(crate) struct Client {
    agent: ureq::Agent,
    base: String,
}

impl Client {
    pub(crate) fn try_get(&self, path: &str) -> Result<(u16, String), ureq::Error> {
        let mut answer = self.agent.get(format!("{}{path}", self.base)).call()?;
        Ok((
            answer.status().as_u16(),
            answer.body_mut().read_to_string()?,
        ))
    }

    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        self.try_get(path).unwrap()
    }

    pub(crate) fn deliver(&self, delivery: &Delivery) -> (u16, String) {
        let mut request = self.agent.post(format!("{}/v1/usage", self.base));
        if let Some(digest) = delivery.digest() {
            request = request.header("Atoll-Digest", digest);
        }
        let mut answer = request.send(delivery.compressed()).unwrap();
        let status = answer.status().as_u16();
        (status, answer.body_mut().read_to_string().unwrap())
    }
}

/// What is posted.
pub(crate) struct Delivery {
    pub(crate) text: String,
    /// Instead of the right one.
    pub(crate) digest: Option<String>,
}

impl Delivery {
    /// The entries from one number to another: first the facts of an allocation, then its seconds.
    pub(crate) fn of(node: &str, first: u64, last: u64) -> Self {
        let header = Header {
            format: FORMAT,
            node: node.parse().unwrap(),
            datacenter: "one".parse().unwrap(),
            node_id: format!("id-of-{node}"),
            ledger: "ledger-1".to_owned(),
            entries: u32::try_from(last + 1 - first).unwrap(),
        };
        let mut text = serde_json::to_string(&header).unwrap() + "\n";
        for seq in first..=last {
            text += &entry(seq).to_string();
            text.push('\n');
        }
        Self { text, digest: None }
    }

    pub(crate) fn compressed(&self) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(self.text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    fn digest(&self) -> Option<String> {
        let right = || format!("sha256={:x}", Sha256::digest(&self.text));
        self.digest.clone().or_else(|| Some(right()))
    }

    /// The head of a request with a body of so many bytes.
    pub(crate) fn head(&self, bytes: usize) -> String {
        let digest = self.digest().unwrap_or_default();
        format!(
            "POST /v1/usage HTTP/1.1\r\nhost: localhost\r\ncontent-length: {bytes}\r\natoll-digest: {digest}\r\n\r\n"
        )
    }
}

fn entry(seq: u64) -> serde_json::Value {
    if seq == 1 {
        return serde_json::json!({"seq": 1, "allocation": {
            "id": "alloc-1", "namespace": "example", "job": "train", "group": "g",
            "name": "train.g[0]", "started_us": 2_000_000, "tasks": [],
            "disk_mib": 300, "node_cores": 4, "node_mhz": 8000,
        }});
    }
    let (start, end) = ((seq - 2) * 1_000_000, (seq - 1) * 1_000_000);
    let moment =
        |boot_us: u64| serde_json::json!({"boot_us": boot_us, "wall_us": boot_us + 2_000_000});
    serde_json::json!({"seq": seq, "interval": {
        "allocation": "alloc-1", "task": "main", "boot_id": "boot",
        "start": moment(start), "end": moment(end),
        "held_us": 1_000_000, "held": "measured", "held_total_us": end,
        "cpu": {"used_us": 5, "total_us": 5 * (seq - 1), "bound_us": 0,
                "quality": "measured", "epoch": "e", "raw_us": 7},
    }})
}
