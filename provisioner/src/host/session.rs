//! One SSH connection to one host.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use sha2::{Digest, Sha256};
use ssh2::{Channel, CheckResult, HashType, KnownHostFileKind, MethodType};

use crate::host::{HostError, KnownHosts};
use crate::plan::Login;

/// How long a host may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// How long it may take to prove who it is, and to let us in: one that boots or installs is slow.
const HANDSHAKE: Duration = Duration::from_secs(30);
/// How long a host may refuse to take a single byte.
const STALLED: Duration = Duration::from_mins(1);
/// How long one blocking call of libssh2 waits before it looks around.
const TICK_MS: u32 = 500;

/// What the operator can show to a host.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    /// A private key file; without one, the keys of ssh-agent are tried.
    pub key: Option<PathBuf>,
}

/// An open connection to a host. It is used by one thread at a time.
pub struct Session {
    ssh: ssh2::Session,
    address: SocketAddr,
}

/// What a command left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Exit status; 255 when a signal ended it.
    pub status: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// A running command whose lines are read one by one, and which can be answered.
pub struct Command {
    channel: Channel,
    pending: Vec<u8>,
}

impl Session {
    /// Connects, checks the host's key, and logs in.
    ///
    /// # Errors
    /// When the host does not answer, shows a key that is not known to be its
    /// own, or accepts no key of ours.
    pub fn open(
        login: &Login,
        credentials: &Credentials,
        known: &KnownHosts,
    ) -> Result<Self, HostError> {
        let address = SocketAddr::new(login.address, login.port);
        let stream =
            TcpStream::connect_timeout(&address, CONNECT).map_err(|source| HostError::Connect {
                address: address.to_string(),
                source,
            })?;
        stream
            .set_nodelay(true)
            .map_err(|source| HostError::Connect {
                address: address.to_string(),
                source,
            })?;
        let mut ssh = ssh2::Session::new().map_err(HostError::ssh("start SSH"))?;
        ssh.set_timeout(milliseconds(HANDSHAKE));
        ssh.set_tcp_stream(stream);
        let types = known.key_types(&address.ip().to_string(), address.port());
        if !types.is_empty() {
            ssh.method_pref(MethodType::HostKey, &preference(&types))
                .map_err(HostError::ssh("choose a kind of host key"))?;
        }
        ssh.handshake()
            .map_err(HostError::ssh(format!("speak SSH with {address}")))?;
        check_key(&ssh, address, known)?;
        log_in(&ssh, &login.user, address, credentials)?;
        ssh.set_keepalive(false, 15);
        Ok(Self { ssh, address })
    }

    /// Where the session leads.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Runs a command to its end, with a text on its standard input.
    ///
    /// # Errors
    /// When the connection breaks or the command takes longer than `limit`.
    pub fn run(&self, command: &str, stdin: &str, limit: Duration) -> Result<Output, HostError> {
        let mut running = self.start(command)?;
        write_all(&mut running.channel, stdin.as_bytes()).map_err(broken(command))?;
        running
            .channel
            .send_eof()
            .map_err(HostError::ssh("end the input of a command"))?;
        running.finish(command, limit)
    }

    /// Starts a command that will be read line by line.
    ///
    /// # Errors
    /// When no channel can be opened.
    pub fn start(&self, command: &str) -> Result<Command, HostError> {
        self.ssh.set_timeout(milliseconds(CONNECT));
        let mut channel = self.ssh.channel_session().map_err(HostError::ssh(format!(
            "open a channel to {}",
            self.address
        )))?;
        channel
            .exec(command)
            .map_err(HostError::ssh(format!("run a command on {}", self.address)))?;
        self.ssh.set_timeout(TICK_MS);
        Ok(Command {
            channel,
            pending: Vec::new(),
        })
    }

    /// Another handle of the same connection.
    pub(super) fn handle(&self) -> Self {
        Self {
            ssh: self.ssh.clone(),
            address: self.address,
        }
    }

