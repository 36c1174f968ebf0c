//! The folder that ssmsend empties: one file a message, as its library `dirq` lays it out.
//!
//! `<8 hex digits>/<14 hex digits>`: the folder is a minute, the file a moment in µs and one more
//! digit. A message is written under another name, reaches the disk, and is then linked to its own:
//! there is never half of one. Names only grow, as ssmsend takes them in their order and the service
//! keeps what it receives last.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

/// How often another name is tried when something is in the way.
const TRIES: i64 = 1000;

/// Why a message could not be queued.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The system has refused.
    #[error("cannot {doing} `{path}`: make the folder writable for this program")]
    File {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Another program has the queue.
    #[error("`{0}` is held by another `publish`: wait until that one has ended")]
    Busy(PathBuf),
    /// There is no name left.
    #[error(
        "no name is free in `{0}` at this time: set the clock, and remove what is not a message"
    )]
    NoName(PathBuf),
}

/// The queue, held by this program alone until it is dropped.
#[derive(Debug)]
pub struct Queue {
    folder: PathBuf,
    digit: u8,
    last_us: i64,
    _lock: File,
}

fn failed<T>(doing: &'static str, path: &Path, result: io::Result<T>) -> Result<T, QueueError> {
    result.map_err(|source| QueueError::File {
        doing,
        path: path.to_owned(),
        source,
    })
}

impl Queue {
    /// Opens the queue, and makes its folder if need be. `digit`: any, the last of each name.
    ///
    /// # Errors
    /// When another program has it, or the folder is not writable.
    pub fn open(folder: &Path, digit: u8) -> Result<Self, QueueError> {
        failed("make", folder, fs::create_dir_all(folder))?;
        let path = folder.join(".atoll-accounting.lock");
        let options = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path);
        let lock = failed("open", &path, options)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(QueueError::Busy(folder.to_owned())),
            Err(fs::TryLockError::Error(source)) => return failed("lock", &path, Err(source)),
        }
        Ok(Self {
            last_us: failed("read", folder, latest_us(folder))?,
            folder: folder.to_owned(),
            digit: digit & 0xf,
            _lock: lock,
        })
    }

    /// Puts a message in, and gives its name: `<8 hex digits>/<14 hex digits>`. On return it is on
    /// the disk.
    ///
    /// # Errors
    /// When it cannot be written; then there is no such message.
    pub fn add(&mut self, text: &str, now_us: i64) -> Result<String, QueueError> {
        let first_us = now_us.max(self.last_us.saturating_add(1));
        for at_us in first_us..first_us.saturating_add(TRIES) {
            let name = Name::of(at_us, self.digit)
                .ok_or_else(|| QueueError::NoName(self.folder.clone()))?;
            if self.write(&name, text)? {
                self.last_us = at_us;
                return Ok(format!("{}/{}", name.folder, name.file));
            }
        }
        Err(QueueError::NoName(self.folder.clone()))
    }

    /// Writes the message, unless its name is taken or its folder was removed meanwhile.
    fn write(&self, name: &Name, text: &str) -> Result<bool, QueueError> {
        let folder = self.folder.join(&name.folder);
        match fs::create_dir(&folder) {
            Ok(()) => sync(&self.folder)?,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(source) => return failed("make", &folder, Err(source)),
        }
        let path = folder.join(&name.file);
        let draft = folder.join(format!("{}.tmp", name.file));
        let mut file = match OpenOptions::new().write(true).create_new(true).open(&draft) {
            Ok(file) => file,
            Err(error) if in_the_way(&error) => return Ok(false),
            Err(source) => return failed("make", &draft, Err(source)),
        };
        let written = file
            .write_all(text.as_bytes())
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::hard_link(&draft, &path));
        let removed = fs::remove_file(&draft);
        match written {
            Err(error) if in_the_way(&error) => return Ok(false),
            written => failed("write", &path, written)?,
        }
        failed("remove", &draft, removed)?;
        sync(&folder)?;
        Ok(true)
    }
}

/// Another message has the name, or ssmsend has just tidied the empty folder away.
fn in_the_way(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::NotFound)
}

fn sync(folder: &Path) -> Result<(), QueueError> {
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    failed("write", folder, synced)
}

/// The name of a message.
struct Name {
    folder: String,
    file: String,
}

impl Name {
    /// The name of a moment; none before 1970 or after 2106.
    fn of(us: i64, digit: u8) -> Option<Self> {
        let seconds = u32::try_from(us.div_euclid(1_000_000)).ok()?;
        let rest_us = us.rem_euclid(1_000_000);
        Some(Self {
            folder: format!("{:08x}", seconds - seconds % 60),
            file: format!("{seconds:08x}{rest_us:05x}{digit:x}"),
        })
    }
}

/// The latest moment that any name in the queue stands for, in µs since 1970.
fn latest_us(folder: &Path) -> io::Result<i64> {
    let Some(newest) = hex_names(folder, 8)?.into_iter().max() else {
        return Ok(0);
    };
    let seconds = i64::from_str_radix(&newest, 16).unwrap_or(0);
    let messages = match hex_names(&folder.join(&newest), 14) {
        Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
        names => names?,
    };
    let moments = messages.iter().filter_map(|name| {
        let seconds = i64::from_str_radix(name.get(..8)?, 16).ok()?;
        let us = i64::from_str_radix(name.get(8..13)?, 16).ok()?;
        Some(seconds * 1_000_000 + us)
    });
    Ok(moments.max().unwrap_or(0).max(seconds * 1_000_000))
}

/// The names in a folder that begin with so many hex digits, without what follows a dot.
fn hex_names(folder: &Path, length: usize) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let Some(name) = name.to_str() else {
            continue;
        };
        let stem = name.split('.').next().unwrap_or(name);
        let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if stem.len() == length && stem.bytes().all(hex) {
            names.push(stem.to_owned());
        }
    }
    Ok(names)
}
