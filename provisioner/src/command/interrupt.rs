//! What Ctrl-C means.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::command::Error;
use crate::progress::complain;

/// The first Ctrl-C asks for an orderly end, and says what that means; the second ends at once.
pub(super) fn stop_on_interrupt(meaning: &'static str) -> Result<Arc<AtomicBool>, Error> {
    let stop = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&stop);
    ctrlc::set_handler(move || {
        if asked.swap(true, Ordering::Relaxed) {
            complain("stopped at once: hosts put back what was not kept, and the next run goes on");
            #[expect(
                clippy::disallowed_methods,
                reason = "a second Ctrl-C must not wait for anything"
            )]
            std::process::exit(130);
        }
        complain(&format!("{meaning}; Ctrl-C again stops at once"));
    })?;
    Ok(stop)
}
