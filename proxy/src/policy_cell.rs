//! What is in force, behind one pointer: the policy, and what the files say besides.
//!
//! Files and decisions change independently of each other, and a version must not mean two policies. So other files are
//! only staged here: whoever first sees decisions under a newer version makes the one snapshot of that version.

use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use pinfold_policy::decisions::Decisions;
use pinfold_policy::policy::{Policy, Rulebook};
use tokio::sync::watch;

use crate::live::Live;

/// What holds for one exchange, from its beginning to its end.
pub(crate) struct Snapshot {
    policy: Policy,
    pub(crate) live: Arc<Live>,
    /// The first version under which these files held.
    since: u64,
}

impl Snapshot {
    fn new(live: &Arc<Live>, decisions: Arc<Decisions>) -> Self {
        let since = decisions.version();
        Self { policy: Policy::new(Arc::clone(&live.rules), decisions), live: Arc::clone(live), since }
    }

    /// The same under newer decisions, and with the files that are staged by now.
    fn followed_by(&self, staged: &Arc<Live>, decisions: Arc<Decisions>) -> Self {
        if self.holds(staged) {
            let policy = self.policy.with(decisions);
            return Self { policy, live: Arc::clone(staged), since: self.since };
        }
        Self::new(staged, decisions)
    }

    /// The same under rules that are in no file.
    pub(crate) fn under_other_rules(&self, rules: &Arc<Rulebook>, decisions: Arc<Decisions>) -> Self {
        let policy = Policy::new(Arc::clone(rules), decisions);
        Self { policy, live: Arc::clone(&self.live), since: self.since }
    }

    fn holds(&self, files: &Arc<Live>) -> bool {
        Arc::ptr_eq(&self.live, files)
    }
}

impl Deref for Snapshot {
    type Target = Policy;

    fn deref(&self) -> &Policy {
        &self.policy
    }
}

/// The newest snapshot, and what the next one is made of.
pub(crate) struct PolicyCell {
    current: ArcSwap<Snapshot>,
    staged: Mutex<Arc<Live>>,
    decisions: watch::Receiver<Arc<Decisions>>,
}

impl PolicyCell {
    pub(crate) fn new(live: Live, decisions: watch::Receiver<Arc<Decisions>>) -> Self {
        let live = Arc::new(live);
        let first = Snapshot::new(&live, Arc::clone(&decisions.borrow()));
        Self { current: ArcSwap::from_pointee(first), staged: Mutex::new(live), decisions }
    }

    /// The newest snapshot. An exchange takes it once and keeps it to its end.
    pub(crate) fn newest(&self) -> Arc<Snapshot> {
        let current = self.current.load_full();
        if self.decisions.borrow().version() == current.version() {
            return current;
        }
        // One at a time: of one version there is one snapshot.
        let staged = self.staged();
        let current = self.current.load_full();
        let decisions = Arc::clone(&self.decisions.borrow());
        if decisions.version() == current.version() {
            return current;
        }
        let newer = Arc::new(current.followed_by(&staged, decisions));
        self.current.store(Arc::clone(&newer));
        newer
    }

    /// Tells of each new snapshot.
    pub(crate) fn changes(&self) -> watch::Receiver<Arc<Decisions>> {
        self.decisions.clone()
    }

    /// From the next version on, these files hold.
    pub(crate) fn stage(&self, files: Arc<Live>) {
        *self.staged() = files;
    }

    /// The first version under which `files` hold; none while they do not.
    pub(crate) fn since(&self, files: &Arc<Live>) -> Option<u64> {
        let newest = self.newest();
        newest.holds(files).then_some(newest.since)
    }

    /// No version was to be had: the files in force stay, unless somebody's decision has brought the staged ones into
    /// force meanwhile.
    pub(crate) fn unstage(&self) {
        let mut staged = self.staged();
        *staged = Arc::clone(&self.current.load().live);
    }

    fn staged(&self) -> MutexGuard<'_, Arc<Live>> {
        self.staged.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::time::{Duration, SystemTime};

    use pinfold_certs::{CaOptions, CertificateAuthority};
    use pinfold_policy::decisions::Revocations;
    use pinfold_policy::redact::Redaction;

    use super::*;
    use crate::clock::Clock;
    use crate::fetch::Upstream;
    use crate::hold::Spill;
    use crate::intercept::Interceptor;
    use crate::settings::{Egress, Limits, Settings};

