//! The limits of this machine: signing, strict verification, a synced file.

use anyhow::Context;
use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// Length of what is signed, in bytes: near that of an envelope.
const MESSAGE_BYTES: usize = 400;
/// Size of the synced file, filled with zeros ahead, in bytes.
const FILE_BYTES: usize = 64 << 20;

/// Ed25519 signatures a second on so many threads.
pub fn signing(threads: usize, time: Duration) -> f64 {
    let key = SigningKey::from_bytes(&[7; 32]);
    on_threads(threads, time, |number| {
        let mut message = [0x5a; MESSAGE_BYTES];
        message[..8].copy_from_slice(&number.to_le_bytes());
        std::hint::black_box(key.sign(&message));
    })
}

/// Strict verifications a second on so many threads.
pub fn verifying(threads: usize, time: Duration) -> f64 {
    let key = SigningKey::from_bytes(&[7; 32]);
    let message = [0x5a; MESSAGE_BYTES];
    let signature = key.sign(&message);
    let public: VerifyingKey = key.verifying_key();
    on_threads(threads, time, |_| {
        let verified = public.verify_strict(std::hint::black_box(&message), &signature);
        assert!(std::hint::black_box(verified).is_ok());
    })
}

/// How often a second one thread takes SHA-256 of inputs of these lengths, each once.
pub fn hashing(lengths: &[usize], time: Duration) -> f64 {
    let inputs: Vec<Vec<u8>> = lengths.iter().map(|length| vec![0x5a; *length]).collect();
    on_threads(1, time, |_| {
        for input in &inputs {
            std::hint::black_box(tlog::map::Key::of(std::hint::black_box(input)));
        }
    })
}

/// How often a second so many threads together do something.
fn on_threads(threads: usize, time: Duration, act: impl Fn(u64) + Sync) -> f64 {
    let started = Instant::now();
    let act = &act;
    let done: u64 = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(move || {
                    let mut done = 0;
                    while started.elapsed() < time {
                        for _ in 0..16 {
                            act(done);
                            done += 1;
                        }
                    }
                    done
                })
            })
            .collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap_or_default())
            .sum()
    });
    done as f64 / started.elapsed().as_secs_f64()
}

/// Records a second into one file by one writer: one write and one `fdatasync` for every `batch`
/// records, no signature, no index.
pub fn synced_file(
    dir: &Path,
    record_bytes: usize,
    batch: usize,
    time: Duration,
) -> anyhow::Result<f64> {
    let path = dir.join("floor.bin");
    let file = File::create(&path).context("making the floor's file")?;
    let zeros = vec![0; 1 << 20];
    for at in (0..FILE_BYTES).step_by(zeros.len()) {
        file.write_all_at(&zeros, at as u64)?;
    }
    file.sync_all()?;
    let records = vec![0x5a_u8; record_bytes * batch];
    let (mut at, mut written) = (0, 0_u64);
    let started = Instant::now();
    while started.elapsed() < time {
        if at + records.len() > FILE_BYTES {
            at = 0;
        }
        file.write_all_at(&records, at as u64)?;
        file.sync_data()?;
        at += records.len();
        written += batch as u64;
    }
    let rate = written as f64 / started.elapsed().as_secs_f64();
    std::fs::remove_file(&path)?;
    Ok(rate)
}
