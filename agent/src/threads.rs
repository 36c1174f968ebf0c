//! The agent's threads: few, small, and each with a name that `top -H` shows.

use std::io;
use std::thread::Builder;

/// How large a stack is, in bytes. What is not used costs nothing; a TLS handshake needs half of it unoptimised.
const STACK: usize = 1024 * 1024;

/// Starts a thread that ends with the program.
///
/// # Errors
/// When the system starts none.
pub fn start(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let builder = Builder::new().name(name.to_owned()).stack_size(STACK);
    builder.spawn(work).map(drop)
}
