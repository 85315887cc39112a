//! Nodes of one ledger, a lock between them that can be held up at any step, and what was said of each size.

use super::*;

/// The servers, and the ledger on them.
pub(super) struct World {
    pub(super) peer: Peer,
    pub(super) database: Postgres,
    pub(super) first: TempDir,
    pub(super) id: LedgerId,
    pub(super) enrolled: AtomicU64,
    pub(super) holders: AtomicU64,
}

impl World {
    pub(super) async fn new() -> (Self, Ledger) {
        let (peer, database) = (Peer::single().await, Postgres::start());
        database.query("CREATE DATABASE locks");
        let mut world = Self {
            peer,
            database,
            first: tempfile::tempdir().unwrap(),
            id: LedgerId([0; 16]),
            enrolled: AtomicU64::new(0),
            holders: AtomicU64::new(0),
        };
        let options = world.options(world.first.path());
        let ledger = ledger::open::init(&options).await.unwrap();
        world.id = ledger.ring().ledger().unwrap();
        (world, ledger)
    }

    pub(super) fn options(&self, dir: &Path) -> Options {
        let mut options = Options::new(dir);
        let secret = |name: &str| KeySource::File(self.first.path().join("secrets").join(name));
        let keys = Options::new(self.first.path());
        (options.kek, options.signing_key) = (secret("kek"), keys.signing_key);
        options.checkpoint_key = keys.checkpoint_key;
        options.vault = Some(SharedVault::new(&self.database.address(), None, None).unwrap());
        options.store = StorePlace::Server {
            address: Address::parse(&self.peer.url()).unwrap(),
            credentials: None,
        };
        options
    }

    /// Another node of the ledger.
    pub(super) async fn join(&self, dir: &TempDir) -> Ledger {
        let options = self.options(dir.path());
        ledger::open::open(&options).await.unwrap().0
    }

    pub(super) fn lock(&self) -> SharedLock {
        let address = self.database.address();
        let address = address.strip_suffix("idledger").unwrap().to_owned() + "locks";
        let database = LockDatabase::new(&address, None, None).unwrap();
        let mut holder = [0; 16];
        let number = self.holders.fetch_add(1, Ordering::SeqCst);
        holder[..8].copy_from_slice(&number.to_be_bytes());
        database.lock(self.id, holder, PACE)
    }

    pub(super) fn checkpoint_key(&self) -> SigningKey {
        let options = Options::new(self.first.path());
        SigningKey::from_bytes(&options.checkpoint_key.load().unwrap().0)
    }

    pub(super) fn signer(&self) -> Signer {
        signer(self.id, self.checkpoint_key()).unwrap()
    }

    pub(super) fn log(&self, dir: &Path) -> Arc<TransparencyLog> {
        let key = self.signer().verifier().clone();
        Arc::new(TransparencyLog::open(Arc::new(RealDisk), &dir.join("tree"), key).unwrap())
    }

    /// Records something.
    pub(super) async fn append(&self, ledger: &Ledger) {
        let number = self.enrolled.fetch_add(1, Ordering::SeqCst);
        let token = Digest(*blake3::hash(&number.to_le_bytes()).as_bytes());
        let role = Role::Reader;
        let enrolled = ledger.enrol(role, None, Some(token), Vec::new(), None);
        enrolled.await.unwrap();
    }
}

/// Everything that was ever shown, by size: one text each.
#[derive(Default)]
pub(super) struct Said {
    pub(super) texts: Mutex<BTreeMap<u64, String>>,
    pub(super) contradictions: Mutex<Vec<(String, String)>>,
}

impl Said {
    pub(super) fn hear(&self, note: &Note) {
        let size = Checkpoint::parse(note.text()).unwrap().head.size;
        let mut texts = self.texts.lock();
        let first = texts.entry(size).or_insert_with(|| note.text().to_owned());
        if first != note.text() {
            let both = (first.clone(), note.text().to_owned());
            self.contradictions.lock().push(both);
        }
    }
}

/// When a sealer stops as it moves the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    Before,
    After,
}

/// The lock as a process has it that may be stopped between any two steps, or killed.
pub(super) struct Wild {
    pub(super) inner: SharedLock,
    pub(super) said: Arc<Said>,
    pub(super) paused: watch::Sender<bool>,
    pub(super) dead: AtomicBool,
    pub(super) hold: Mutex<Option<Hold>>,
    /// How often it moved the lock, and what it showed.
    pub(super) moved: AtomicU64,
    pub(super) shown: Mutex<Vec<u64>>,
}

