//! Waiting until something begins or ends.
//!
//! An inotify descriptor tells of groups that appear, vanish, or are given a
//! process, and a descriptor of the main process of each group becomes readable
//! when the process ends, and its last use can still be read. The kernel watches
//! all of them by one epoll, so that a wait costs the same for any number.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::cgroup::{TaskKey, process, tree};

/// How often a group that is expected to get its first process is looked at.
const CLOSE_LOOK: Duration = Duration::from_millis(2);
/// And for how long after it appeared or was written to.
const FRESH: Duration = Duration::from_secs(3);
/// And for how long after it got one: Nomad's executor goes in first, starts the task, and leaves.
const SETTLE: Duration = Duration::from_millis(200);
/// How often parents that are not there are looked for, and everything where inotify does not tell.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// How often everything is looked at where inotify tells of all that comes and goes: it should never find anything.
const LOOK_OVER: Duration = Duration::from_secs(30);
/// The most descriptors of processes that are held; the unit allows 4096 in all.
const HELD: usize = 2048;
/// inotify among the descriptors that are waited for; the others have the number of their process.
const NOTICED: EventData = EventData::new_u64(u64::MAX);
/// How many descriptors may be told of at once; others are at the next wait.
const EVENTS: usize = 64;
/// The most groups that are watched one by one.
const WATCHED: usize = 4096;
/// The most tasks whose groups came and went that wait to be told of.
const GLIMPSED: usize = 16_384;

/// A folder whose children are groups.
pub(super) struct Place {
    pub(super) folder: PathBuf,
    /// By name, whether a child is one of ours.
    pub(super) is_group: fn(&str) -> bool,
}

/// What is held of a group.
#[derive(Debug)]
struct Group {
    watches: Vec<i32>,
    /// Whether inotify tells of its first process.
    is_watched: bool,
    /// Until when a first process is expected any moment.
    fresh_until: Option<Instant>,
    /// The processes whose end is waited for: the main one, and for a start the one beside it.
    mains: BTreeSet<i32>,
    /// Whether those were still in the group when its start was over: Nomad's executor has left by then.
    has_settled: bool,
    /// Those that have ended and are still listed: they are not waited for twice.
    ended: BTreeSet<i32>,
}

impl Group {
    fn is_fresh(&self, now: Instant) -> bool {
        self.fresh_until.is_some_and(|until| now < until)
    }
}

pub(super) struct Watch {
    proc: PathBuf,
    places: Vec<Place>,
    /// Over all descriptors that are waited for. Without it there is no inotify either.
    epoll: Option<OwnedFd>,
    inotify: Option<OwnedFd>,
    parents: BTreeMap<PathBuf, i32>,
    groups: BTreeMap<PathBuf, Group>,
    held: BTreeMap<i32, OwnedFd>,
    /// When everything was looked at: what is there at the first look is no news.
    looked: Option<Instant>,
    /// A main process has ended since: another one of its group may be waited for now.
    ended: bool,
    /// The tasks whose groups have appeared, though they may be gone again by now.
    glimpsed: BTreeSet<TaskKey>,
}

