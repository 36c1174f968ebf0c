//! How much memory the agent itself holds: it ends in order before the system kills it.
//!
//! A driver's library can take any amount, and a client of it that is killed can leave a GPU
//! locked. Systemd starts the agent anew, and the ledger goes on where it was.

/// With more than this, in KiB, the agent ends: half of what its unit may have.
const MOST_KIB: u64 = 128 << 10;
/// How often it is looked at, in µs.
const LOOK_US: i64 = 60_000_000;
/// How long it runs at least, in µs: one that always takes more shall not start all the time.
const LEAST_RUN_US: i64 = 600_000_000;

/// When to look, and whether it is too much.
#[derive(Debug)]
pub struct Guard {
    next_us: i64,
}

impl Guard {
    /// A guard that begins now, on the boot clock.
    pub fn new(now_us: i64) -> Self {
        Self {
            next_us: now_us.saturating_add(LEAST_RUN_US),
        }
    }

    /// How many KiB are held, when that is too much. `resident_kib` is asked once a minute.
    pub fn is_over(
        &mut self,
        now_us: i64,
        resident_kib: impl FnOnce() -> Option<u64>,
    ) -> Option<u64> {
        if now_us < self.next_us {
            return None;
        }
        self.next_us = now_us.saturating_add(LOOK_US);
        resident_kib().filter(|&kib| kib > MOST_KIB)
    }
}

/// What this process holds in memory, in KiB, as the kernel says.
pub fn resident_kib() -> Option<u64> {
    resident_in(&std::fs::read_to_string("/proc/self/status").ok()?)
}

/// The line `VmRSS:   12345 kB`, whose kB are KiB (proc(5)).
fn resident_in(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_asked_once_a_minute_after_ten() {
        let mut guard = Guard::new(5);
        let asked = |guard: &mut Guard, at_us, kib| {
            let mut asked = false;
            let over = guard.is_over(at_us, || {
                asked = true;
                kib
            });
            (asked, over)
        };
        let much = Some(MOST_KIB + 1);
        assert_eq!(asked(&mut guard, LEAST_RUN_US, much), (false, None));
        let first_us = LEAST_RUN_US + 5;
        assert_eq!(asked(&mut guard, first_us, Some(MOST_KIB)), (true, None));
        assert_eq!(
            asked(&mut guard, first_us + 59_999_999, much),
            (false, None)
        );
        assert_eq!(asked(&mut guard, first_us + 60_000_000, None), (true, None));
        assert_eq!(
            asked(&mut guard, first_us + 120_000_000, much),
            (true, much)
        );
    }

    #[test]
    fn the_kernel_says_how_much_it_is() {
        let status = "Name:\tx\nVmPeak:\t  900 kB\nVmRSS:\t   14212 kB\nRssAnon:\t 1 kB\n";
        assert_eq!(resident_in(status), Some(14_212));
        assert_eq!(resident_in("Name:\tx\n"), None);
        assert!(resident_kib().is_some_and(|kib| kib > 100));
    }
}
