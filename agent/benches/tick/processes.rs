//! Real processes, as Nomad's drivers start them.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A task's processes: an executor outside its group, and what it started.
pub(crate) struct Processes {
    executor: Child,
    /// The main process, and its child.
    pub(crate) own: Vec<i32>,
}

impl Processes {
    /// They live until this is dropped.
    pub(crate) fn start() -> Self {
        // The last command keeps the shell from becoming the one before it.
        let script = "exec 3<&0; sh -c 'cat; :' <&3 & wait; :";
        let executor = Command::new("sh")
            .args(["-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let pid = i32::try_from(executor.id()).unwrap();
        let main = child_of(pid);
        Self {
            executor,
            own: vec![main, child_of(main)],
        }
    }

    pub(crate) fn list(&self) -> String {
        self.own.iter().map(|pid| pid.to_string() + "\n").collect()
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        drop(self.executor.stdin.take());
        let _ = self.executor.wait();
    }
}

fn child_of(pid: i32) -> i32 {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let text = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        if let Some(child) = text.ok().and_then(|text| text.trim().parse().ok()) {
            return child;
        }
        assert!(Instant::now() < deadline, "{pid} starts nothing");
        std::thread::sleep(Duration::from_millis(1));
    }
}
