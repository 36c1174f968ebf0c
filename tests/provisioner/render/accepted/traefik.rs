//! Traefik starts with the two configurations, serves the certificates that stand in them by
//! content, and takes over a new one without a restart.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use provisioner::render::RenderedGateway;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme};
use tempfile::TempDir;

use super::{planned, program};
use crate::golden::{evaluated, fixture, samples};

/// Ends the program with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Where a test's Traefik listens, in the place of the ports of a gateway.
struct Ports {
    ping: SocketAddr,
    https: SocketAddr,
    others: [SocketAddr; 4],
}

impl Ports {
    /// Six that are free now.
    fn free() -> Self {
        let listeners: [_; 6] = std::array::from_fn(|_| TcpListener::bind("127.0.0.1:0").unwrap());
        let [ping, https, others @ ..] = listeners.map(|listener| listener.local_addr().unwrap());
        Self {
            ping,
            https,
            others,
        }
    }

    /// The static configuration with these ports and this folder.
    fn adapt(&self, text: &str, folder: &Path) -> String {
        let [web, fl, admin, consul] = self.others.map(|address| address.to_string());
        let replaced = [
            ("\":8081\"", format!("\"{}\"", self.ping)),
            ("\":443\"", format!("\"{}\"", self.https)),
            ("\":80\"", format!("\"{web}\"")),
            ("\":8002\"", format!("\"{fl}\"")),
            ("\":8003\"", format!("\"{admin}\"")),
            ("127.0.0.1:8500", consul),
            ("/secrets/dynamic", folder.display().to_string()),
        ];
        replaced.iter().fold(text.to_owned(), |text, (from, to)| {
            assert!(text.contains(from), "the static configuration lacks {from}");
            text.replace(from, to)
        })
    }
}

/// A certificate with its key, as a gateway's variable holds them.
struct Pair {
    certificate: String,
    key: String,
    der: Vec<u8>,
}

impl Pair {
    fn new(zone: &str) -> Self {
        let names = vec![zone.to_owned(), format!("*.{zone}")];
        let signed = rcgen::generate_simple_self_signed(names).unwrap();
        Self {
            certificate: signed.cert.pem(),
            key: signed.signing_key.serialize_pem(),
            der: signed.cert.der().to_vec(),
        }
    }
}

/// A Traefik of the samples' gateway, with a folder for its dynamic configuration.
struct Traefik {
    home: TempDir,
    dynamic: String,
    ports: Ports,
    running: Option<Running>,
}

impl Traefik {
    fn new(gateway: &RenderedGateway) -> Self {
        Self::changed(gateway, |config, _| config)
    }

    /// One whose static configuration a test has changed, within the folder of the test.
    fn changed(gateway: &RenderedGateway, change: impl Fn(String, &Path) -> String) -> Self {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join("dynamic")).unwrap();
        let ports = Ports::free();
        let folder = home.path().join("dynamic");
        let config = ports.adapt(&evaluated(&gateway.static_configuration), &folder);
        fs::write(
            home.path().join("traefik.toml"),
            change(config, home.path()),
        )
        .unwrap();
        let dynamic = evaluated(&gateway.dynamic_configuration);
        Self {
            home,
            dynamic,
            ports,
            running: None,
        }
    }

    /// Writes the dynamic configuration as Nomad would: beside its place, then into it.
    fn put(&self, pairs: &[(&str, &Pair)]) {
        let text = pairs
            .iter()
            .fold(self.dynamic.clone(), |text, (name, pair)| {
                text.replace(&format!("<cert_{name}>"), &pair.certificate)
                    .replace(&format!("<key_{name}>"), &pair.key)
            });
        assert!(!text.contains('<'), "an item has no value:\n{text}");
        let staged = self.home.path().join("dynamic.new");
        fs::write(&staged, text).unwrap();
        fs::rename(staged, self.home.path().join("dynamic/dynamic.toml")).unwrap();
    }

    fn start(&mut self, program: &Path) {
        let file = |name| fs::File::create(self.home.path().join(name)).unwrap();
        let config = self.home.path().join("traefik.toml");
        let child = Command::new(program)
            .arg(format!("--configFile={}", config.display()))
            .stdin(Stdio::null())
            .stdout(file("log"))
            .stderr(file("errors"))
            .spawn();
        self.running = Some(Running(child.unwrap()));
    }

    fn log(&self) -> String {
        fs::read_to_string(self.home.path().join("log")).unwrap()
    }

    fn serves(&self, name: &str, pair: &Pair) -> bool {
        served(self.ports.https, name).as_ref() == Some(&pair.der)
    }
}

#[test]
fn traefik_serves_certificates_by_content_and_takes_over_new_ones() {
    let name = "traefik_serves_certificates_by_content_and_takes_over_new_ones";
    let Some(program) = program(name, "traefik") else {
        return;
    };
    let mut traefik = Traefik::new(&planned(&samples()).1.services.gateways[0]);
    let zones = ["ai4eosc", "imagine-ai"].map(|vo| format!("demo-deployments.cloud.{vo}.eu"));
    let [old, new] = [Pair::new(&zones[0]), Pair::new(&zones[0])];
    let other = Pair::new(&zones[1]);
    let jobs = zones.map(|zone| format!("job.{zone}"));

    traefik.put(&[("ai4eosc", &old), ("imagine", &other)]);
    traefik.start(&program);
    assert!(soon(|| pings(traefik.ports.ping)), "{}", traefik.log());
    assert!(soon(|| traefik.serves(&jobs[0], &old)), "{}", traefik.log());
    assert!(traefik.serves(&jobs[1], &other), "{}", traefik.log());
    let unknown = "unknown.example.org";
    assert!(
        traefik.serves(unknown, &old),
        "the first certificate is the default"
    );

    traefik.put(&[("ai4eosc", &new), ("imagine", &other)]);
    assert!(soon(|| traefik.serves(&jobs[0], &new)), "{}", traefik.log());
    assert!(
        traefik.serves(unknown, &new),
        "the default is taken over too"
    );
    let key = new.key.lines().nth(1).unwrap();
    assert!(!traefik.log().contains(key), "a private key is in the log");
}

