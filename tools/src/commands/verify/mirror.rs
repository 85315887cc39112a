//! A log as the public has it: a directory or an HTTP address with a checkpoint and tiles, and the keys of
//! the log. No event is needed: entries are hashes.
//!
//! Checked: who signed and cosigned; that the entries lead to the signed root; that every tile holds the
//! hashes of the entries, so that no proof made from them can lie; and that the log continues what was
//! verified here before.

use super::claims::{Mirrored, Witnesses};
use super::report::Finding;
use super::stamps::{self, Authorities, StampReport};
use super::tree::TreeCheck;
use super::{VerifyArgs, audit, claims, memory, tree};
use crate::cli::Global;
use crate::commands::state;
use crate::exit::{Exit, Stop};
use crate::output::{Out, grouped};
use crate::{interrupt, progress};
use domain::ids::LedgerId;
use outside::fetch::Files;
use outside::http::CallError;
use serde::Serialize;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use tlog::bundle;
use tlog::hash::Hash;
use tlog::note::{NOTE_BYTES_MAX, VerifierKey};
use tlog::tile::{Kind, TileId, WIDTH};
use tlog::tree::Tiles;
use tokio::runtime::Runtime;

/// Largest tile or bundle of 32-byte entries, in bytes, with room for foreign entries.
const TILE_BYTES_MAX: usize = 256 * 1024;

/// Where a mirror is.
pub struct Place {
    files: Option<(Runtime, Files)>,
    dir: PathBuf,
}

impl Place {
    fn new(text: &str) -> anyhow::Result<Self> {
        let remote = text.starts_with("http://") || text.starts_with("https://");
        let files = if remote {
            Some((super::super::reading::runtime()?, Files::new(text)?))
        } else {
            None
        };
        Ok(Self {
            files,
            dir: PathBuf::from(text),
        })
    }

    /// `None`: it is not there.
    fn get(&self, name: &str) -> anyhow::Result<Option<Vec<u8>>> {
        if let Some((runtime, files)) = &self.files {
            return match runtime.block_on(files.get(name, TILE_BYTES_MAX.max(NOTE_BYTES_MAX))) {
                Err(CallError::Status(404 | 410)) => Ok(None),
                got => Ok(Some(got?.to_vec())),
            };
        }
        match std::fs::read(self.dir.join(name)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            read => Ok(Some(read?)),
        }
    }
}

impl Tiles for Place {
    /// A mirror may keep the full tile only where a partial one is asked for.
    fn tile(&self, tile: &TileId) -> Result<Vec<u8>, tlog::Error> {
        let missing = || tlog::Error::MissingTile(tile.to_string());
        if let Some(bytes) = self.get(&tile.to_string()).map_err(|_| missing())? {
            return Ok(bytes);
        }
        let full = TileId {
            width: WIDTH,
            ..*tile
        };
        if tile.is_full() {
            return Err(missing());
        }
        let bytes = self.get(&full.to_string()).map_err(|_| missing())?;
        bytes.ok_or_else(missing)
    }
}

/// What was found.
#[derive(Debug, Serialize)]
struct MirrorReport {
    log: String,
    size: u64,
    root: String,
    cosigned: Vec<String>,
    remembered: Option<u64>,
    stamped: Option<Vec<StampReport>>,
    verdict: &'static str,
    finding: Option<Finding>,
}

/// Runs it.
pub fn run(global: &Global, args: &VerifyArgs, place: &str, out: &mut Out) -> anyhow::Result<Exit> {
    let place = Arc::new(Place::new(place)?);
    let parse = |text: &String| {
        VerifierKey::parse(text)
            .map_err(|error| Stop::new(Exit::Usage, format!("`{text}`: {error}")))
    };
    let keys = args.keys.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
    let Some(origin) = keys.first().map(|key| key.name().to_owned()) else {
        let stop = Stop::new(Exit::Usage, "no key of the log is named");
        return Err(stop
            .hint("name it with `--key`, from a source you trust")
            .into());
    };
    let witnesses = claims::witnesses(&args.witnesses, args.quorum)?;
    let mut report = MirrorReport {
        log: origin.clone(),
        size: 0,
        root: String::new(),
        cosigned: Vec::new(),
        remembered: None,
        stamped: None,
        verdict: "good",
        finding: None,
    };
    let memory = if args.no_memory {
        None
    } else {
        Some(remembered_at(&origin, args.forget)?)
    };
    let checked = look(
        global,
        args,
        &place,
        (&keys, &witnesses),
        memory.as_ref(),
        &mut report,
    )?;
    if let Err(finding) = checked {
        report.verdict = "bad";
        report.finding = Some(*finding);
    }
    let exit = if report.finding.is_some() {
        Exit::Integrity
    } else {
        Exit::Ok
    };
    out.report("verify_log", &report, |w| report.human(w))?;
    audit::write(&args.audit, "verify_log", &report)?;
    Ok(exit)
}

