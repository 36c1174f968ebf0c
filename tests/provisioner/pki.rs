//! Certificates, with OpenSSL and rustls as the judges.

mod authority;
mod issued;
mod judged;
mod used;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use federation::names::RegionName;
use jiff::{SignedDuration, Timestamp};
use provisioner::pki::{CertificateAuthority, create};
use provisioner::plan::{Authority, Leaf};

const DAY: SignedDuration = SignedDuration::from_hours(24);
const SECOND: SignedDuration = SignedDuration::from_secs(1);

fn now() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn federation() -> RegionName {
    "example".parse().unwrap()
}

fn consul_ca() -> CertificateAuthority {
    create(Authority::Consul, &federation(), now()).unwrap()
}

fn server() -> Leaf {
    Leaf {
        authority: Authority::Consul,
        common_name: "server.lisbon.consul".into(),
        dns_names: vec![
            "server.lisbon.consul".into(),
            "lisbon-server-0.server.lisbon.consul".into(),
            "localhost".into(),
        ],
        addresses: vec!["127.0.0.1".parse().unwrap(), "2001:db8::7".parse().unwrap()],
        uris: Vec::new(),
        serves: true,
    }
}

fn caller() -> Leaf {
    Leaf {
        authority: Authority::Nomad,
        common_name: "accounting".into(),
        dns_names: Vec::new(),
        addresses: Vec::new(),
        uris: Vec::new(),
        serves: false,
    }
}

/// Files for `openssl`, which reads nothing else.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

fn openssl<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Output {
    Command::new("openssl")
        .args(arguments)
        .output()
        .expect("the tests need the program openssl")
}

fn openssl_text(path: &Path, arguments: &[&str]) -> String {
    let output = openssl(
        ["x509", "-noout", "-in", path.to_str().unwrap()]
            .into_iter()
            .chain(arguments.iter().copied()),
    );
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Whether `openssl verify` accepts a certificate at a time.
fn openssl_accepts(ca_pem: &str, certificate_pem: &str, at: Timestamp, more: &[&str]) -> bool {
    let folder = Folder::new();
    let ca = folder.file("ca.pem", ca_pem);
    let certificate = folder.file("leaf.pem", certificate_pem);
    let at = at.as_second().to_string();
    let arguments = [
        "verify",
        "-x509_strict",
        "-attime",
        &at,
        "-CAfile",
        ca.to_str().unwrap(),
    ];
    let output = openssl(
        arguments
            .into_iter()
            .chain(more.iter().copied())
            .chain([certificate.to_str().unwrap()]),
    );
    output.status.success()
}

/// The subject of an authority such as `consul tls ca create` makes.
const CONSUL_S_OWN: &str = "/C=US/postalCode=94105/ST=CA/L=San Francisco\
    /street=101 Second Street/O=HashiCorp Inc./CN=Consul Agent CA 7";

/// A self-signed certificate which is not of our making, and the text of its key.
fn foreign_certificate(
    folder: &Folder,
    key: &str,
    subject: &str,
    more: &[&str],
) -> (String, String) {
    let certificate = folder.0.path().join("foreign.pem");
    let arguments = [
        "req", "-x509", "-new", "-sha256", "-key", key, "-subj", subject,
    ];
    let extensions = ["-addext", "basicConstraints=critical,CA:TRUE"];
    let ends = ["-out", certificate.to_str().unwrap()];
    let arguments = arguments.into_iter().chain(extensions);
    let output = openssl(arguments.chain(more.iter().copied()).chain(ends));
    assert!(output.status.success(), "{output:?}");
    let read = |path: &Path| fs::read_to_string(path).unwrap();
    (read(&certificate), read(Path::new(key)))
}

/// An authority which is not of our making.
fn foreign_ca(folder: &Folder, key: &str, subject: &str, days: &str) -> (String, String) {
    let usage = "keyUsage=critical,digitalSignature,keyCertSign,cRLSign";
    foreign_certificate(folder, key, subject, &["-days", days, "-addext", usage])
}

fn foreign_key(folder: &Folder, arguments: &[&str]) -> String {
    let key = folder
        .0
        .path()
        .join("foreign.key")
        .to_str()
        .unwrap()
        .to_owned();
    let output = openssl(arguments.iter().copied().chain(["-out", &key]));
    assert!(output.status.success(), "{output:?}");
    key
}