impl Wild {
    pub(super) fn new(inner: SharedLock, said: Arc<Said>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            said,
            paused: watch::Sender::new(false),
            dead: AtomicBool::new(false),
            hold: Mutex::default(),
            moved: AtomicU64::new(0),
            shown: Mutex::default(),
        })
    }

    pub(super) fn moved(&self) -> u64 {
        self.moved.load(Ordering::SeqCst)
    }

    pub(super) fn pause(&self, paused: bool) {
        self.paused.send_replace(paused);
    }

    /// Goes on when the process runs; never, once it was killed.
    pub(super) async fn pass(&self) {
        let mut paused = self.paused.subscribe();
        paused.wait_for(|paused| !paused).await.unwrap();
        if self.dead.load(Ordering::SeqCst) {
            core::future::pending::<()>().await;
        }
    }

    pub(super) async fn hold(&self, at: Hold) {
        let now = self.hold.lock().take_if(|wanted| *wanted == at).is_some();
        if now {
            self.pause(true);
        }
        self.pass().await;
    }

    pub(super) async fn around<T>(&self, asked: impl Future<Output = T>) -> T {
        self.pass().await;
        let answer = asked.await;
        self.pass().await;
        answer
    }
}

impl CheckpointLock for Wild {
    fn load(&self) -> BoxFuture<'_, Result<Option<Locked>, SealError>> {
        Box::pin(self.around(self.inner.load()))
    }

    fn swap<'a>(
        &'a self,
        old: Option<&'a Locked>,
        new: &'a Locked,
    ) -> BoxFuture<'a, Result<(), SealError>> {
        Box::pin(async move {
            self.hold(Hold::Before).await;
            let swapped = self.inner.swap(old, new).await;
            self.moved
                .fetch_add(u64::from(swapped.is_ok()), Ordering::SeqCst);
            self.hold(Hold::After).await;
            swapped
        })
    }

    fn turns(&self) -> Option<&dyn Turns> {
        Some(self)
    }
}

impl Turns for Wild {
    fn look(&self) -> BoxFuture<'_, Result<Seen, SealError>> {
        Box::pin(self.around(self.inner.look()))
    }

    fn take<'a>(&'a self, seen: &'a Seen) -> BoxFuture<'a, Result<bool, SealError>> {
        Box::pin(self.around(self.inner.take(seen)))
    }

    fn keep(&self) -> BoxFuture<'_, Result<(), SealError>> {
        Box::pin(self.around(self.inner.keep()))
    }

    fn show<'a>(
        &'a self,
        note: Option<&'a Note>,
        missing: Option<Missing>,
    ) -> BoxFuture<'a, Result<(), SealError>> {
        Box::pin(async move {
            self.pass().await;
            let shown = self.inner.show(note, missing).await;
            if let (Ok(()), Some(note)) = (&shown, note) {
                self.said.hear(note);
                let size = Checkpoint::parse(note.text()).unwrap().head.size;
                self.shown.lock().push(size);
            }
            self.pass().await;
            shown
        })
    }

    fn give_up(&self) -> BoxFuture<'_, Result<(), SealError>> {
        Box::pin(async move {
            if self.dead.load(Ordering::SeqCst) || *self.paused.borrow() {
                return Ok(());
            }
            self.inner.give_up().await
        })
    }

    fn pace(&self) -> TurnPace {
        self.inner.pace()
    }
}

/// A process that seals for a node.
pub(super) struct Node {
    pub(super) lock: Arc<Wild>,
    pub(super) log: Arc<TransparencyLog>,
    pub(super) stop: watch::Sender<bool>,
    pub(super) running: JoinHandle<()>,
}

impl Node {
    pub(super) fn start(world: &World, ledger: &Ledger, dir: &Path, said: &Arc<Said>) -> Self {
        Self::witnessed(world, ledger, dir, said, None)
    }

    pub(super) fn witnessed(
        world: &World,
        ledger: &Ledger,
        dir: &Path,
        said: &Arc<Said>,
        cosigner: Option<Arc<dyn Cosigner>>,
    ) -> Self {
        let lock = Wild::new(world.lock(), Arc::clone(said));
        let log = world.log(dir);
        let opened = Arc::clone(&lock);
        let sealing = Sealing {
            store: Arc::clone(ledger.store()),
            log: Arc::clone(&log),
            lock: Box::new(move || Ok(Arc::<Wild>::clone(&opened))),
            key: world.checkpoint_key(),
            every: Duration::from_millis(5),
            cosigner,
            progress: None,
            gate: Some(Arc::clone(ledger.gate())),
        };
        let stop = watch::Sender::new(false);
        let running = tokio::spawn(sealing.run(stop.subscribe()));
        Self {
            lock,
            log,
            stop,
            running,
        }
    }

    /// Nothing it began is finished.
    pub(super) async fn kill(self) {
        self.lock.dead.store(true, Ordering::SeqCst);
        self.end().await;
    }

    pub(super) async fn end(self) {
        self.lock.pause(false);
        self.stop.send_replace(true);
        timeout(LONG, self.running).await.unwrap().unwrap();
    }

    pub(super) async fn reaches(&self, size: u64) -> Note {
        let reached = timeout(LONG, self.log.wait_for(size)).await;
        reached.unwrap().unwrap().note.clone()
    }
}

pub(super) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(timeout(LONG, waiting).await.is_ok(), "never: {what}");
}

pub(super) async fn length(ledger: &Ledger) -> u64 {
    ledger.store().length().await.unwrap()
}