impl Watch {
    pub(super) fn new(proc: &Path, places: Vec<Place>) -> Self {
        let flags = CreateFlags::NONBLOCK | CreateFlags::CLOEXEC;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).ok();
        let heard = |fd: &OwnedFd| add(epoll.as_ref(), fd, NOTICED);
        Self {
            proc: proc.to_owned(),
            places,
            inotify: inotify::init(flags).ok().filter(heard),
            epoll,
            parents: BTreeMap::new(),
            groups: BTreeMap::new(),
            held: BTreeMap::new(),
            looked: None,
            ended: false,
            glimpsed: BTreeSet::new(),
        }
    }

    /// The tasks whose groups have appeared since the last time, though they may be gone again.
    pub(super) fn glimpsed(&mut self) -> BTreeSet<TaskKey> {
        std::mem::take(&mut self.glimpsed)
    }

    /// Whether a process is in a group: known by the descriptor of its main process, or by `list`.
    ///
    /// To list the processes costs the kernel more than all else that is read of a group. One that
    /// has ended after the last wait is still taken for alive: its descriptor ends the next wait at once.
    pub(super) fn lives(&mut self, path: &Path, list: impl FnOnce() -> Vec<i32>) -> bool {
        let group = self.groups.get_mut(path);
        let settled = |group: &&mut Group| group.has_settled && !group.mains.is_empty();
        if group.as_ref().is_some_and(settled) {
            return true;
        }
        let pids = list();
        if let Some(group) = group
            && !group.is_fresh(Instant::now())
        {
            group.mains.retain(|pid| pids.contains(pid));
            group.has_settled = !group.mains.is_empty();
        }
        !pids.is_empty()
    }

    /// Waits until something begins or ends, at most `limit`.
    pub(super) fn wait(&mut self, limit: Duration) {
        let begun = Instant::now();
        let deadline = begun + limit;
        // What changed since the last time is news, too: inotify has kept it.
        let first = self.looked.is_none();
        let mut news = self.is_look_due(begun) && self.look() && !first;
        while !news {
            let now = Instant::now();
            let left = deadline.saturating_duration_since(now);
            if left.is_zero() {
                return;
            }
            let ready = self.poll(left.min(self.pause(now)));
            if ready.ended {
                return;
            }
            news = if ready.noticed {
                self.hear();
                self.look() || !self.glimpsed.is_empty()
            } else if self.has_parent_come() && !self.is_fresh(Instant::now()) {
                self.look()
            } else {
                self.look_close()
            };
        }
    }

    /// Whether everything is to be looked at though inotify has not said anything yet.
    fn is_look_due(&self, now: Instant) -> bool {
        let old = |looked| now.duration_since(looked) >= LOOK_OVER;
        self.looked.is_none_or(old) || self.ended || !self.hears_all() || self.has_parent_come()
    }

    /// Whether inotify tells of every group, and of every first process in one.
    fn hears_all(&self) -> bool {
        self.parents.values().all(|&wd| wd >= 0)
            && self.groups.values().all(|group| group.is_watched)
    }

    fn pause(&self, now: Instant) -> Duration {
        if self.is_fresh(now) {
            CLOSE_LOOK
        } else if self.inotify.is_none() || self.some_parent_is_missing() {
            LOOK_AGAIN
        } else {
            Duration::MAX
        }
    }

    fn is_fresh(&self, now: Instant) -> bool {
        let mut groups = self.groups.values();
        groups.any(|group| group.is_fresh(now))
    }

    fn some_parent_is_missing(&self) -> bool {
        self.parents.len() < self.places.len()
    }

    /// Whether a folder is there now that was missing.
    fn has_parent_come(&self) -> bool {
        let mut places = self.places.iter();
        places.any(|place| !self.parents.contains_key(&place.folder) && place.folder.is_dir())
    }

    fn poll(&mut self, limit: Duration) -> Ready {
        let limit = Timespec {
            tv_sec: i64::try_from(limit.as_secs())
                .unwrap_or(i64::MAX)
                .min(86_400),
            tv_nsec: i64::from(limit.subsec_nanos()),
        };
        let epoll = self.epoll.as_ref();
        let mut fds: Vec<PollFd> = epoll
            .map(|fd| PollFd::new(fd, PollFlags::IN))
            .into_iter()
            .collect();
        // epoll itself would wait for whole milliseconds. A signal, too, ends the wait:
        // whoever waits has something to look at.
        let interrupted = poll(&mut fds, Some(&limit)).is_err();
        let mut events = Vec::with_capacity(EVENTS);
        if let Some(epoll) = epoll {
            let at_once = Timespec::default();
            let _ = epoll::wait(epoll, spare_capacity(&mut events), Some(&at_once));
        }
        let mut ready = Ready {
            ended: interrupted,
            noticed: false,
        };
        for event in events {
            let data = event.data;
            match i32::try_from(data.u64()) {
                Ok(pid) => {
                    self.end(pid);
                    ready.ended = true;
                }
                Err(_) => ready.noticed = true,
            }
        }
        ready
    }

    fn end(&mut self, pid: i32) {
        self.held.remove(&pid);
        self.ended = true;
        for group in self.groups.values_mut() {
            if group.mains.remove(&pid) {
                group.ended.insert(pid);
            }
        }
    }

    /// Takes what inotify has to say: a group that was written to is about to get a process.
    fn hear(&mut self) {
        let Some(fd) = &self.inotify else {
            return;
        };
        let mut buffer = [MaybeUninit::uninit(); 8192];
        let mut reader = inotify::Reader::new(fd, &mut buffer);
        let (mut written, mut ended) = (BTreeSet::new(), BTreeSet::new());
        while let Ok(event) = reader.next() {
            if event.events().contains(ReadFlags::CREATE)
                && self.glimpsed.len() < GLIMPSED
                && let Some(Ok(name)) = event.file_name().map(CStr::to_str)
            {
                let scope = name.strip_suffix(".scope").unwrap_or(name);
                self.glimpsed.extend(tree::task_of(scope));
            }
            if event.events().contains(ReadFlags::MODIFY) {
                written.insert(event.wd());
            }
            if event.events().contains(ReadFlags::IGNORED) {
                ended.insert(event.wd());
            }
        }
        // A folder that is there again has to be watched anew.
        self.parents.retain(|_, wd| !ended.contains(wd));
        let until = Instant::now() + FRESH;
        let groups = self.groups.values_mut();
        for group in groups.filter(|g| g.watches.iter().any(|wd| written.contains(wd))) {
            if group.mains.is_empty() {
                group.fresh_until = Some(until);
            }
        }
    }

    /// Looks at everything; true when a group came or went, or a process was found.
    fn look(&mut self) -> bool {
        let now = Instant::now();
        let first = self.looked.replace(now).is_none();
        self.ended = false;
        let mut there = BTreeSet::new();
        let mut news = false;
        for place in &self.places {
            if !place.folder.is_dir() {
                news |= self.parents.remove(&place.folder).is_some();
                continue;
            }
            if let Some(fd) = &self.inotify
                && !self.parents.contains_key(&place.folder)
            {
                let flags = WatchFlags::CREATE | WatchFlags::DELETE | WatchFlags::ONLYDIR;
                let wd = inotify::add_watch(fd, &place.folder, flags).unwrap_or(-1);
                self.parents.insert(place.folder.clone(), wd);
                news = true;
            }
            let names = tree::children(&place.folder);
            let ours = names.iter().filter(|child| (place.is_group)(&child.name));
            there.extend(ours.map(|child| place.folder.join(&child.name)));
        }
        let gone = self.groups.keys().filter(|path| !there.contains(*path));
        for path in gone.cloned().collect::<Vec<_>>() {
            self.forget(&path);
            news = true;
        }
        for path in there {
            if !self.groups.contains_key(&path) && self.groups.len() < WATCHED {
                // One that was there before we were is not about to get its first process.
                let fresh_until = (!first).then_some(now + FRESH);
                let group = self.group(&path, fresh_until);
                self.groups.insert(path, group);
                news = true;
            }
        }
        self.find_processes(|_| true) || news
    }

    /// Looks at those groups only that are about to get a process.
    fn look_close(&mut self) -> bool {
        let now = Instant::now();
        self.find_processes(|group| group.is_fresh(now))
    }

    fn group(&self, path: &Path, fresh_until: Option<Instant>) -> Group {
        let watch = |path: &Path, flags| {
            let fd = self.inotify.as_ref()?;
            inotify::add_watch(fd, path, flags).ok()
        };
        let events = path.join("cgroup.events");
        let written = watch(path, WatchFlags::MODIFY | WatchFlags::ONLYDIR);
        let told = watch(&events, WatchFlags::MODIFY);
        Group {
            // Version 1 tells of nothing but writes.
            is_watched: written.is_some() && (told.is_some() || !events.exists()),
            watches: [written, told].into_iter().flatten().collect(),
            fresh_until,
            mains: BTreeSet::new(),
            has_settled: false,
            ended: BTreeSet::new(),
        }
    }

    /// Takes a descriptor of the main process of each such group that has none; true when one was taken.
    fn find_processes(&mut self, which: impl Fn(&Group) -> bool) -> bool {
        let now = Instant::now();
        let mut found = false;
        for (path, group) in &mut self.groups {
            let fresh = group.is_fresh(now);
            if !which(group) || (!group.mains.is_empty() && !fresh) {
                continue;
            }
            let pids = tree::processes(path);
            group.ended.retain(|pid| pids.contains(pid));
            group.mains.retain(|pid| pids.contains(pid));
            for pid in foremost(&self.proc, &pids) {
                let enough = if fresh { 2 } else { 1 };
                if group.mains.len() >= enough || group.ended.contains(&pid) {
                    continue;
                }
                if !hold(self.epoll.as_ref(), &mut self.held, pid) {
                    group.ended.insert(pid);
                } else if group.mains.insert(pid) {
                    if group.mains.len() == 1 {
                        group.fresh_until = Some(now + SETTLE);
                    }
                    found = true;
                }
            }
        }
        self.release();
        found
    }

    /// Lets go of processes which no group waits for any more.
    fn release(&mut self) {
        let wanted: BTreeSet<i32> = self
            .groups
            .values()
            .flat_map(|g| &g.mains)
            .copied()
            .collect();
        self.held.retain(|pid, _| wanted.contains(pid));
    }

    fn forget(&mut self, path: &Path) {
        let Some(group) = self.groups.remove(path) else {
            return;
        };
        // The kernel takes watches away together with what they watch, but not when only a name went.
        if let Some(fd) = &self.inotify {
            for wd in group.watches {
                let _ = inotify::remove_watch(fd, wd);
            }
        }
        self.release();
    }
}

