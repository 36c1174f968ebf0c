//! The machine's clocks. Everybody else is handed a time.

use federation::usage::Moment;
use rustix::time::{ClockId, Timespec, clock_gettime};

/// How often both clocks are read for one moment; the tightest reading counts.
const TRIES: usize = 4;

/// Where a time comes from.
pub trait Clock: Send + Sync {
    /// Now, on both clocks.
    fn now(&self) -> Moment;
    /// The boot that boot-clock times belong to.
    fn boot_id(&self) -> &str;
    /// How far the wall clock is moved for a rehearsal, in µs: to be added to every time that another program tells.
    fn shift_us(&self) -> i64;
}

/// The machine's own clocks, with the wall clock moved for a rehearsal.
#[derive(Debug, Clone)]
pub struct SystemClock {
    boot_id: String,
    shift_us: i64,
}

impl SystemClock {
    /// The clocks of this boot, the wall clock moved by `offset_s` seconds.
    ///
    /// # Errors
    /// When the kernel does not tell its boot ID.
    pub fn new(offset_s: i64) -> std::io::Result<Self> {
        let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
        Ok(Self {
            boot_id: boot_id.trim().to_owned(),
            shift_us: offset_s.saturating_mul(1_000_000),
        })
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Moment {
        let mut best: Option<(i64, Moment)> = None;
        for _ in 0..TRIES {
            let before = micros(clock_gettime(ClockId::Boottime));
            let wall = micros(clock_gettime(ClockId::Realtime));
            let apart = micros(clock_gettime(ClockId::Boottime)) - before;
            let moment = Moment {
                boot_us: before + apart / 2,
                wall_us: wall.saturating_add(self.shift_us),
            };
            if best.is_none_or(|(least, _)| apart < least) {
                best = Some((apart, moment));
            }
            if apart <= 1 {
                break;
            }
        }
        best.map_or(
            Moment {
                boot_us: 0,
                wall_us: 0,
            },
            |(_, moment)| moment,
        )
    }

    fn boot_id(&self) -> &str {
        &self.boot_id
    }

    fn shift_us(&self) -> i64 {
        self.shift_us
    }
}

fn micros(time: Timespec) -> i64 {
    time.tv_sec * 1_000_000 + time.tv_nsec / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rehearsal_moves_the_wall_clock_only() {
        let clock = SystemClock::new(0).unwrap();
        let moved = SystemClock::new(86_400).unwrap();
        let (now, then) = (clock.now(), moved.now());
        assert_eq!(clock.boot_id().len(), 36);
        assert!((then.wall_us - now.wall_us - 86_400_000_000).abs() < 10_000_000);
        assert!((0..10_000_000).contains(&(then.boot_us - now.boot_us)));
        assert_eq!(moved.shift_us(), 86_400_000_000);
    }
}