    /// Opens a stream to a port of the host's own loopback.
    ///
    /// # Errors
    /// When nothing listens there, or forwarding is not allowed.
    pub(super) fn stream(&self, port: u16) -> Result<Channel, HostError> {
        self.ssh.set_timeout(milliseconds(CONNECT));
        let channel = self
            .ssh
            .channel_direct_tcpip("127.0.0.1", port, None)
            .map_err(HostError::ssh(format!(
                "reach port {port} on {} itself",
                self.address
            )));
        self.ssh.set_timeout(TICK_MS);
        channel
    }
}

impl Command {
    /// The next line, or `None` at the end; a line without an end is given too.
    ///
    /// # Errors
    /// When the connection breaks, or nothing comes for longer than `limit`.
    pub fn line(&mut self, limit: Duration) -> Result<Option<String>, HostError> {
        let deadline = Instant::now() + limit;
        let mut buffer = [0_u8; 8192];
        loop {
            if let Some(end) = self.pending.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.pending.drain(..=end).collect();
                return Ok(Some(String::from_utf8_lossy(&line).trim_end().to_owned()));
            }
            match self.channel.read(&mut buffer) {
                Ok(0) if self.channel.eof() => return Ok(self.rest()),
                Ok(length) => self
                    .pending
                    .extend_from_slice(buffer.get(..length).unwrap_or_default()),
                Err(error) if is_tick(&error) => {}
                Err(source) => return Err(broken("reading a script's progress")(source)),
            }
            if Instant::now() > deadline {
                return Err(HostError::TimedOut {
                    doing: "waiting for a script".to_owned(),
                    seconds: limit.as_secs(),
                });
            }
        }
    }

    fn rest(&mut self) -> Option<String> {
        let rest = std::mem::take(&mut self.pending);
        (!rest.is_empty()).then(|| String::from_utf8_lossy(&rest).trim_end().to_owned())
    }

    /// Writes a stream to a command's standard input, telling of each part sent.
    ///
    /// # Errors
    /// When the stream cannot be read, or the command reads no more: what it said tells why.
    pub fn feed(
        &mut self,
        source: &mut dyn Read,
        sent: &mut dyn FnMut(usize),
    ) -> Result<(), HostError> {
        let mut buffer = vec![0_u8; 1 << 17];
        loop {
            let length = source.read(&mut buffer).map_err(|source| HostError::Read {
                what: "what is to be sent".to_owned(),
                source,
            })?;
            if length == 0 {
                return Ok(());
            }
            write_all(&mut self.channel, buffer.get(..length).unwrap_or_default())
                .map_err(broken("sending"))?;
            sent(length);
        }
    }

    /// Answers a command that asks.
    ///
    /// # Errors
    /// When the connection is broken.
    pub fn answer(&mut self, text: &str) -> Result<(), HostError> {
        write_all(&mut self.channel, format!("{text}\n").as_bytes())
            .map_err(broken("answering a script"))
    }

    /// Reads everything to the end.
    ///
    /// # Errors
    /// When the connection breaks or the end takes longer than `limit`.
    pub fn finish(mut self, doing: &str, limit: Duration) -> Result<Output, HostError> {
        let deadline = Instant::now() + limit;
        let (mut stdout, mut stderr) = (self.pending, Vec::new());
        let mut buffer = vec![0_u8; 1 << 15];
        while !self.channel.eof() {
            for (id, sink) in [(0, &mut stdout), (1, &mut stderr)] {
                match self.channel.stream(id).read(&mut buffer) {
                    Ok(length) => sink.extend_from_slice(buffer.get(..length).unwrap_or_default()),
                    Err(error) if is_tick(&error) => {}
                    Err(source) => return Err(broken(doing)(source)),
                }
            }
            if Instant::now() > deadline {
                return Err(HostError::TimedOut {
                    doing: short(doing),
                    seconds: limit.as_secs(),
                });
            }
        }
        self.channel
            .wait_close()
            .map_err(HostError::ssh("wait for the end of a command"))?;
        let signal = self
            .channel
            .exit_signal()
            .ok()
            .and_then(|signal| signal.exit_signal);
        let status = self
            .channel
            .exit_status()
            .map_err(HostError::ssh("read an exit status"))?;
        Ok(Output {
            status: if signal.is_some() { 255 } else { status },
            stdout: String::from_utf8_lossy(&stdout).into_owned(),
            stderr: String::from_utf8_lossy(&stderr).into_owned(),
        })
    }
}