/// The process of a group that nobody in it started, then the others in their order.
fn foremost(proc: &Path, pids: &[i32]) -> Vec<i32> {
    let outside = |pid: &&i32| process::parent(proc, **pid).is_some_and(|up| !pids.contains(&up));
    let root = pids.iter().find(outside).copied();
    let others = pids.iter().copied().filter(|&pid| Some(pid) != root);
    root.into_iter().chain(others).collect()
}

/// Holds a descriptor of a process; false when it has ended, or too many are held.
fn hold(epoll: Option<&OwnedFd>, held: &mut BTreeMap<i32, OwnedFd>, pid: i32) -> bool {
    if held.contains_key(&pid) {
        return true;
    }
    let data = EventData::new_u64(u64::from(pid.unsigned_abs()));
    let opened = Pid::from_raw(pid).map(|pid| pidfd_open(pid, PidfdFlags::empty()));
    match opened {
        Some(Ok(fd)) if held.len() < HELD && add(epoll, &fd, data) => {
            held.insert(pid, fd);
            true
        }
        _ => false,
    }
}

/// Waits for a descriptor from now on, until it is closed.
fn add(epoll: Option<&OwnedFd>, fd: &OwnedFd, data: EventData) -> bool {
    epoll.is_some_and(|epoll| epoll::add(epoll, fd, data, EventFlags::IN).is_ok())
}

/// What a poll found.
struct Ready {
    /// A main process has ended.
    ended: bool,
    /// inotify has something to say.
    noticed: bool,
}