/// An ACME server that cannot be reached costs certificates that are not there yet, and nothing else:
/// Traefik runs, and routes users' names of every parent domain. It asks for each of the wildcards.
#[test]
fn traefik_routes_while_its_acme_server_is_dead() {
    let test = "traefik_routes_while_its_acme_server_is_dead";
    let Some(program) = program(test, "traefik") else {
        return;
    };
    let gateway = &planned(&fixture("two-sites")).1.services.gateways[0];
    let dead =
        "email = \"operators@alpha.example.org\"\ncaServer = \"http://127.0.0.1:1/directory\"";
    let mut traefik = Traefik::changed(gateway, |config, home| {
        let storage = home.join("acme.json").display().to_string();
        let changed = config
            .replace("email = \"operators@alpha.example.org\"", dead)
            .replace("/acme/acme.json", &storage);
        assert!(
            changed.contains(dead) && changed.contains(&storage),
            "{config}"
        );
        changed
    });
    traefik.put(&[]);
    fs::write(traefik.home.path().join("dynamic/job.toml"), JOB).unwrap();
    traefik.start(&program);
    assert!(soon(|| pings(traefik.ports.ping)), "{}", traefik.log());
    for (zone, expected) in [
        ("alpha-deployments.cloud.example.org", true),
        ("alpha-deployments.imagine.example", true),
        ("beta-deployments.imagine.example", false),
    ] {
        // The job's own answer is a 418, which nothing else gives.
        let host = format!("job-api.{zone}");
        let answers = || status(traefik.ports.https, &host) == Some(418);
        assert_eq!(
            if expected { soon(answers) } else { answers() },
            expected,
            "{host}"
        );
        let wildcard = format!("*.{zone}");
        let asked = || traefik.log().contains(&wildcard);
        assert_eq!(
            if expected { soon(asked) } else { asked() },
            expected,
            "{}",
            traefik.log()
        );
    }
    let mode = fs::metadata(traefik.home.path().join("acme.json"))
        .unwrap()
        .permissions();
    assert_eq!(
        std::os::unix::fs::PermissionsExt::mode(&mode) & 0o777,
        0o600
    );
}

/// Routers as the platform's tags say them: two names in one matcher, TLS and no resolver.
const JOB: &str = r#"
[http.routers.job-example]
rule = "Host(`job-api.alpha-deployments.cloud.example.org`, `www.job-api.alpha-deployments.cloud.example.org`)"
service = "noop@internal"
[http.routers.job-example.tls]

[http.routers.job-imagine]
rule = "Host(`job-api.alpha-deployments.imagine.example`, `www.job-api.alpha-deployments.imagine.example`)"
service = "noop@internal"
[http.routers.job-imagine.tls]
"#;

/// Whether something comes true within half a minute.
fn soon(mut is_true: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + Duration::from_secs(30);
    while Instant::now() < end {
        if is_true() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    false
}

fn pings(address: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect(address) else {
        return false;
    };
    let request = b"GET /ping HTTP/1.0\r\nHost: localhost\r\n\r\n";
    let mut answer = String::new();
    let read = stream
        .write_all(request)
        .and_then(|()| stream.read_to_string(&mut answer));
    read.is_ok() && answer.contains(" 200 ")
}

/// The status of a server's answer to a request for a name, by HTTPS.
fn status(address: SocketAddr, name: &str) -> Option<u16> {
    let (mut session, mut stream) = greeted(address, name)?;
    let mut tls = rustls::Stream::new(&mut session, &mut stream);
    let request = format!("GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n");
    tls.write_all(request.as_bytes()).ok()?;
    let mut answer = [0; 12];
    tls.read_exact(&mut answer).ok()?;
    std::str::from_utf8(&answer[9..]).ok()?.parse().ok()
}

/// The certificate which a server answers a name with.
fn served(address: SocketAddr, name: &str) -> Option<Vec<u8>> {
    let (session, _) = greeted(address, name)?;
    session
        .peer_certificates()?
        .first()
        .map(|certificate| certificate.to_vec())
}

/// A TLS connection to a server that is asked for a name, after the handshake.
fn greeted(address: SocketAddr, name: &str) -> Option<(ClientConnection, TcpStream)> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Trusting))
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut session = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = TcpStream::connect(address).ok()?;
    while session.is_handshaking() {
        session.complete_io(&mut stream).ok()?;
    }
    Some((session, stream))
}

/// Trusts every certificate: the test compares them itself.
#[derive(Debug)]
struct Trusting;

impl ServerCertVerifier for Trusting {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let provider = rustls::crypto::ring::default_provider();
        provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