/// The kinds of key to ask a host for, so that the one in `known_hosts` is shown.
fn preference(types: &[String]) -> String {
    let mut wanted: Vec<&str> = Vec::new();
    for kind in types {
        match kind.as_str() {
            "ssh-rsa" => wanted.extend(["rsa-sha2-512", "rsa-sha2-256", "ssh-rsa"]),
            other => wanted.push(other),
        }
    }
    wanted.join(",")
}

fn check_key(
    ssh: &ssh2::Session,
    address: SocketAddr,
    known: &KnownHosts,
) -> Result<(), HostError> {
    let (key, _) = ssh.host_key().unwrap_or((&[], ssh2::HostKeyType::Unknown));
    let file = known.file.clone();
    if known.is_revoked(key) {
        return Err(HostError::KeyRevoked {
            address: address.to_string(),
            file,
        });
    }
    let mut hosts = ssh
        .known_hosts()
        .map_err(HostError::ssh("read known_hosts"))?;
    for line in &known.lines {
        hosts
            .read_str(line, KnownHostFileKind::OpenSSH)
            .map_err(HostError::ssh(format!(
                "read the line `{line}` of {}",
                file.display()
            )))?;
    }
    let host = address.ip().to_string();
    let shown = fingerprint(ssh);
    match hosts.check_port(&host, address.port(), key) {
        CheckResult::Match => Ok(()),
        CheckResult::Mismatch => Err(HostError::KeyChanged {
            address: address.to_string(),
            known: known.key_types(&host, address.port()).join(", "),
            shown,
            file,
        }),
        CheckResult::NotFound | CheckResult::Failure => Err(HostError::KeyUnknown {
            address: address.to_string(),
            host,
            port: address.port(),
            shown,
            file,
        }),
    }
}

/// A key's fingerprint as `ssh-keygen -l` prints it.
fn fingerprint(ssh: &ssh2::Session) -> String {
    let hash = match ssh.host_key_hash(HashType::Sha256) {
        Some(hash) => hash.to_vec(),
        None => Sha256::digest(ssh.host_key().map_or(&[][..], |(key, _)| key)).to_vec(),
    };
    format!("SHA256:{}", STANDARD_NO_PAD.encode(hash))
}

fn log_in(
    ssh: &ssh2::Session,
    user: &str,
    address: SocketAddr,
    credentials: &Credentials,
) -> Result<(), HostError> {
    let (offered, outcome) = match &credentials.key {
        Some(key) => (
            key.display().to_string(),
            ssh.userauth_pubkey_file(user, None, key, None),
        ),
        None => (
            "those of ssh-agent; --key FILE names another".to_owned(),
            ssh.userauth_agent(user),
        ),
    };
    outcome.map_err(|error| HostError::Refused {
        user: user.to_owned(),
        address: address.to_string(),
        offered,
        reason: error.message().to_owned(),
    })
}

/// Writes all of it, however long the other side keeps its window shut.
pub(super) fn write_all(channel: &mut Channel, mut bytes: &[u8]) -> io::Result<()> {
    let mut deadline = Instant::now() + STALLED;
    while !bytes.is_empty() {
        match channel.write(bytes) {
            Ok(written) => {
                bytes = bytes.get(written..).unwrap_or_default();
                deadline = Instant::now() + STALLED;
            }
            Err(error) if is_tick(&error) && !channel.eof() && Instant::now() < deadline => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A blocking call that ran out of its tick is no error.
fn is_tick(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock
    )
}

fn broken(doing: &str) -> impl FnOnce(io::Error) -> HostError {
    let doing = short(doing);
    move |source| HostError::Broken { doing, source }
}

/// The first words of a command: whole ones do not fit into a message.
fn short(command: &str) -> String {
    let line = command.lines().next().unwrap_or_default();
    if line.chars().count() <= 60 {
        line.to_owned()
    } else {
        line.chars().take(59).chain(['…']).collect()
    }
}

fn milliseconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}