impl MirrorReport {
    fn human(&self, w: &mut impl Write) -> std::io::Result<()> {
        writeln!(w, "log       {}", self.log)?;
        writeln!(w, "entries   {}", grouped(self.size))?;
        writeln!(w, "root      {}", self.root)?;
        for witness in &self.cosigned {
            writeln!(w, "cosigned  {witness}")?;
        }
        stamps::human(self.stamped.as_deref(), w)?;
        match self.remembered {
            Some(size) => writeln!(
                w,
                "history   continues the {} verified before",
                grouped(size)
            )?,
            None => writeln!(w, "history   nothing is remembered of this log")?,
        }
        writeln!(w, "verdict   {}", self.verdict)?;
        if let Some(finding) = &self.finding {
            finding.human(w)?;
        }
        Ok(())
    }
}

/// The memory of a ledger is one, whether its events or its log were verified.
fn remembered_at(origin: &str, forget: bool) -> anyhow::Result<PathBuf> {
    let ledger: Option<LedgerId> = origin
        .strip_prefix("idledger/")
        .and_then(|id| id.parse().ok());
    let Some(ledger) = ledger else {
        // Another program's log: by the hash of its name, which may hold anything.
        let name = hex::encode(Hash::leaf(origin.as_bytes()).0);
        let dir = state::dir("verified");
        let dir = dir.ok_or_else(|| Stop::new(Exit::Failed, "no directory to remember in"))?;
        return Ok(dir.join(format!("{name}.checkpoint")));
    };
    if forget {
        memory::forget(&memory::state_dir()?, ledger)?;
    }
    Ok(tree::memory(ledger)?)
}

type Found = Result<(), Box<Finding>>;

fn look(
    global: &Global,
    args: &VerifyArgs,
    place: &Arc<Place>,
    (keys, witnesses): (&[VerifierKey], &Witnesses),
    memory: Option<&PathBuf>,
    report: &mut MirrorReport,
) -> anyhow::Result<Found> {
    let Some(note) = place.get("checkpoint")? else {
        let stop = Stop::new(Exit::Failed, "there is no checkpoint at that place");
        return Err(stop.hint("the place holds `checkpoint` and `tile/`").into());
    };
    let mirrored = match Mirrored::read(&note, keys, witnesses) {
        Ok(mirrored) => mirrored,
        Err(finding) => return Ok(Err(finding)),
    };
    let size = mirrored.size();
    report.size = size;
    report.root = mirrored.root().to_string();
    report.cosigned.clone_from(&mirrored.cosigned);
    let tiles: Arc<dyn Tiles + Send + Sync> = place.clone();
    let remembered = memory.map(PathBuf::as_path);
    let mut check = match TreeCheck::of_mirror(&mirrored, tiles, remembered, &args.checkpoints) {
        Ok(check) => check,
        Err(finding) => return Ok(Err(finding)),
    };
    report.remembered = check.remembered();
    let authorities = Authorities::read(args)?;
    if authorities.is_some()
        && let Err(finding) = stamped(place, &authorities, &mut check)?
    {
        return Ok(Err(finding));
    }
    let bar = progress::bar(global.progress, Some(size), "verifying");
    for index in 0..size.div_ceil(u64::from(WIDTH)) {
        if interrupt::requested() {
            bar.finish_and_clear();
            return Err(Stop::interrupted().into());
        }
        let Some(id) = TileId::at(Kind::Entries, index, size) else {
            break;
        };
        let read = place.tile(&id).and_then(|bytes| {
            let entries = bundle::entries(&bytes, id.width)?;
            Ok(entries.into_iter().map(<[u8]>::to_vec).collect::<Vec<_>>())
        });
        let entries = match read {
            Ok(entries) => entries,
            Err(error) => return Ok(Err(tree::bad_tile(&id, &error))),
        };
        for entry in &entries {
            if let Err(finding) = check.push_entry(entry) {
                bar.finish_and_clear();
                return Ok(Err(finding));
            }
        }
        bar.set_position((index + 1) * u64::from(WIDTH));
    }
    bar.finish_and_clear();
    if let Err(finding) = check.finish_mirror(keys) {
        return Ok(Err(finding));
    }
    match check.judged(&authorities) {
        Ok(stamped) => report.stamped = stamped,
        Err(finding) => return Ok(Err(finding)),
    }
    if let (Some(path), Some(longest)) = (memory, check.longest()) {
        tree::remember(path, &longest.note)?;
    }
    Ok(Ok(()))
}

/// Takes in all stamps of the mirror.
fn stamped(
    place: &Place,
    authorities: &Authorities,
    check: &mut TreeCheck,
) -> anyhow::Result<Found> {
    let get = |name: &str| place.get(name);
    let sizes = match stamps::sizes_of_mirror(get)? {
        Ok(sizes) => sizes,
        Err(finding) => return Ok(Err(finding)),
    };
    for size in sizes {
        interrupt::check()?;
        if let Some(stamp) = stamps::of_mirror(get, size)?
            && let Err(finding) = check.add_stamp(&stamp, authorities)
        {
            return Ok(Err(finding));
        }
    }
    check.sort();
    Ok(Ok(()))
}