    const MINUTE: Duration = Duration::from_secs(60);

    fn settings() -> Settings {
        let limits = Limits {
            max_body: 1 << 20,
            max_installer: 1 << 20,
            memory_body: 1 << 20,
            held_memory: 1 << 20,
            held_disk: 1 << 20,
            max_hold: MINUTE,
            patience: MINUTE,
            max_ratio: 200,
            header_timeout: MINUTE,
            upstream_timeout: MINUTE,
            idle_timeout: MINUTE,
            max_connections: 1,
        };
        Settings {
            listen: Vec::new(),
            clients: Vec::new(),
            users: None,
            egress: Egress::default(),
            redaction: Redaction::default(),
            extra_roots: Vec::new(),
            limits,
            shelf_memory: 1 << 20,
            client_max_age: MINUTE,
            clock: Clock::system(),
        }
    }

    fn first() -> Live {
        let spill: Spill = Arc::new(|| Err(io::Error::other("no disk")));
        let upstream = Upstream::new(&settings(), Vec::new(), spill).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let options = CaOptions {
            own_hosts: Vec::new(),
            vendor_hosts: Vec::new(),
            name_constraints: true,
            leaf_lifetime: MINUTE,
            root_key: None,
        };
        let ca = CertificateAuthority::open(&dir.path().join("ca"), &options, SystemTime::now()).unwrap().ca;
        let interceptor = Interceptor::new(Arc::new(ca), MINUTE).unwrap();
        Live::new(&settings(), Arc::new(Rulebook::default()), upstream, interceptor).unwrap()
    }

    fn files(cell: &PolicyCell) -> Arc<Live> {
        Arc::new(cell.newest().live.followed_by(&settings(), Arc::default(), None).unwrap())
    }

    fn decisions(version: u64) -> Arc<Decisions> {
        Arc::new(Decisions::new(version, [], [], Revocations::default(), []))
    }

    #[test]
    fn other_files_hold_from_a_version_on_that_no_others_had() {
        let (publish, subscribed) = watch::channel(decisions(3));
        let cell = PolicyCell::new(first(), subscribed);
        let before = cell.newest();

        let second = files(&cell);
        cell.stage(Arc::clone(&second));
        assert!(Arc::ptr_eq(&cell.newest(), &before));
        assert_eq!(cell.since(&second), None);

        publish.send_replace(decisions(4));
        let newest = cell.newest();
        assert_eq!((newest.version(), cell.since(&second)), (4, Some(4)));
        assert!(newest.holds(&second));
        // Decisions that follow change nothing about the files.
        publish.send_replace(decisions(7));
        assert_eq!((cell.newest().version(), cell.since(&second)), (7, Some(4)));
        // Whoever began before goes on with what was then.
        assert!(before.version() == 3 && !before.holds(&second));
    }

    #[test]
    fn files_without_a_number_never_hold_unless_a_decision_brought_one() {
        let (publish, subscribed) = watch::channel(decisions(3));
        let cell = PolicyCell::new(first(), subscribed);
        let dropped = files(&cell);
        cell.stage(Arc::clone(&dropped));
        cell.unstage();
        publish.send_replace(decisions(4));
        assert_eq!((cell.newest().version(), cell.since(&dropped)), (4, None));

        let kept = files(&cell);
        cell.stage(Arc::clone(&kept));
        publish.send_replace(decisions(5));
        assert_eq!(cell.newest().version(), 5);
        cell.unstage();
        publish.send_replace(decisions(6));
        assert_eq!((cell.newest().version(), cell.since(&kept)), (6, Some(5)));
    }

    #[test]
    fn of_one_version_there_is_one_snapshot_whoever_asks() {
        let (publish, subscribed) = watch::channel(decisions(0));
        let cell = PolicyCell::new(first(), subscribed);
        for version in 1..50 {
            let files = files(&cell);
            let snapshots: Vec<_> = std::thread::scope(|scope| {
                let asking: Vec<_> = (0..4).map(|_| scope.spawn(|| [cell.newest(), cell.newest()])).collect();
                cell.stage(files);
                publish.send_replace(decisions(version));
                asking.into_iter().flat_map(|asking| asking.join().unwrap()).collect()
            });
            let newest = cell.newest();
            for snapshot in snapshots.iter().filter(|snapshot| snapshot.version() == version) {
                assert!(Arc::ptr_eq(snapshot, &newest));
            }
        }
    }
}
