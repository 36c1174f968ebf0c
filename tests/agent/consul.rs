//! The door to Consul, against a socket that answers as Consul does.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use agent::consul::{Beat, Consul, Registry as _};
use agent::settings::Settings;
use federation::consul::Health;

/// Answers one request after the other, and gives them back when all are answered.
fn serve(
    answers: Vec<(&'static str, &'static str)>,
) -> (u16, std::thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = std::thread::spawn(move || {
        let mut heard = Vec::new();
        for (status, body) in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut request = String::new();
            while !request.ends_with("\r\n\r\n") {
                assert_ne!(reader.read_line(&mut request).unwrap(), 0);
            }
            let length = request.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length")
                    .then(|| value.trim().parse().ok())?
            });
            let mut content = vec![0; length.unwrap_or(0)];
            reader.read_exact(&mut content).unwrap();
            heard.push(request + &String::from_utf8(content).unwrap());
            let answer = format!(
                "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(answer.as_bytes()).unwrap();
        }
        heard
    });
    (port, thread)
}

fn consul(port: u16) -> (Consul, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, " a-token\n").unwrap();
    (Consul::new(&settings(port, &token).consul).unwrap(), folder)
}

/// Settings that name a Consul at a port.
pub(crate) fn settings(port: u16, token: &Path) -> Settings {
    let text = format!(
        "federation = 'f'\nnode = 'n'\ndatacenter = 'd'\n[nomad]\naddress = 'https://127.0.0.1:1'\n\
         token_file = '/t'\nca = '/c'\ncertificate = '/e'\nkey = '/k'\n\
         [consul]\naddress = 'http://127.0.0.1:{port}'\ntoken_file = '{}'\n",
        token.display()
    );
    Settings::parse(&text, None).unwrap()
}

#[test]
fn a_beat_carries_the_token_and_tells_when_it_is_not_known() {
    let (port, server) = serve(vec![
        ("200 OK", ""),
        ("404 Not Found", "Unknown check ID \"c\""),
        ("403 Forbidden", "Permission denied"),
    ]);
    let (consul, _folder) = consul(port);
    assert_eq!(
        consul.beat("c", Health::Warning, "why").unwrap(),
        Beat::Heard
    );
    assert_eq!(
        consul.beat("c", Health::Passing, "").unwrap(),
        Beat::Unknown
    );
    let error = consul.beat("c", Health::Passing, "").unwrap_err();
    assert_eq!(error.to_string(), "Consul answered 403: Permission denied");
    let heard = server.join().unwrap();
    let first = heard.first().unwrap();
    assert!(
        first.starts_with("PUT /v1/agent/check/update/c HTTP/1.1\r\n"),
        "{first}"
    );
    assert!(
        first.to_lowercase().contains("x-consul-token: a-token\r\n"),
        "{first}"
    );
    assert!(
        first.ends_with(r#"{"Status":"warning","Output":"why"}"#),
        "{first}"
    );
}

#[test]
fn a_consul_that_is_not_there_is_told_with_its_address() {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let (consul, _folder) = consul(port);
    let error = consul.token_is_known().unwrap_err().to_string();
    assert!(
        error.contains(&format!("http://127.0.0.1:{port}")),
        "{error}"
    );
    let gone = PathBuf::from("/nowhere/token");
    let settings = agent::settings::Consul {
        token_file: gone,
        ..settings_of(port)
    };
    let error = Consul::new(&settings).unwrap_err().to_string();
    assert!(
        error.contains("cannot use the token in /nowhere/token"),
        "{error}"
    );
}

fn settings_of(port: u16) -> agent::settings::Consul {
    let text = format!(
        "federation = 'f'\nnode = 'n'\ndatacenter = 'd'\n[nomad]\naddress = 'https://127.0.0.1:1'\n\
         token_file = '/t'\nca = '/c'\ncertificate = '/e'\nkey = '/k'\n\
         [consul]\naddress = 'http://127.0.0.1:{port}'\ntoken_file = '/t'\n"
    );
    Settings::parse(&text, None).unwrap().consul
}
